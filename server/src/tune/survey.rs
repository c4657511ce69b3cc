//! Everything a run found: the machine, the disk's own limit, every point, and the recommendation.
//! Not here: how it is shown (`text`, `page`).

use super::configuration;
use super::error::{Result, TuneError};
use super::load::Figures;
use super::machine::Machine;
use super::options::TuneOptions;
use super::point::{Axis, Point};
use super::raw::RawWrites;
use super::recommendation::{Recommendation, middle_base};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Why a point was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// The base, again and again.
    Base,
    /// One axis changed.
    Axis(Axis),
    /// A disk method at the ends of the load.
    DiskLoad,
    /// A point that looked good, again.
    Again,
    /// The settings that looked good one by one, together; each run is followed by one of the base.
    Together,
}

/// One point and what came out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    pub(super) part: Part,
    pub(super) point: Point,
    pub(super) figures: Figures,
}

/// What the sweep brought home.
#[derive(Debug, Serialize)]
pub(super) struct Measurements {
    pub(super) raw: Vec<RawWrites>,
    /// In the order in which they were measured.
    pub(super) points: Vec<Measured>,
    /// What could not be measured, a sentence each.
    pub(super) skipped: Vec<String>,
    pub(super) recommendation: Recommendation,
}

/// The run as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Survey {
    pub(super) machine: Machine,
    pub(super) directory: PathBuf,
    pub(super) seconds_per_point: f64,
    #[serde(flatten)]
    pub(super) measurements: Measurements,
    /// The recommended configuration file.
    pub(super) configuration: String,
    #[serde(skip)]
    pub(super) base: Measured,
}

impl Survey {
    pub(super) fn new(
        options: &TuneOptions,
        directory: &Path,
        machine: Machine,
        measurements: Measurements,
    ) -> Result<Self> {
        let base = middle_base(&measurements.points).cloned();
        let base = base.ok_or_else(|| TuneError::Report("the base was not measured".into()))?;
        Ok(Self {
            configuration: configuration::text(directory, &measurements.recommendation)?,
            machine,
            directory: directory.to_owned(),
            seconds_per_point: options.duration().as_secs_f64(),
            measurements,
            base,
        })
    }

    /// The points of an axis in the order of the plan, the base among them.
    pub(super) fn along(&self, axis: Axis) -> Vec<&Measured> {
        let points = &self.measurements.points;
        let on_axis = points.iter().filter(|measured| measured.part == Part::Axis(axis));
        let mut found: Vec<_> = std::iter::once(&self.base).chain(on_axis).collect();
        found.sort_by_key(|measured| axis.order(&measured.point));
        found
    }
}
