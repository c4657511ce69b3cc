//! A program that embeds the engine: one thread appends readings, another follows those of one kind.
//! `cargo run -p headwater-storage --example filtered_tail [DIRECTORY]`; without a directory the streams go with the program.

use headwater_storage::{NewMessage, Result, Stream, StreamConfig, Volume, VolumeOptions};
use std::{sync::Arc, thread};

const READINGS: u64 = 12;
/// Bounds of one batch of a tail.
const MESSAGES_MAX: usize = 100;
const BYTES_MAX: usize = 1024 * 1024;

/// Prints readings that match, from the stream's beginning, until there were `wanted`.
fn follow(stream: &Arc<Stream>, filter: &str, wanted: usize) -> Result<()> {
    let mut tail = stream.tail(1, vec![filter.to_owned()]);
    let mut seen = 0;
    while seen < wanted {
        // Sleeps until something is committed. A batch may be empty: then all that was new did not match.
        let batch = tail.next_blocking(MESSAGES_MAX, BYTES_MAX)?;
        for message in &batch.messages {
            let reading = String::from_utf8_lossy(&message.payload);
            println!("{:>3}  {:<22} {reading}", message.sequence, message.subject_str());
        }
        seen += batch.messages.len();
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| temporary.path().into());
    let volume = Volume::open(VolumeOptions::new(directory))?;
    let readings = match volume.stream("readings") {
        Some(stream) => stream,
        None => {
            let config = StreamConfig { name: "readings".into(), ..StreamConfig::default() };
            volume.create_stream(config).await?
        }
    };
    let held = readings.count_from(1, &["*.temperature".to_owned()]);
    let (stream, wanted) = (Arc::clone(&readings), usize::try_from(held + READINGS / 2)?);
    let follower = thread::spawn(move || follow(&stream, "*.temperature", wanted));
    for number in 0..READINGS {
        let kind = if number % 2 == 0 { "temperature" } else { "humidity" };
        let subject = format!("sensor-{}.{kind}", number % 3);
        let payload = (200 + number).to_string();
        let message = NewMessage {
            subject: subject.into(),
            payload: payload.into(),
            ..NewMessage::default()
        };
        // Returns when the reading is on stable storage; the follower sees it no earlier.
        readings.append(message).await?;
    }
    follower.join().map_err(|_| "the follower panicked")??;
    volume.close()?;
    Ok(())
}
