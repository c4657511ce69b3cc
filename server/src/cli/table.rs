//! A table with a title, drawn as NATS's page on data replication has it.
//! Not here: what is in it (`stream::report`, `stream::list`).

use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{LineStyle, Table as Grid};
use std::fmt;

/// Rows under a header under a title.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(title: &str, header: &[&str]) -> Self {
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self { title: title.to_owned(), header, rows: Vec::new() }
    }

    /// Adds a row with as many cells as the header has.
    pub(crate) fn add<const CELLS: usize>(&mut self, row: [String; CELLS]) {
        self.rows.push(row.into());
    }

    /// Takes a column away in which nothing stands.
    pub(crate) fn hide_if_empty(&mut self, name: &str) {
        let Some(index) = self.header.iter().position(|header| header == name) else { return };
        let is_empty = |row: &Vec<String>| row.get(index).is_none_or(String::is_empty);
        if !self.rows.iter().all(is_empty) {
            return;
        }
        self.header.remove(index);
        for row in self.rows.iter_mut().filter(|row| row.len() > index) {
            row.remove(index);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut grid = Grid::new();
        let line = LineStyle::new('+', '-', '+', '+');
        grid.load_style(ASCII_FULL_CONDENSED.header_separator(line));
        grid.set_header(&self.header);
        grid.add_rows(&self.rows);
        let text = grid.to_string();
        let width = text.lines().next().unwrap_or_default().len().saturating_sub(2);
        writeln!(f, "+{}+", "-".repeat(width))?;
        writeln!(f, "|{:^width$}|", self.title)?;
        write!(f, "{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_look_like_those_of_the_walkthrough() {
        let mut table = Table::new("Replication Report", &["Stream", "Kind", "Filter", "Active"]);
        for [stream, kind] in [["ARCHIVE", "Source"], ["REPORT", "Mirror"]] {
            table.add([stream.to_owned(), kind.to_owned(), String::new(), "never".to_owned()]);
        }
        table.hide_if_empty("Filter");
        table.hide_if_empty("Kind");
        let expected = "\
+---------------------------+
|    Replication Report     |
+---------+--------+--------+
| Stream  | Kind   | Active |
+---------+--------+--------+
| ARCHIVE | Source | never  |
| REPORT  | Mirror | never  |
+---------+--------+--------+";
        assert_eq!(table.to_string(), expected);
    }
}
