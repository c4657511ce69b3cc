//! A batch importer: each line of standard input becomes a message, with many appends on their way at once.
//! `seq 100000 | cargo run -p headwater-storage --example line_import [DIRECTORY]`
//!
//! One thread appends and counts answers. It never holds more than `UNDER_WAY_MAX` lines that are not durable, and it
//! ends only when every line is, or at the first that is refused (`Busy` where a thousand lines are more than the engine lets
//! wait). A line keeps its number as message id: an import that ended early and is begun again from the first line
//! within the hour stores no line twice.

use headwater_storage::{
    Appended, Error, NewMessage, Result, StreamConfig, Volume, VolumeOptions, stream::Compression,
};
use std::{
    io::BufRead,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

const UNDER_WAY_MAX: usize = 1_000;

/// What came of the lines.
#[derive(Debug, Default)]
struct Outcome {
    under_way: usize,
    stored: u64,
    duplicates: u64,
}

impl Outcome {
    /// Waits until at most so many lines are under way.
    fn wait(&mut self, most: usize, answers: &Receiver<Result<Appended>>) -> Result<()> {
        while self.under_way > most {
            let appended = answers.recv().map_err(|_| Error::Closed)??;
            self.under_way -= 1;
            match appended.duplicate {
                true => self.duplicates += 1,
                false => self.stored += 1,
            }
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| temporary.path().into());
    let volume = Volume::open(VolumeOptions::new(directory))?;
    let lines = match volume.stream("lines") {
        Some(stream) => stream,
        None => {
            let config = StreamConfig {
                name: "lines".into(),
                dedup_window: Duration::from_secs(3600),
                compression: Compression::Lz4,
                ..StreamConfig::default()
            };
            volume.create_stream(config).await?
        }
    };
    let (told, answers) = channel();
    let mut outcome = Outcome::default();
    for (number, line) in (1_u64..).zip(std::io::stdin().lock().lines()) {
        let message = NewMessage {
            subject: "line".into(),
            payload: line?.into(),
            message_id: Some(number.to_string().into()),
            ..NewMessage::default()
        };
        let told = told.clone();
        // Runs on the commit thread: hands the answer over and does nothing else.
        lines.append_with(message, move |answer| drop(told.send(answer)));
        outcome.under_way += 1;
        outcome.wait(UNDER_WAY_MAX - 1, &answers)?;
    }
    outcome.wait(0, &answers)?;
    let state = lines.state();
    println!("{} lines stored, {} were there already", outcome.stored, outcome.duplicates);
    println!("{} messages in the stream, {} bytes on disk", state.messages, lines.disk_bytes());
    volume.close()?;
    Ok(())
}
