//! One point measured: a volume and a stream of its own, and appends with a bounded number under way.
//!
//! Invariants: at most `inflight` appends are without an answer; every answer is looked at, and a refused append fails the
//! point. The first fifth of the time warms up and does not count.
//! Not here: the folder it runs in, and which points there are (`sweep`).

use super::error::{Result, TuneError};
use super::payload::Payloads;
use super::point::Point;
use super::stop::Stop;
use bytes::Bytes;
use hdrhistogram::Histogram;
use headwater_storage::{Appended, NewMessage, Stream, StreamConfig, Volume, VolumeOptions};
use serde::Serialize;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const SUBJECTS: usize = 100;
/// How often a wait looks for a signal.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Longest time without any answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest latency that is told apart, in nanoseconds.
pub(super) const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    /// Appends acknowledged in the time that counts.
    pub(super) messages: u64,
    /// That time.
    pub(super) seconds: f64,
    pub(super) messages_per_second: f64,
    /// Payload, in millions of bytes a second.
    pub(super) megabytes_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
    /// The method the engine used, in its words.
    pub(super) disk_method: String,
}

/// Where and how long points are measured.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) duration: Duration,
    /// Payload that one point may write, in bytes.
    pub(super) bytes_max: u64,
    pub(super) runtime: &'a Runtime,
    pub(super) stop: &'a Stop,
}

type Answer = (headwater_storage::Result<Appended>, Instant, Instant);

impl Bench<'_> {
    /// Measures a point in an empty directory.
    pub(super) fn measure(&self, directory: &Path, point: &Point) -> Result<Figures> {
        let failed = |error: headwater_storage::Error| TuneError::Load {
            point: point.description(),
            reason: error.to_string(),
        };
        let options = VolumeOptions {
            disk: point.disk,
            sync: point.sync,
            segment_bytes: point.segment_bytes,
            ..VolumeOptions::new(directory)
        };
        let volume = Volume::open(options).map_err(failed)?;
        let config = StreamConfig {
            name: "tune".into(),
            compression: point.compression,
            ..StreamConfig::default()
        };
        let stream = self.runtime.block_on(volume.create_stream(config)).map_err(failed)?;
        let run = Run::new(self, point, &stream);
        let figures = run.until_over(volume.disk_method())?;
        volume.close().map_err(failed)?;
        Ok(figures)
    }
}

/// A point while it is measured.
struct Run<'a> {
    bench: &'a Bench<'a>,
    point: &'a Point,
    stream: &'a Stream,
    payloads: Payloads,
    subjects: Vec<Bytes>,
    sender: SyncSender<Answer>,
    answers: Receiver<Answer>,
    appended: u64,
    under_way: usize,
}

impl<'a> Run<'a> {
    fn new(bench: &'a Bench<'a>, point: &'a Point, stream: &'a Stream) -> Self {
        // There is room for every answer: a callback never waits.
        let (sender, answers) = sync_channel(point.inflight);
        Self {
            bench,
            point,
            stream,
            payloads: Payloads::new(point.payload, point.payload_bytes),
            subjects: (0..SUBJECTS).map(|n| Bytes::from(format!("tune.{n}"))).collect(),
            sender,
            answers,
            appended: 0,
            under_way: 0,
        }
    }

    fn until_over(mut self, disk_method: &str) -> Result<Figures> {
        let counted_from = Instant::now() + self.bench.duration / 5;
        let mut until = counted_from + self.bench.duration;
        let appends_max = self.bench.bytes_max / self.point.payload_bytes.max(1) as u64;
        let mut latencies = Histogram::<u64>::new_with_bounds(1, LATENCY_NS_MAX, 3)
            .map_err(|error| self.failed(error))?;
        while self.under_way < self.point.inflight {
            self.append();
        }
        while self.under_way > 0 {
            let (begun, ended) = self.answer()?;
            if (counted_from..until).contains(&ended) {
                latencies.saturating_record((ended - begun).as_nanos() as u64);
            }
            if self.appended >= appends_max {
                until = until.min(ended);
            }
            if ended < until {
                self.append();
            }
        }
        let seconds = until.saturating_duration_since(counted_from).as_secs_f64();
        if latencies.is_empty() || seconds <= 0.0 {
            return Err(self.failed("nothing was acknowledged in the time that counts"));
        }
        let micros = |part| latencies.value_at_quantile(part) as f64 / 1e3;
        let messages_per_second = latencies.len() as f64 / seconds;
        Ok(Figures {
            messages: latencies.len(),
            seconds,
            messages_per_second,
            megabytes_per_second: messages_per_second * self.point.payload_bytes as f64 / 1e6,
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: micros(1.0),
            disk_method: disk_method.to_owned(),
        })
    }

    fn append(&mut self) {
        let subject = self.subjects.get(self.appended as usize % SUBJECTS);
        let message = NewMessage {
            subject: subject.cloned().unwrap_or_default(),
            payload: self.payloads.next(),
            ..NewMessage::default()
        };
        let (sender, begun) = (self.sender.clone(), Instant::now());
        self.appended += 1;
        self.under_way += 1;
        self.stream.append_with(message, move |result| {
            drop(sender.send((result, begun, Instant::now())));
        });
    }

    /// Waits for the next answer: when its append began and ended.
    fn answer(&mut self) -> Result<(Instant, Instant)> {
        let waiting = Instant::now();
        loop {
            self.bench.stop.check()?;
            match self.answers.recv_timeout(LOOK_INTERVAL) {
                Ok((result, begun, ended)) => {
                    self.under_way -= 1;
                    return result.map(|_| (begun, ended)).map_err(|error| self.failed(error));
                }
                Err(RecvTimeoutError::Timeout) if waiting.elapsed() < ANSWER_TIMEOUT => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&self, reason: impl ToString) -> TuneError {
        TuneError::Load { point: self.point.description(), reason: reason.to_string() }
    }
}
