//! The choice: which settings the measurements speak for. Pure, from figures to settings and sentences.
//!
//! Invariants: a setting leaves its default only where it gains more than the machine is noisy, alone and together with the
//! others, in the middle of three runs each; the sync policy is the one that was asked for, unless an interval is allowed.
//! Not here: what is measured (`plan`), the configuration file (`configuration`).

use super::load::Figures;
use super::point::{self, Axis, Point, bytes_text, disk_name, sync_name};
use super::survey::{Measured, Part};
use headwater_storage::stream::{Compression, SyncPolicy};
use headwater_storage::volume::DiskMethod;
use serde::Serialize;

/// Gains below this are not worth a setting, however quiet the machine is.
const NOISE_MIN: f64 = 0.05;
/// From here on the reader is told that the machine was busy.
const NOISE_LOUD: f64 = 0.25;

/// So often is measured what may be recommended: one run alone says little.
pub(super) const RUNS: usize = 3;

/// What to set, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Recommendation {
    /// `Auto` unless the other method is faster than what that takes.
    #[serde(serialize_with = "point::disk_text")]
    pub(super) disk: DiskMethod,
    pub(super) segment_bytes: u64,
    #[serde(serialize_with = "point::sync_text")]
    pub(super) sync: SyncPolicy,
    /// How far the throughput of the base points lay apart, as a part of the middle one.
    pub(super) base_spread: f64,
    /// A sentence for each decision.
    pub(super) reasons: Vec<Reason>,
}

/// Why a setting is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    pub(super) about: &'static str,
    pub(super) text: String,
}

/// What may be recommended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The policy that was asked for.
    pub(super) asked: SyncPolicy,
    /// Whether a weaker one will do.
    pub(super) allow_interval: bool,
}

/// The middle one of the base points by throughput; there is one as soon as the base was measured.
pub(super) fn middle_base(points: &[Measured]) -> Option<&Measured> {
    middle(points.iter().filter(|measured| measured.part == Part::Base))
}

/// The middle one by throughput.
fn middle<'a>(measured: impl Iterator<Item = &'a Measured>) -> Option<&'a Measured> {
    let mut all: Vec<_> = measured.collect();
    all.sort_by(|a, b| throughput(a).total_cmp(&throughput(b)));
    all.get(all.len() / 2).copied()
}

/// What was measured of a point for itself.
fn runs_of(points: &[Measured], point: Point) -> impl Iterator<Item = &Measured> {
    let is_alone = |part| matches!(part, Part::Axis(_) | Part::DiskLoad | Part::Again);
    points.iter().filter(move |measured| measured.point == point && is_alone(measured.part))
}

fn is_disk_alone(part: Part) -> bool {
    matches!(part, Part::Axis(Axis::Disk) | Part::DiskLoad)
}

impl Recommendation {
    /// What the points speak for, as far as the settings were measured one by one.
    pub(super) fn promising(points: &[Measured], wish: Wish) -> Option<Self> {
        let base = middle_base(points)?;
        let base_spread = spread(points, Part::Base, base);
        let choice = Choice { points, base, noise: base_spread.max(NOISE_MIN) };
        let (disk, disk_reason) = choice.disk();
        let (segment_bytes, segment_reason) = choice.segment();
        let (sync, sync_reason) = choice.sync(wish);
        let mut reasons = vec![disk_reason, segment_reason, sync_reason];
        reasons.extend(choice.compression());
        reasons.push(choice.noise(base_spread));
        Some(Self { disk, segment_bytes, sync, base_spread, reasons })
    }

    /// What the points speak for: what is promising, and was better than the defaults when it was measured together.
    pub(super) fn from(points: &[Measured], wish: Wish) -> Option<Self> {
        let base = middle_base(points)?;
        let mut chosen = Self::promising(points, wish)?;
        let choice = Choice { points, base, noise: chosen.base_spread.max(NOISE_MIN) };
        if let Some((is_confirmed, text)) = choice.together(chosen.point(base.point, wish)) {
            if !is_confirmed {
                chosen.disk = DiskMethod::Auto;
                chosen.segment_bytes = base.point.segment_bytes;
                chosen.sync = wish.asked;
            }
            chosen.reasons.push(Reason { about: "together", text });
        }
        Some(chosen)
    }

    /// The base point with these settings; with the sync policy where it is not simply the one that was asked for.
    pub(super) fn point(&self, base: Point, wish: Wish) -> Point {
        let disk = if self.disk == DiskMethod::Auto { base.disk } else { self.disk };
        let sync = if self.sync == wish.asked { base.sync } else { self.sync };
        Point { disk, segment_bytes: self.segment_bytes, sync, ..base }
    }

