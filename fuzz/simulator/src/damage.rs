//! A volume at rest, and damage of copies of it: bytes, zeros, files cut, emptied, removed, or in the place of others.
//! Not here: what a damaged volume has to be (`damage_check`), crashes (`restart`).

use crate::{damage_check::Damaged, random::Random, tracked::Told, world::World};
use anyhow::{Context as _, Result};
use headwater_storage::{Volume, testing::SimulatedDisk};
use std::{ops::Range, path::PathBuf};

/// Damaged copies of one volume.
const POINTS: u64 = 12;

/// How the volume came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Closed,
    Killed,
    PowerCut,
}

/// What was done to a file.
#[derive(Debug)]
pub(crate) enum Change {
    Byte(usize),
    Zeros(Range<usize>),
    Cut(Range<usize>),
    Emptied,
    Removed,
    SwappedWith(#[expect(dead_code, reason = "only shown")] PathBuf),
}

impl Change {
    /// Which bytes of the file are not what they were, at most; `None` where others are there.
    pub(crate) fn bytes(&self) -> Option<Range<usize>> {
        match self {
            Self::Byte(at) => Some(*at..*at + 1),
            Self::Zeros(bytes) | Self::Cut(bytes) => Some(bytes.clone()),
            Self::Emptied | Self::Removed => Some(0..usize::MAX),
            Self::SwappedWith(_) => None,
        }
    }
}

/// One piece of damage.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) file: PathBuf,
    pub(crate) change: Change,
}

/// One piece of damage, with a hand on the disk.
fn damage(disk: &SimulatedDisk, files: &[PathBuf], random: &mut Random) -> Option<Piece> {
    let file = random.pick(files)?.clone();
    let mut bytes = disk.content(&file)?;
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes.get(*at) != Some(&0)).collect();
    let at = random.pick(&written).copied().unwrap_or(0);
    let change = match random.below(9) {
        0..4 => {
            let byte = bytes.get_mut(at)?;
            *byte ^= 1 + random.below(255) as u8;
            Change::Byte(at)
        }
        4 => {
            let count = usize::try_from(1 + random.below(5000)).ok()?;
            bytes.iter_mut().skip(at).take(count).for_each(|byte| *byte = 0);
            Change::Zeros(at..at + count)
        }
        5 => {
            let cut = at..bytes.len();
            bytes.truncate(at);
            Change::Cut(cut)
        }
        6 => {
            bytes.clear();
            Change::Emptied
        }
        7 => {
            disk.remove(&file).ok()?;
            return Some(Piece { file, change: Change::Removed });
        }
        _ => {
            let other = random.pick(files)?.clone();
            let content = disk.content(&other)?;
            disk.replace(&other, &bytes).ok()?;
            bytes = content;
            Change::SwappedWith(other)
        }
    };
    disk.replace(&file, &bytes).ok()?;
    Some(Piece { file, change })
}

impl World {
    /// Brings the volume to rest, damages copies of it, and looks at each.
    pub(crate) fn damage_copies(&mut self, random: &mut Random) -> Result<()> {
        let rests = [Rest::Closed, Rest::Killed, Rest::PowerCut];
        let rest = random.pick(&rests).copied().unwrap_or(Rest::Closed);
        // Whatever a power cut could take back is synced first: this is about damage.
        self.volume()?.checkpoint()?;
        if rest != Rest::Closed && random.one_in(2) {
            self.append_to_origins(random)?;
        }
        let seed = random.number();
        let at_rest = match rest {
            Rest::Closed => {
                self.copies.abandon();
                let volume = self.volume.take().context("a volume")?;
                for tracked in self.streams.values_mut() {
                    tracked.stop_following();
                }
                volume.close()?;
                drop(volume);
                self.disk.restart(seed)
            }
            Rest::Killed => self.disk.kill(seed),
            Rest::PowerCut => self.disk.restart(seed),
        };
        self.copies.abandon();
        drop::<Option<Volume>>(self.volume.take());
        for _ in 0..POINTS {
            let disk =
                if rest == Rest::Killed { at_rest.kill(seed) } else { at_rest.restart(seed) };
            let files = disk.paths();
            let mut pieces = Vec::new();
            for _ in 0..1 + random.below(3) * random.below(2) {
                pieces.extend(damage(&disk, &files, random));
            }
            let what = self.with_names(format!("{rest:?} {pieces:?}"));
            self.note(format_args!("damage: {what}"));
            Damaged { world: self, before: &at_rest, disk: &disk, pieces: &pieces, rest }
                .check()
                .with_context(|| what)?;
            self.counts.damage += 1;
        }
        self.disk = at_rest;
        Ok(())
    }

    /// Puts the names of streams in the place of the numbers of their logs.
    fn with_names(&self, mut text: String) -> String {
        for tracked in self.streams.values() {
            if let Some(incarnation) = tracked.incarnation {
                text = text.replace(&format!("{incarnation:032x}"), &tracked.name);
            }
        }
        text
    }

    /// Something that only the journal has synced.
    fn append_to_origins(&mut self, random: &mut Random) -> Result<()> {
        for name in self.streams.keys().cloned().collect::<Vec<_>>() {
            let tracked = self.tracked(&name)?;
            if tracked.has_interval() || tracked.in_memory() || !tracked.is_settled() {
                continue;
            }
            let now = self.tick_clock();
            let new = self.message(random);
            let (mut model, answers) = self.before(&name)?;
            let Ok(answer) = model.append(&new, now, self.latest) else { continue };
            let told = Told::Appended(answer.sequence, false, answer.time);
            let number = self.tracked(&name)?.push(Some(Ok(told)), Some(model));
            self.stream(&name)?.append_with(new, answers.callback(number));
        }
        self.settle().map(drop)
    }
}
