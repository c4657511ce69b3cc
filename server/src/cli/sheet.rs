//! Lines of a label and a value under headings, the labels flush right, as `stream info` prints them.
//! Not here: what is printed so (`stream::information`).

use std::fmt;

/// What every label is wide at least, so that one sheet looks like the next.
const LABEL_WIDTH_MIN: usize = 21;

#[derive(Debug)]
enum Line {
    Heading(String),
    Row(String, String),
    Gap,
}

/// The lines.
#[derive(Debug, Default)]
pub(super) struct Sheet(Vec<Line>);

impl Sheet {
    /// Begins a part.
    pub(super) fn heading(&mut self, text: impl fmt::Display) {
        self.0.push(Line::Heading(text.to_string()));
    }

    /// Adds a value.
    pub(super) fn row(&mut self, label: &str, value: impl fmt::Display) {
        self.0.push(Line::Row(label.to_owned(), value.to_string()));
    }

    /// Adds a value that may be missing.
    pub(super) fn optional(&mut self, label: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.row(label, value);
        }
    }

    /// Adds a value for each of them, with a label at the first.
    pub(super) fn rows(
        &mut self,
        label: &str,
        values: impl IntoIterator<Item = impl fmt::Display>,
    ) {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        labels.zip(values).for_each(|(label, value)| self.row(label, value));
    }

    /// Leaves a line empty.
    pub(super) fn gap(&mut self) {
        self.0.push(Line::Gap);
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label_width = |line: &Line| match line {
            Line::Row(label, _) => label.chars().count() + 1,
            Line::Heading(_) | Line::Gap => 0,
        };
        let width = self.0.iter().map(label_width).max().unwrap_or(0).max(LABEL_WIDTH_MIN);
        for line in &self.0 {
            match line {
                Line::Heading(text) => writeln!(f, "{text}\n")?,
                Line::Row(label, value) if label.is_empty() => {
                    writeln!(f, "{:width$}  {value}", "")?;
                }
                Line::Row(label, value) => writeln!(f, "{label:>width$}: {value}")?,
                Line::Gap => writeln!(f)?,
            }
        }
        Ok(())
    }
}
