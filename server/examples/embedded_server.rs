//! The whole server inside a program, and the official client of NATS as its client.
//! `cargo run -p headwater-server --example embedded_server`
//!
//! The client's half is the same against `headwater serve -js`: only the address is another.

use async_nats::jetstream::{self, stream};
use headwater_server::{Options, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut options = Options { host: "127.0.0.1".into(), port: 0, ..Options::default() };
    options.storage.store_dir = Some(directory.path().into());
    options.jetstream_mut();
    let server = Server::start(options).await?;

    let client = async_nats::connect(server.client_address().to_string()).await?;
    let jetstream = jetstream::new(client);
    let orders = jetstream
        .create_stream(stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["ORDERS.*".into()],
            ..stream::Config::default()
        })
        .await?;

    // The first await sends the message, the second one waits until it is on disk.
    let acknowledgement = jetstream.publish("ORDERS.new", "one tea".into()).await?.await?;
    println!("message {} is on disk", acknowledgement.sequence);
    let message = orders.get_raw_message(acknowledgement.sequence).await?;
    println!("{}: {}", message.subject, String::from_utf8_lossy(&message.payload));

    server.shutdown().await;
    Ok(())
}