    /// The points that these settings rest on and that were measured less than `RUNS` times.
    pub(super) fn finalists(&self, points: &[Measured], base: Point, wish: Wish) -> Vec<Point> {
        let mut found = Vec::new();
        let disks = points.iter().filter(|run| is_disk_alone(run.part));
        for run in disks.filter(|run| run.point.disk == self.disk) {
            found.push(run.point);
            found.push(Point { disk: base.disk, ..run.point });
        }
        found.push(Point { segment_bytes: self.segment_bytes, ..base });
        found.push(Point { sync: self.point(base, wish).sync, ..base });
        found.retain(|point| *point != base && runs_of(points, *point).count() < RUNS);
        found
    }
}

fn throughput(measured: &Measured) -> f64 {
    measured.figures.messages_per_second
}

/// How far runs of a part lie apart, beside one of them.
fn spread(points: &[Measured], part: Part, beside: &Measured) -> f64 {
    let runs = || points.iter().filter(|measured| measured.part == part).map(throughput);
    let (least, most) = (runs().fold(f64::MAX, f64::min), runs().fold(0.0, f64::max));
    (most - least) / throughput(beside)
}

/// The decisions, each over the same points.
struct Choice<'a> {
    points: &'a [Measured],
    base: &'a Measured,
    /// Gains up to this part prove nothing.
    noise: f64,
}

