//! Figures with all their rounds, and the ratios between them.
//!
//! Invariant: a ratio is made within a round, and only then is the median taken.
//! Not here: words and tables (`page`), curves (`plot`).

use crate::plan::{Group, Who};
use serde::{Deserialize, Serialize};

/// One value of one measurement, in each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) group: Group,
    pub(crate) cell: String,
    pub(crate) who: Who,
    /// Name of the value, with its unit.
    pub(crate) value: String,
    pub(crate) rounds: Vec<f64>,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Figures(pub(crate) Vec<Figure>);

/// The middle one of some values, and the outermost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these; `None` of none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = match sorted.len() % 2 {
            0 => (sorted.get(middle - 1)? + upper) / 2.0,
            _ => upper,
        };
        Some(Self { median, min: *sorted.first()?, max: *sorted.last()? })
    }
}

impl Figures {
    /// The value of each round.
    pub(crate) fn rounds(&self, group: Group, cell: &str, who: Who, value: &str) -> &[f64] {
        let figure = self.0.iter().find(|figure| {
            figure.group == group
                && figure.cell == cell
                && figure.who == who
                && figure.value == value
        });
        figure.map_or(&[], |figure| &figure.rounds)
    }

    /// Cells of a group, in the order in which they were measured.
    pub(crate) fn cells(&self, group: Group) -> Vec<&str> {
        let mut cells: Vec<&str> = Vec::new();
        for figure in self.0.iter().filter(|figure| figure.group == group) {
            if !cells.contains(&figure.cell.as_str()) {
                cells.push(&figure.cell);
            }
        }
        cells
    }
}

/// Ratios within rounds.
pub(crate) fn ratio(over: &[f64], under: &[f64]) -> Option<Spread> {
    if over.len() != under.len() {
        return None;
    }
    let ratios: Vec<_> = over.iter().zip(under).map(|(over, under)| over / under).collect();
    Spread::of(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_some_values() {
        assert_eq!(Spread::of(&[]), None);
        for (values, median) in [(&[3.0][..], 3.0), (&[9.0, 1.0], 5.0), (&[5.0, 1.0, 2.0], 2.0)] {
            assert_eq!(Spread::of(values).map(|spread| spread.median), Some(median), "{values:?}");
        }
    }

    #[test]
    fn a_ratio_is_made_within_a_round() {
        let found = ratio(&[10.0, 100.0, 9.0], &[10.0, 50.0, 3.0]);
        assert_eq!(found, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(ratio(&[1.0], &[]), None);
    }
}
