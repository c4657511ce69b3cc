//! Damage of a volume at rest: after it, the volume opens, what it serves is what was stored, what is missing is said, and it
//! goes on.
//!
//! Known and accepted, as in `docs/GUARANTEES.md`: damage of a frame that held a removal may bring removed messages back (it
//! is named); the end of the journal, which no later round vouches for, cannot be told from a torn write.
//! Not here: crashes (`restart`).

use crate::{
    copy_check::Ever,
    model::Stored,
    random::Random,
    tracked::{observe, stored},
    world::{World, at_once},
};
use anyhow::{Context as _, Result, ensure};
use headwater_storage::{
    Error, NewMessage, Stream, Volume,
    testing::{self, SimulatedDisk},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Damaged copies of one volume.
const POINTS: u64 = 12;

/// How the volume came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Closed,
    Killed,
    PowerCut,
}

/// One piece of damage, with a hand on the disk.
fn damage(
    disk: &SimulatedDisk,
    files: &[PathBuf],
    random: &mut Random,
) -> Option<(String, PathBuf)> {
    let file = random.pick(files)?.clone();
    let mut bytes = disk.content(&file)?;
    let len = bytes.len() as u64;
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes.get(*at) != Some(&0)).collect();
    let at = random.pick(&written).copied().unwrap_or(0);
    let what = match random.below(9) {
        0..4 => {
            let byte = bytes.get_mut(at)?;
            *byte ^= 1 + random.below(255) as u8;
            format!("byte {at}")
        }
        4 => {
            let count = usize::try_from(1 + random.below(5000)).ok()?;
            bytes.iter_mut().skip(at).take(count).for_each(|byte| *byte = 0);
            format!("{count} zeros at {at}")
        }
        5 => {
            bytes.truncate(at);
            format!("cut at {at} of {len}")
        }
        6 => {
            bytes.clear();
            "emptied".to_owned()
        }
        7 => {
            disk.remove(&file).ok()?;
            return Some(("removed".to_owned(), file));
        }
        _ => {
            let other = random.pick(files)?.clone();
            let content = disk.content(&other)?;
            disk.replace(&other, &bytes).ok()?;
            bytes = content;
            format!("swapped with {}", other.display())
        }
    };
    disk.replace(&file, &bytes).ok()?;
    Some((what, file))
}