impl Choice<'_> {
    fn figures(&self, point: Point) -> Option<&Figures> {
        if point == self.base.point {
            return Some(&self.base.figures);
        }
        middle(runs_of(self.points, point)).map(|found| &found.figures)
    }

    /// The points of an axis, of each the middle run.
    fn on(&self, axis: Axis) -> impl Iterator<Item = &Measured> {
        let first = self.points.iter().filter(move |measured| measured.part == Part::Axis(axis));
        first.filter_map(|first| middle(runs_of(self.points, first.point)))
    }

    fn gain(&self, measured: &Measured) -> f64 {
        throughput(measured) / throughput(self.base)
    }

    fn is_gain(&self, ratio: f64) -> bool {
        ratio > 1.0 + self.noise
    }

    /// The other method wins over all loads it was measured at, not at one of them, and not at the price of the tail.
    fn disk(&self) -> (DiskMethod, Reason) {
        let taken = disk_name(self.base.point.disk);
        let (disk, text) = match self.on(Axis::Disk).next().map(|other| other.point.disk) {
            None => {
                let text = format!("auto takes {taken} here; there was no other to compare.");
                (DiskMethod::Auto, text)
            }
            Some(other) => {
                let (name, (loads, rate, p99)) = (disk_name(other), self.beside_base(other));
                let found = format!(
                    "{name} has {} of the throughput of {taken} and {} of its p99 latency (mean of {loads} loads)",
                    percent(rate),
                    percent(p99),
                );
                match self.is_gain(rate) && p99 <= 1.0 + self.noise {
                    true => (other, format!("{found}: more than the noise.")),
                    false => (
                        DiskMethod::Auto,
                        format!("{found}: auto stays, which takes {taken} here."),
                    ),
                }
            }
        };
        (disk, Reason { about: "disk", text })
    }

    /// A disk method beside that of the base: the loads both were measured at, and the mean ratios of throughput and p99.
    fn beside_base(&self, disk: DiskMethod) -> (usize, f64, f64) {
        let others = self.points.iter().filter(|found| is_disk_alone(found.part));
        let pairs = others.filter(|found| found.point.disk == disk).filter_map(|found| {
            let beside = Point { disk: self.base.point.disk, ..found.point };
            Some((self.figures(found.point)?, self.figures(beside)?))
        });
        let pairs: Vec<_> = pairs.collect();
        let rate = |(other, base): &(&Figures, &Figures)| {
            other.messages_per_second / base.messages_per_second
        };
        let p99 = |(other, base): &(&Figures, &Figures)| other.p99_us / base.p99_us;
        (pairs.len(), mean(pairs.iter().map(rate)), mean(pairs.iter().map(p99)))
    }

    fn segment(&self) -> (u64, Reason) {
        let default = self.base.point.segment_bytes;
        let best =
            self.on(Axis::SegmentSize).max_by(|a, b| throughput(a).total_cmp(&throughput(b)));
        let (bytes, text) = match best {
            None => (default, "not measured.".to_owned()),
            Some(best) => {
                let (size, bytes) =
                    (bytes_text(best.point.segment_bytes), best.point.segment_bytes);
                let found = format!(
                    "{size}, the fastest other one, has {} of the throughput of the default, {}",
                    percent(self.gain(best)),
                    bytes_text(default),
                );
                match self.is_gain(self.gain(best)) {
                    true => (bytes, format!("{found}: more than the noise.")),
                    false => (default, format!("{found}: the default stays.")),
                }
            }
        };
        (bytes, Reason { about: "segment_size", text })
    }

    /// The shortest interval that is as good as the best one, where an interval is allowed and gains something.
    fn sync(&self, wish: Wish) -> (SyncPolicy, Reason) {
        let is_interval = |measured: &&Measured| measured.point.sync != SyncPolicy::Always;
        let intervals = || self.on(Axis::Sync).filter(is_interval);
        let most = intervals().map(|measured| self.gain(measured)).fold(0.0, f64::max);
        let good = intervals().filter(|measured| self.gain(measured) * (1.0 + self.noise) >= most);
        let best = good.min_by_key(|measured| interval_ns(measured.point.sync));
        let asked = sync_name(wish.asked);
        let (sync, text) = match best {
            None => (wish.asked, format!("{asked}, as asked; no interval was measured.")),
            Some(best) => {
                let (name, gain) = (sync_name(best.point.sync), self.gain(best));
                let found = format!(
                    "a sync every {name} instead of always has {} of the throughput and {} of the p99 latency",
                    percent(gain),
                    percent(best.figures.p99_us / self.base.figures.p99_us),
                );
                match (wish.allow_interval, wish.asked) {
                    (true, SyncPolicy::Always) if self.is_gain(gain) => (
                        best.point.sync,
                        format!(
                            "{found}, and an interval was allowed. A crash of the machine can take back {name} of acknowledged messages."
                        ),
                    ),
                    (true, SyncPolicy::Always) => (
                        wish.asked,
                        format!("{found}: too little to give durability away for; {asked} stays."),
                    ),
                    (false, SyncPolicy::Always) => (
                        wish.asked,
                        format!(
                            "{asked}, as nothing weaker was asked for; {found}, and a crash of the machine could take back {name} of acknowledged messages. --allow-interval would permit it."
                        ),
                    ),
                    (_, SyncPolicy::Interval(_)) => {
                        (wish.asked, format!("{asked}, as the configuration asks; {found}."))
                    }
                }
            }
        };
        (sync, Reason { about: "sync_interval", text })
    }

    /// Compression is a setting of each stream, so this is advice and no key.
    fn compression(&self) -> Option<Reason> {
        let mut found = Vec::new();
        for measured in self.on(Axis::Compression) {
            if measured.point.compression != Compression::None {
                let label = Axis::Compression.label(&measured.point);
                found.push(format!("{label}: {}", percent(self.gain(measured))));
            }
        }
        let text = format!(
            "a setting of each stream, so not in the file. Throughput beside no compression: {}.",
            found.join("; "),
        );
        (!found.is_empty()).then_some(Reason { about: "compression", text })
    }

    fn noise(&self, base_spread: f64) -> Reason {
        let verdict = match base_spread > NOISE_LOUD {
            true => {
                "That is a lot: something else used this machine or its disk. Run again when it is quiet, with more --seconds"
            }
            false => "Smaller differences are taken for noise",
        };
        let text = format!(
            "the same base point differed by {} over the run. {verdict}; a setting must gain more than {} to be recommended.",
            percent(base_spread),
            percent(self.noise),
        );
        Reason { about: "noise", text }
    }

    /// Settings that look good one by one must also be good together, beside the defaults in turn. Whether they are, and in
    /// words; `None` where the defaults are all there is.
    fn together(&self, chosen: Point) -> Option<(bool, String)> {
        let runs = || self.points.iter().filter(|measured| measured.part == Part::Together);
        let first = self.points.iter().position(|measured| measured.part == Part::Together);
        let Some((together, first)) = middle(runs()).zip(first) else {
            let what = "this turned out to be promising only at the end of the run, and was not measured together: the defaults stay. Run again";
            return (chosen != self.base.point).then(|| (false, what.to_owned()));
        };
        let in_turn = self.points.get(first..).and_then(middle_base).unwrap_or(self.base);
        let noise = self.noise.max(spread(self.points, Part::Together, together));
        let gain = throughput(together) / throughput(in_turn);
        let found = format!(
            "{} has {} of the throughput of the defaults (the middle of {} runs each, in turn)",
            together.point.difference(&self.base.point),
            percent(gain),
            runs().count(),
        );
        let noise_text = percent(noise);
        let (is_confirmed, text) = if gain > 1.0 + noise && together.point == chosen {
            (true, format!("{found}: more than the noise of {noise_text}, so it is set."))
        } else if gain > 1.0 + noise {
            let what = "but over the whole run its parts are within the noise";
            (false, format!("{found}, {what}: the defaults stay."))
        } else if gain >= 1.0 - noise {
            let what = format!("that is within the noise of {noise_text}");
            (false, format!("{found}: {what}, so the defaults stay."))
        } else {
            (false, format!("{found}: the defaults stay."))
        };
        Some((is_confirmed, text))
    }
}

/// The geometric mean; 1 of nothing.
fn mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        ratios.fold((0.0, 0.0), |(sum, count), ratio| (sum + ratio.ln(), count + 1.0));
    if count > 0.0 { f64::exp(sum / count) } else { 1.0 }
}

fn interval_ns(sync: SyncPolicy) -> u128 {
    match sync {
        SyncPolicy::Always => 0,
        SyncPolicy::Interval(interval) => interval.as_nanos(),
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

#[cfg(test)]
#[path = "recommendation_test.rs"]
mod tests;
