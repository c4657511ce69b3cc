//! A bar for bytes that are read or sent, where standard error is a terminal.

use headwater_storage::offline::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The bar; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar with something in front of it.
    pub(super) fn new(what: &'static str) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(what);
        let template = "{msg} {bar:40} {bytes} / {total_bytes} [{elapsed}]";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So much is done.
    pub(super) fn show(&self, progress: Progress) {
        self.0.set_length(progress.bytes_total);
        self.0.set_position(progress.bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
