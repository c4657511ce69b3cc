//! The target: numbered files of lines, and a checkpoint that says how much of them counts.
//!
//! A batch is appended and synced, then the checkpoint (file, length, progress) is replaced by a rename. Opening cuts whatever
//! lies behind the checkpoint. So a line is there once, whenever the process is killed: either the checkpoint covers it, or
//! it is cut and copied again.
//! Not here: what a line holds (`lines`).

use data_encoding::HEXLOWER;
use headwater_replication::target::{Done, Target, TargetFacts};
use headwater_storage::{
    Error, Message, Result,
    stream::{Batch, BatchOutcome, Item},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

/// Batches that may wait for the writing thread.
const QUEUE_MAX: usize = 64;

/// What the checkpoint file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    /// Number of the file that is written to; all earlier ones are complete.
    file: u64,
    /// Bytes of it that count.
    bytes: u64,
    /// Progress per plugin, in hexadecimal.
    progress: BTreeMap<String, String>,
}

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Archive {
    queue: mpsc::SyncSender<(Batch, Done)>,
    durable: Arc<Mutex<Checkpoint>>,
}

struct Writer {
    directory: PathBuf,
    file_bytes_max: u64,
    file: File,
    checkpoint: Checkpoint,
    durable: Arc<Mutex<Checkpoint>>,
}

impl Archive {
    /// Opens or creates an archive and cuts what a kill left behind. A new file is begun once one has `file_bytes_max` bytes.
    pub(crate) fn open(directory: &Path, file_bytes_max: u64) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
        let path = directory.join("checkpoint.json");
        let checkpoint = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
                place: path.display().to_string(),
                what: error.to_string(),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Checkpoint::default(),
            Err(error) => return Err(failed(&path, error)),
        };
        // A file that was begun when the process was killed is not covered by the checkpoint either.
        let begun = file_path(directory, checkpoint.file + 1);
        if begun.exists() {
            fs::remove_file(&begun).map_err(|error| failed(&begun, error))?;
        }
        let file = open_file(directory, checkpoint.file, checkpoint.bytes)?;
        let durable = Arc::new(Mutex::new(checkpoint.clone()));
        let (queue, batches) = mpsc::sync_channel::<(Batch, Done)>(QUEUE_MAX);
        let mut writer = Writer {
            directory: directory.to_owned(),
            file_bytes_max,
            file,
            checkpoint,
            durable: durable.clone(),
        };
        std::thread::spawn(move || {
            // After a failed write the state of the file is unknown: nothing more is written until it is opened again.
            let mut failure = None;
            for (batch, done) in batches {
                let result = match &failure {
                    Some(error) => Err(Error::clone(error)),
                    None => writer.apply(batch),
                };
                failure = failure.or(result.as_ref().err().cloned());
                done(result);
            }
        });
        Ok(Self { queue, durable })
    }

    fn durable(&self) -> MutexGuard<'_, Checkpoint> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn apply(&mut self, batch: Batch) -> Result<BatchOutcome> {
        let applied = batch.steps.len();
        let mut outcome = BatchOutcome { applied: 0, refused: None, last_sequence: 0 };
        if let Some((key, expected)) = batch.expect_progress {
            let have = self.checkpoint.progress.get(&key).cloned().unwrap_or_default();
            if have != HEXLOWER.encode(&expected) {
                outcome.refused = Some(Error::WrongProgress { key });
                return Ok(outcome);
            }
        }
        let mut lines = Vec::new();
        for step in batch.steps {
            for item in step.items {
                if let Item::Append(message) = item {
                    lines.extend_from_slice(&message.payload);
                    lines.push(b'\n');
                }
            }
            if let Some((key, progress)) = step.progress {
                self.checkpoint.progress.insert(key, HEXLOWER.encode(&progress));
            }
        }
        self.write(&lines)?;
        outcome.applied = applied;
        Ok(outcome)
    }

    fn write(&mut self, lines: &[u8]) -> Result<()> {
        if self.checkpoint.bytes >= self.file_bytes_max {
            (self.checkpoint.file, self.checkpoint.bytes) = (self.checkpoint.file + 1, 0);
            self.file = open_file(&self.directory, self.checkpoint.file, 0)?;
        }
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.directory, error))?;
        self.checkpoint.bytes += lines.len() as u64;
        replace(&self.directory, &self.checkpoint)
            .map_err(|error| failed(&self.directory, error))?;
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = self.checkpoint.clone();
        Ok(())
    }
}

impl Target for Archive {
    fn facts(&self) -> TargetFacts {
        TargetFacts::default()
    }

    fn progress(&self, key: &str) -> Option<Vec<u8>> {
        HEXLOWER.decode(self.durable().progress.get(key)?.as_bytes()).ok()
    }

    fn apply(&self, batch: Batch, done: Done) {
        // A thread that is gone drops the answer, which counts as a closed target.
        let _ = self.queue.send((batch, done));
    }

    fn visit(&self, _: u64, _: u64, _: &mut dyn FnMut(&Message)) -> Result<()> {
        Ok(())
    }
}

fn file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.jsonl"))
}

/// Opens a file for appending behind the bytes that count, cutting the rest.
fn open_file(directory: &Path, number: u64, bytes: u64) -> Result<File> {
    let path = file_path(directory, number);
    let open = || {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        if file.metadata()?.len() < bytes {
            return Err(std::io::Error::other("shorter than the checkpoint says"));
        }
        file.set_len(bytes)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(file)
    };
    open().map_err(|error| failed(&path, error))
}

fn replace(directory: &Path, checkpoint: &Checkpoint) -> std::io::Result<()> {
    let (path, temporary) = (directory.join("checkpoint.json"), directory.join("checkpoint.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(checkpoint)?)?;
    file.sync_data()?;
    fs::rename(&temporary, &path)?;
    File::open(directory)?.sync_all()
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(path.display().to_string(), error)
}
