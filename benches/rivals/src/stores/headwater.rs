//! Headwater by its public interface, with its defaults: synced before it is acknowledged, 64 MiB segments.
//!
//! With one stream a record's stream is its subject; with several, each is a stream of its own.

use super::{Checkpoints, Store};
use crate::load::{Appends, Load, Record, Scan, nanoseconds, payload};
use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use headwater_storage::limits::OPEN_BYTES_MAX;
use headwater_storage::volume::DiskMethod;
use headwater_storage::{Appended, NewMessage, Stream, StreamConfig, Volume, VolumeOptions};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Bounds of a batch of a tail.
const READ_MESSAGES: usize = 1000;
const READ_BYTES: usize = 1024 * 1024;
/// A stream refuses appends (`Error::Busy`) while more than `OPEN_BYTES_MAX` wait for the disk; this stays away from that.
const IN_FLIGHT_BYTES_MAX: usize = OPEN_BYTES_MAX / 2;
/// Streams that are created at a time.
const CREATED_AT_ONCE: usize = 64;
/// Appends that nobody has waited for yet, when a stream is filled.
const AHEAD: usize = 10_000;

pub(crate) struct Headwater {
    volume: Arc<Volume>,
    streams: Vec<Arc<Stream>>,
}

type Answer = headwater_storage::Result<Appended>;

impl Headwater {
    /// Opens the volume and finds or creates its streams.
    pub(crate) fn open(directory: &Path, disk: DiskMethod, streams: u32) -> Result<Self> {
        let options = VolumeOptions { disk, ..VolumeOptions::new(directory) };
        let volume = Arc::new(Volume::open(options)?);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let names: Vec<_> = (0..streams).map(|stream| format!("s{stream}")).collect();
        let mut found = Vec::new();
        for names in names.chunks(CREATED_AT_ONCE) {
            let made = names.iter().map(|name| {
                let config = StreamConfig { name: name.clone(), ..StreamConfig::default() };
                let volume = Arc::clone(&volume);
                async move {
                    match volume.stream(&config.name) {
                        Some(stream) => Ok(stream),
                        None => volume.create_stream(config).await,
                    }
                }
            });
            for stream in runtime.block_on(futures_util::future::join_all(made)) {
                found.push(stream?);
            }
        }
        Ok(Self { volume, streams: found })
    }

    fn message(&self, record: &Record<'_>, payload: &Bytes) -> NewMessage {
        NewMessage {
            subject: subject(record.stream),
            payload: payload.clone(),
            ..NewMessage::default()
        }
    }

    fn stream(&self, stream: u32) -> Result<&Arc<Stream>> {
        let index = if self.streams.len() == 1 { 0 } else { stream as usize };
        self.streams.get(index).ok_or_else(|| anyhow!("no stream {stream}"))
    }
}

fn subject(number: u32) -> Bytes {
    format!("s.{number}").into()
}

