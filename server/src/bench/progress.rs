//! A bar on the terminal while a run goes on. Nothing at all where standard error is no terminal.
//! Not here: what is printed after the run (`report`).

use super::load::Load;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Shows how far a run is.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    begun: std::cell::Cell<Option<(Instant, Scale)>>,
}

/// What the length of the bar stands for.
#[derive(Clone, Copy, Debug)]
enum Scale {
    Messages,
    Milliseconds,
}

impl Progress {
    /// A bar on standard error, or none.
    pub(super) fn new(is_shown: bool) -> Self {
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bar: ProgressBar::with_draw_target(None, target), begun: std::cell::Cell::default() }
    }

    /// A run begins.
    pub(super) fn begin(&self, load: &Load) {
        let by_time = load.duration.map(|duration| duration.as_millis() as u64);
        let (scale, length) = match (load.count, by_time) {
            (Some(count), _) => (Scale::Messages, count * load.subscribers.max(1) as u64),
            (None, milliseconds) => (Scale::Milliseconds, milliseconds.unwrap_or(0)),
        };
        self.bar.reset();
        self.bar.set_length(length);
        if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan} {msg}") {
            self.bar.set_style(style);
        }
        self.begun.set(Some((Instant::now(), scale)));
    }

    /// So many messages are settled.
    pub(super) fn show(&self, settled: u64) {
        let Some((begun, scale)) = self.begun.get() else { return };
        let elapsed = begun.elapsed();
        self.bar.set_position(match scale {
            Scale::Messages => settled,
            Scale::Milliseconds => elapsed.as_millis() as u64,
        });
        let rate = settled as f64 / elapsed.max(Duration::from_millis(1)).as_secs_f64();
        self.bar.set_message(format!("{settled} messages, {rate:.0}/s"));
    }

    /// The run is over; the bar goes.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
