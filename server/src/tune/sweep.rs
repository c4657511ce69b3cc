//! The run: which points are measured in which order, each in an empty folder.
//! Order: the disk alone, base, half of the axes, base, the other half, again what looked promising, then all of that
//! together and the base in turn.
//! Not here: how a point is measured (`load`), what the figures speak for (`recommendation`).

use super::error::{Result, TuneError};
use super::load::Bench;
use super::machine::Machine;
use super::plan::{DISK_METHODS, Plan};
use super::point::{Axis, Point, disk_name};
use super::raw;
use super::recommendation::{RUNS, Recommendation, Wish};
use super::stop::Stop;
use super::survey::{Measured, Measurements, Part};
use headwater_storage::volume::DiskMethod;
use headwater_storage::{Volume, VolumeOptions};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A run under way.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    scratch: &'a Path,
    bench: Bench<'a>,
    bar: ProgressBar,
    points: Vec<Measured>,
}

impl<'a> Sweep<'a> {
    /// One that works in this folder. The bar shows on standard error where that is a terminal.
    pub(super) fn new(
        scratch: &'a Path,
        duration: Duration,
        runtime: &'a Runtime,
        stop: &'a Stop,
        machine: &Machine,
    ) -> Result<Self> {
        let bench = Bench { duration, bytes_max: machine.point_bytes_max(), runtime, stop };
        let style = ProgressStyle::with_template("{bar:30.cyan} {pos}/{len} {msg}")
            .map_err(|error| TuneError::Report(error.to_string()))?;
        let bar = ProgressBar::new(0).with_style(style);
        Ok(Self { scratch, bench, bar, points: Vec::new() })
    }

    /// Measures everything.
    pub(super) fn run(mut self, plan: &Plan, allow_interval: bool) -> Result<Measurements> {
        let (methods, skipped) = self.methods()?;
        let first = methods.first().copied().unwrap_or_default();
        let base = plan.base(first);
        let axes = Axis::ALL.map(|axis| (axis, plan.points(axis, base, &methods)));
        let disk_loads = plan.disk_loads(base, &methods);
        let on_axes: usize = axes.iter().map(|(_, points)| points.len()).sum();
        // Three times the base.
        self.bar.set_length((raw::WRITE_BYTES.len() + on_axes + disk_loads.len() + 3) as u64);

        let raw = self.raw()?;
        self.measure(Part::Base, base)?;
        for (index, (axis, points)) in axes.iter().enumerate() {
            if index == Axis::ALL.len() / 2 {
                self.measure(Part::Base, base)?;
            }
            points.iter().try_for_each(|point| self.measure(Part::Axis(*axis), *point))?;
        }
        disk_loads.iter().try_for_each(|point| self.measure(Part::DiskLoad, *point))?;
        let wish = Wish { asked: plan.asked, allow_interval };
        self.final_runs(base, wish)?;
        self.bar.finish_and_clear();
        let recommendation = known(Recommendation::from(&self.points, wish))?;
        Ok(Measurements { raw, points: self.points, skipped, recommendation })
    }

    /// Measures what looks good until it was measured often enough, then all of it together, in turn with the base. More
    /// runs may change the choice: what is chosen then is measured too.
    fn final_runs(&mut self, base: Point, wish: Wish) -> Result<()> {
        let promising = loop {
            let promising = known(Recommendation::promising(&self.points, wish))?;
            let finalists = promising.finalists(&self.points, base, wish);
            if finalists.is_empty() {
                break promising.point(base, wish);
            }
            self.bar.inc_length(finalists.len() as u64);
            finalists.into_iter().try_for_each(|point| self.measure(Part::Again, point))?;
        };
        if promising == base {
            return self.measure(Part::Base, base);
        }
        self.bar.inc_length(2 * RUNS as u64);
        for _ in 0..RUNS {
            self.measure(Part::Together, promising)?;
            self.measure(Part::Base, base)?;
        }
        Ok(())
    }

    /// The methods that this machine takes on this directory, and why it refuses the others.
    fn methods(&self) -> Result<(Vec<DiskMethod>, Vec<String>)> {
        let (mut methods, mut skipped) = (Vec::new(), Vec::new());
        for disk in DISK_METHODS {
            let folder = self.folder()?;
            let opened = Volume::open(VolumeOptions { disk, ..VolumeOptions::new(&folder) });
            match opened.and_then(|volume| volume.close()) {
                Ok(()) => methods.push(disk),
                Err(error) => skipped.push(format!("disk method {}: {error}", disk_name(disk))),
            }
            remove(&folder)?;
        }
        if methods.is_empty() {
            return Err(TuneError::NoMethod(skipped.join("; ")));
        }
        Ok((methods, skipped))
    }

    fn raw(&self) -> Result<Vec<raw::RawWrites>> {
        let measure = |bytes| {
            self.bar.set_message("the disk alone");
            let found = raw::measure(self.scratch, bytes, self.bench.duration, self.bench.stop);
            self.bar.inc(1);
            found
        };
        raw::WRITE_BYTES.into_iter().map(measure).collect()
    }

    fn measure(&mut self, part: Part, point: Point) -> Result<()> {
        self.bar.set_message(point.description());
        let folder = self.folder()?;
        let figures = self.bench.measure(&folder, &point);
        remove(&folder)?;
        self.points.push(Measured { part, point, figures: figures? });
        self.bar.inc(1);
        Ok(())
    }

    /// An empty folder; there is one at a time.
    fn folder(&self) -> Result<PathBuf> {
        let folder = self.scratch.join("volume");
        std::fs::create_dir(&folder)
            .map_err(|error| TuneError::file("make the folder", &folder, error))?;
        Ok(folder)
    }
}

fn known(found: Option<Recommendation>) -> Result<Recommendation> {
    found.ok_or_else(|| TuneError::Report("the base was not measured".into()))
}

fn remove(folder: &Path) -> Result<()> {
    std::fs::remove_dir_all(folder).map_err(|error| TuneError::file("remove", folder, error))
}
