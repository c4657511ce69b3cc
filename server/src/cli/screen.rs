//! What commands print: results on standard output, what goes on besides them on standard error.
//! A reader that went away ends the command with an error, where `println!` would panic.
//! Not here: how tables look (`table`).

use super::error::{ClientError, Result};
use std::fmt::Display;
use std::io::Write;

/// Prints a line of the result.
pub(super) fn line(text: impl Display) -> Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints bytes of the result as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(bytes).and_then(|()| output.flush()).map_err(ClientError::Output)
}

/// Prints JSON as a result.
pub(super) fn json(value: &serde_json::Value) -> Result<()> {
    line(format_args!("{value:#}"))
}

/// Says what goes on, with the time of the day.
pub(super) fn note(text: impl Display) {
    let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    say(format_args!("{time} {text}"));
}

/// Says something that is not the result.
pub(super) fn say(text: impl Display) {
    // There is nobody to tell when nobody listens on standard error.
    let _ = writeln!(std::io::stderr(), "{text}");
}