impl Store for Headwater {
    fn append(&self, batch: &[Record<'_>]) -> Result<()> {
        let (sender, receiver) = mpsc::channel::<Answer>();
        let mut payload = Bytes::new();
        for record in batch {
            if payload != record.payload {
                payload = Bytes::copy_from_slice(record.payload);
            }
            let sender = sender.clone();
            let message = self.message(record, &payload);
            let done = move |answer| drop(sender.send(answer));
            self.stream(record.stream)?.append_with(message, done);
        }
        drop(sender);
        receiver.into_iter().try_for_each(|answer| answer.map(drop))?;
        Ok(())
    }

    fn append_one(&self, payload: &[u8]) -> Result<()> {
        let record = Record { stream: 0, payload };
        let message = self.message(&record, &Bytes::copy_from_slice(payload));
        self.stream(0)?.append_blocking(message)?;
        Ok(())
    }

    /// As a caller would do it: one at a time by the blocking call, many by callbacks, a batch by the call for batches.
    fn run(&self, load: &Load, during: Duration) -> Result<Appends> {
        let payload = Bytes::from(payload(load.payload_bytes));
        let mut appends = Appends::new()?;
        let message =
            NewMessage { subject: subject(0), payload: payload.clone(), ..NewMessage::default() };
        if load.records_in_flight() == 1 {
            let stream = self.stream(0)?;
            let begun = Instant::now();
            while appends.took < during {
                let sent = Instant::now();
                stream.append_blocking(message.clone())?;
                appends.record(sent.elapsed(), 1);
                appends.took = begun.elapsed();
            }
            return Ok(appends);
        }
        let commit_bytes = load.batch * load.payload_bytes;
        let in_flight = load.in_flight.min((IN_FLIGHT_BYTES_MAX / commit_bytes).max(1));
        let (sender, receiver) = mpsc::channel();
        let send = |stream: u32| -> Result<()> {
            let (sender, sent) = (sender.clone(), Instant::now());
            let done = move |answer: Answer| drop(sender.send((stream, sent.elapsed(), answer)));
            let found = self.stream(stream)?;
            if load.batch == 1 {
                found.append_with(message.clone(), done);
            } else {
                found.append_all_with(vec![message.clone(); load.batch], done);
            }
            Ok(())
        };
        let begun = Instant::now();
        (0..load.streams).cycle().take(in_flight).try_for_each(&send)?;
        let mut under_way = in_flight;
        while under_way > 0 {
            let (stream, took, answer) = receiver.recv()?;
            answer?;
            appends.record(took, load.batch as u64);
            if begun.elapsed() < during {
                send(stream)?;
            } else {
                under_way -= 1;
            }
        }
        appends.took = begun.elapsed();
        Ok(appends)
    }

    fn checkpoint_every(&self, pause: Duration) -> Option<Checkpoints> {
        let (stop, stopped) = mpsc::channel();
        let volume = Arc::clone(&self.volume);
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                volume.checkpoint()?;
                count += 1;
            }
            Ok(count)
        });
        Some(Checkpoints { stop, thread })
    }

    fn scan(&self, stream: Option<u32>) -> Result<Option<Scan>> {
        let filters: Vec<_> = stream.map(|stream| format!("s.{stream}")).into_iter().collect();
        let mut scan = Scan::default();
        for stream in &self.streams {
            let mut tail = stream.tail(1, filters.clone());
            while let Some(batch) = tail.try_next(READ_MESSAGES, READ_BYTES)? {
                batch.messages.iter().for_each(|message| scan.add(&message.payload));
            }
        }
        Ok(Some(scan))
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.volume.close()?)
    }
}

/// How long a message takes, one at a time, until its acknowledgement and until a waiting tail gives it out, for so long.
pub(crate) fn tail(
    directory: &Path,
    payload_bytes: usize,
    during: Duration,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let store = Headwater::open(directory, DiskMethod::Auto, 1)?;
    let stream = store.stream(0)?;
    let message = NewMessage {
        subject: subject(0),
        payload: payload(payload_bytes).into(),
        ..NewMessage::default()
    };
    let (seen, see) = mpsc::channel();
    let mut tail = stream.tail(1, Vec::new());
    let reader = std::thread::spawn(move || -> headwater_storage::Result<()> {
        loop {
            let batch = tail.next_blocking(READ_MESSAGES, READ_BYTES)?;
            let now = Instant::now();
            if batch.messages.iter().any(|message| seen.send((message.sequence, now)).is_err()) {
                return Ok(());
            }
        }
    });
    let (mut acked_after, mut seen_after) = (Appends::new()?.latency, Appends::new()?.latency);
    let begun = Instant::now();
    while begun.elapsed() < during {
        let sent = Instant::now();
        let appended = stream.append_blocking(message.clone())?;
        acked_after.saturating_record(nanoseconds(sent.elapsed()));
        let (sequence, at) = see.recv().context("the tail ended")?;
        ensure!(sequence == appended.sequence, "the tail gave out {sequence}");
        seen_after.saturating_record(nanoseconds(at.saturating_duration_since(sent)));
    }
    drop(see);
    stream.append_blocking(message)?;
    reader.join().map_err(|_| anyhow!("the tail panicked"))??;
    store.volume.close()?;
    Ok((acked_after, seen_after))
}

/// Appends so many empty messages over so many subjects; gives the anonymous memory of the process then, in bytes.
pub(crate) fn subject_memory(directory: &Path, messages: u32, subjects: u32) -> Result<u64> {
    let store = Headwater::open(directory, DiskMethod::Auto, 1)?;
    let stream = store.stream(0)?;
    let (sender, receiver) = mpsc::channel::<Answer>();
    for number in 0..messages {
        if number as usize >= AHEAD {
            receiver.recv()??;
        }
        let number = number % subjects;
        let subject = format!("orders.r{:03}.{number:08}", number % 1000).into();
        let sender = sender.clone();
        let message = NewMessage { subject, ..NewMessage::default() };
        stream.append_with(message, move |answer| drop(sender.send(answer)));
    }
    drop(sender);
    receiver.into_iter().try_for_each(|answer| answer.map(drop))?;
    ensure!(stream.state().subjects == u64::from(subjects), "subjects are missing");
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no RssAnon in /proc/self/status")?.parse::<u64>()? * 1024)
}
