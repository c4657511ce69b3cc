//! The log: lines in nats-server's form, to standard error or to a file that can be reopened.
//! Not here: what is logged.

use crate::config::options::LogOptions;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Target of the lines that show protocol operations.
pub const WIRE: &str = "wire";
/// Crates whose lines are wanted below warnings.
const OWN: [&str; 4] =
    ["headwater", "headwater_server", "headwater_storage", "headwater_replication"];

/// The running log.
#[derive(Clone)]
pub struct Log {
    sink: Sink,
    path: Option<PathBuf>,
    filter: reload::Handle<Targets, tracing_subscriber::Registry>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Starts logging; for the whole process, once.
pub fn start(options: &LogOptions) -> io::Result<Log> {
    let file = options.file.as_deref().map(open).transpose()?;
    let sink = Sink(Arc::new(Mutex::new(file)));
    let (filter, handle) = reload::Layer::new(targets(options));
    let format = Lines { with_time: options.with_time, is_utc: options.is_utc };
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(format)
        .with_writer(sink.clone());
    let started = tracing_subscriber::registry().with(filter).with(layer).try_init();
    started.map_err(io::Error::other)?;
    Ok(Log { sink, path: options.file.clone(), filter: handle })
}

fn targets(options: &LogOptions) -> Targets {
    let level = if options.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let wire = if options.trace { LevelFilter::TRACE } else { LevelFilter::OFF };
    let base = Targets::new().with_default(LevelFilter::WARN).with_target(WIRE, wire);
    OWN.iter().fold(base, |targets, name| targets.with_target(*name, level))
}

impl Log {
    /// Opens the log file again, after it was moved away.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            let file = open(path)?;
            *self.sink.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        }
        Ok(())
    }
    /// Changes how much is logged.
    pub fn set_levels(&self, options: &LogOptions) {
        if let Err(error) = self.filter.reload(targets(options)) {
            tracing::warn!(%error, "cannot change the log level");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot open log file {}: {error}", path.display()))
    })
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Option<File>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write(bytes),
            None => io::stderr().lock().write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// `[pid] 2026/01/31 12:00:00.000000 [INF] text field=value`
struct Lines {
    with_time: bool,
    is_utc: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "[{}] ", std::process::id())?;
        if self.with_time {
            let now = jiff::Timestamp::now();
            let zone =
                if self.is_utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
            write!(writer, "{} ", now.to_zoned(zone).strftime("%Y/%m/%d %H:%M:%S%.6f"))?;
        }
        let label = match *event.metadata().level() {
            Level::ERROR => "ERR",
            Level::WARN => "WRN",
            Level::INFO => "INF",
            Level::DEBUG => "DBG",
            Level::TRACE => "TRC",
        };
        write!(writer, "[{label}] ")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
