//! The `headwater` program.
#![forbid(unsafe_code)]

use headwater_server::{Options, Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "serve" => {}
            "-p" => options.port = args.next().unwrap_or_default().parse()?,
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    let server = Server::start(options).await?;
    tracing::info!("listening for client connections on {}", server.client_address());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