/// Every message that can be read, by each way of reading; errors of damage leave messages out.
fn served(stream: &Arc<Stream>, last: u64) -> Result<Ever> {
    let mut messages = Ever::new();
    let first = stream.state().first_sequence.max(1);
    for at in first..=last + 3 {
        match stream.get(at) {
            Ok(found) => drop(messages.insert(at, Arc::new(stored(&found)))),
            Err(Error::MessageNotFound(_) | Error::Damaged { .. }) => {}
            Err(error) => anyhow::bail!("get {at}: {error}"),
        }
    }
    let followed = observe(stream)?.messages;
    let same = followed.len() == messages.len()
        && followed.iter().all(|(at, one)| messages.get(at).is_some_and(|other| **other == *one));
    ensure!(same, "a tail and single reads differ");
    ensure!(stream.state().messages == messages.len() as u64, "the count differs");
    Ok(messages)
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
            self.examine_damaged(&disk, &pieces, rest).with_context(|| what)?;
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
            let told = crate::tracked::Told::Appended(answer.sequence, false, answer.time);
            let number = self.tracked(&name)?.push(Some(Ok(told)), Some(model));
            self.stream(&name)?.append_with(new, answers.callback(number));
        }
        self.settle().map(drop)
    }

    /// Opens a damaged volume twice, with an append to each stream in between.
    #[expect(clippy::too_many_lines, reason = "one account, from opening to opening")]
    fn examine_damaged(
        &self,
        disk: &SimulatedDisk,
        pieces: &[(String, PathBuf)],
        rest: Rest,
    ) -> Result<()> {
        let is_journal = |path: &Path| path.extension().is_some_and(|ending| ending == "jnl");
        // The rounds that were damaged may be the last ones.
        let may_be_silent = rest != Rest::Closed && pieces.iter().any(|(_, file)| is_journal(file));
        let volume = self.open(disk).context("a damaged volume does not open")?;
        while testing::commit(&volume) {}
        let report = volume.recovery().clone();
        // Which of several pieces took what, nobody can say in general: then only wrong bytes are looked for.
        let is_one = pieces.len() == 1 && !pieces.iter().any(|(what, _)| what.contains("swapped"));
        let may_be_silent = may_be_silent || !is_one;
        let is_said = !report.damage.is_empty() || !report.unreadable_streams.is_empty();
        let mut after = Vec::new();
        for tracked in self.streams.values().filter(|tracked| !tracked.in_memory()) {
            let name = &tracked.name;
            let Some(stream) = volume.stream(name) else {
                ensure!(is_said || may_be_silent, "{name}: gone without a word");
                continue;
            };
            let model = &tracked.base;
            let messages = served(&stream, model.last).with_context(|| name.clone())?;
            for (at, found) in &messages {
                let was_sent = is_said
                    && tracked
                        .never_acknowledged
                        .iter()
                        .any(|(gone, sent)| gone == at && sent == found);
                let is_stored = tracked.ever.get(at) == Some(found);
                ensure!(is_stored || was_sent, "{name}: {at} is not what was stored");
                let came_back = !model.messages.contains_key(at);
                ensure!(!came_back || is_said || may_be_silent, "{name}: {at} came back");
            }
            let state = stream.state();
            let lost: &[(u64, u64)] = &state.lost.sequences;
            let is_lost = |at: u64| lost.iter().any(|(first, last)| (*first..=*last).contains(&at));
            // What a removal that was lost brings back takes room from others.
            let came_back = messages.keys().any(|at| !model.messages.contains_key(at));
            let age = model.config.limits.age.is_some() || (came_back && is_said);
            for at in model.messages.keys().filter(|at| !messages.contains_key(at)) {
                // Copies of gaps at the end tell nobody how far they went.
                let is_beyond = *at > state.last_sequence;
                // A segment of which nothing is left goes, and what was lost in it is forgotten.
                let is_beyond = is_beyond || *at < state.first_sequence;
                ensure!(
                    is_lost(*at) || (is_said && is_beyond) || may_be_silent || age,
                    "{name}: {at} is missing without a word: {state:?} {report:?}"
                );
            }
            after.push((name.clone(), messages));
        }
        for target in self.copies.targets.values() {
            let Some(stream) = volume.stream(&target.config.name) else { continue };
            let last = target.seen.keys().next_back().copied().unwrap_or(0);
            for (at, found) in served(&stream, last)? {
                let name = &target.config.name;
                match target.seen.get(&at) {
                    Some(seen) => ensure!(*seen == found, "{name}: {at} is another message"),
                    // What a limit removed before it was ever read may come back.
                    None => ensure!(is_said, "{name}: {at} was never there"),
                }
            }
        }
        let mut appended: Vec<(String, u64, Stored)> = Vec::new();
        for (name, _) in &after {
            let stream = volume.stream(name).context("a stream")?;
            let new = NewMessage {
                subject: "after.damage".into(),
                payload: "goes on".into(),
                ..NewMessage::default()
            };
            match at_once(stream.append(new)) {
                Some(Ok(done)) => {
                    if let Ok(found) = stream.get(done.sequence) {
                        ensure!(found.payload == "goes on", "{name}: a wrong new message");
                        appended.push((name.clone(), done.sequence, stored(&found)));
                    }
                    let beyond = stream.state().lost.sequences;
                    let is_mixed = beyond.iter().any(|(_, last)| *last >= done.sequence);
                    ensure!(
                        !is_mixed || !is_one,
                        "{name}: the new message {} is in what is lost: {beyond:?} {report:?}",
                        done.sequence
                    );
                }
                Some(Err(error)) => {
                    let is_rule = crate::model::kind(&error) != "Disk";
                    ensure!(is_rule, "{name}: takes no message after damage: {error}");
                }
                None => anyhow::bail!("{name}: an append is never answered"),
            }
        }
        drop(volume);
        let volume = self.open(&disk.restart(3)).context("a second opening fails")?;
        while testing::commit(&volume) {}
        for (name, sequence, message) in appended {
            let stream = volume.stream(&name).with_context(|| format!("{name}: gone"))?;
            let found = stream.get(sequence).map(|found| stored(&found));
            let age = stream.config().limits.age.is_some();
            ensure!(
                age || found.as_ref().is_ok_and(|found| *found == message),
                "{name}: the new message {sequence} is not there after another start: {found:?}"
            );
        }
        let known: BTreeSet<_> = self.streams.keys().chain(self.copies.targets.keys()).collect();
        for stream in volume.streams() {
            let name = stream.config().name;
            ensure!(known.contains(&name) || is_said, "{name}: a stream that nobody made");
        }
        Ok(())
    }
}
