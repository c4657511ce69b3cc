//! Other work on the machine while something is measured, and waiting for it to end.
//!
//! Other work is what the processors did less what this program's processes and the kernel's own threads did, in
//! processors: 0.5 is half of one. The kernel's threads carry out direct writes of a measurement, which would else be taken
//! for other work.
//! Not here: what is measured (`runner`).

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// More other work than this disturbs.
const OTHER_MAX: f64 = 0.3;
/// How long is looked before a measurement.
const LOOK: Duration = Duration::from_millis(250);
/// Ticks of the clock that processor time is told in: `USER_HZ`.
const TICKS_PER_S: f64 = 100.0;
/// The parent of the kernel's threads, `kthreadd`.
const KERNEL_PARENT: &str = "2";
/// A shorter measurement cannot be judged by ticks.
const JUDGED_MIN: Duration = Duration::from_millis(200);

/// How much time may be spent on getting undisturbed measurements, and how it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Patience {
    left: Duration,
    /// Measurements that were made and kept.
    pub(crate) kept: u64,
    /// Those of them that other work disturbed.
    pub(crate) disturbed: u64,
}

impl Patience {
    /// So much time for all measurements together.
    pub(crate) fn of(left: Duration) -> Self {
        Self { left, kept: 0, disturbed: 0 }
    }

    /// Measures when nothing else runs, and again where something did, as long as there is time left.
    pub(crate) fn measure<T>(&mut self, mut measure: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            self.wait()?;
            let (begun, watch) = (Instant::now(), Watch::start()?);
            let found = measure()?;
            let (took, other) = (begun.elapsed(), watch.other()?);
            let is_disturbed = took > JUDGED_MIN && other > OTHER_MAX;
            if !is_disturbed || self.left.is_zero() {
                self.kept += 1;
                self.disturbed += u64::from(is_disturbed);
                return Ok(found);
            }
            self.left = self.left.saturating_sub(took);
        }
    }

    /// Whether so much was disturbed that the figures decide nothing.
    pub(crate) fn is_in_vain(&self) -> bool {
        self.disturbed * 4 > self.kept
    }

    fn wait(&mut self) -> Result<()> {
        while !self.left.is_zero() {
            let watch = Watch::start()?;
            sleep(LOOK);
            if watch.other()? <= OTHER_MAX {
                return Ok(());
            }
            self.left = self.left.saturating_sub(LOOK);
        }
        Ok(())
    }
}

/// Processor time since some moment.
struct Watch {
    begun: Instant,
    all: u64,
    own: u64,
    kernel: HashMap<u32, u64>,
}

impl Watch {
    fn start() -> Result<Self> {
        Ok(Self { begun: Instant::now(), all: all_ticks()?, own: own_ticks()?, kernel: kernel_ticks()? })
    }

    fn other(&self) -> Result<f64> {
        let (all, own) = (all_ticks()? - self.all, own_ticks()? - self.own);
        let before = |thread| self.kernel.get(thread).copied().unwrap_or(0);
        let kernel = kernel_ticks()?;
        let kernel = kernel.iter().map(|(thread, now)| now.saturating_sub(before(thread)));
        let other = all.saturating_sub(own + kernel.sum::<u64>());
        Ok(other as f64 / TICKS_PER_S / self.begun.elapsed().as_secs_f64())
    }
}

/// Sums numbers of a line of the kernel's.
fn sum<'a>(fields: impl Iterator<Item = &'a str>) -> Result<u64> {
    fields.map(|field| Ok(field.parse::<u64>()?)).sum()
}

/// What all processors did: user, nice, system, and after idle and iowait, irq, softirq and steal.
fn all_ticks() -> Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields = || text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    Ok(sum(fields().take(3))? + sum(fields().skip(5).take(3))?)
}

/// What this process and its ended children did.
fn own_ticks() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // User and system time, of the process and of ended children.
    sum(stat_fields(&text)?.skip(11).take(4))
}

/// What each thread of the kernel's did.
fn kernel_ticks() -> Result<HashMap<u32, u64>> {
    let mut ticks = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(process) = entry?.file_name().to_string_lossy().parse() else { continue };
        // One that has ended since is not there.
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        if stat_fields(&text)?.nth(1) == Some(KERNEL_PARENT) {
            ticks.insert(process, sum(stat_fields(&text)?.skip(11).take(2))?);
        }
    }
    Ok(ticks)
}

/// The fields of a `stat` file of a process after its name: its state, its parent, and so on. Times are from the twelfth.
fn stat_fields(text: &str) -> Result<impl Iterator<Item = &str>> {
    let (_, fields) = text.rsplit_once(") ").context("no name in a stat file")?;
    Ok(fields.split(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_work_is_no_other_work() {
        let (watch, begun) = (Watch::start().unwrap(), Instant::now());
        while begun.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(begun);
        }
        let own = (own_ticks().unwrap() - watch.own) as f64 / TICKS_PER_S;
        assert!(own > 0.02, "{own} s");
        assert!(all_ticks().unwrap() - watch.all >= own_ticks().unwrap() - watch.own - 2);
    }

    #[test]
    fn without_patience_everything_is_kept() {
        let (mut patience, mut count) = (Patience::of(Duration::ZERO), 0);
        patience
            .measure(|| {
                count += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!((count, patience.kept), (1, 1));
    }
}
