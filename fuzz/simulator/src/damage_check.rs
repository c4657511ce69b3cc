//! What a damaged volume has to be: it opens; what it serves is what was stored; what is missing is said; it goes on.
//!
//! Known and accepted, as in `docs/GUARANTEES.md`: damage of a frame that held a removal may bring removed messages back (it
//! is named), and limits then remove others; the end of the journal, which no later round vouches for, cannot be told from a
//! torn write. What was sent and never acknowledged may be there. With files in the place of
//! others nobody can say in general which took what: then only wrong bytes are looked for. Of several pieces of damage it is
//! not asked whether what is missing is said.
//! Not here: the damage (`damage`).

use crate::{
    cost::Cost,
    damage::{Change, Piece, Rest},
    model::{Stored, kind},
    observed::{observe, stored},
    originals::Ever,
    tracked::Tracked,
    world::{World, at_once},
};
use anyhow::{Context as _, Result, bail, ensure};
use headwater_storage::{
    Error, NewMessage, Stream, Volume,
    testing::{self, SimulatedDisk},
    volume::RecoveryReport,
};
use std::{collections::BTreeSet, sync::Arc};

/// Every message that can be read, by each way of reading; errors of damage leave messages out.
fn served(stream: &Arc<Stream>, last: u64) -> Result<Ever> {
    let mut messages = Ever::new();
    let first = stream.state().first_sequence.max(1);
    // What was sent and never acknowledged may be there, however far it went.
    let beyond = stream.held_from(last + 4, usize::MAX).into_iter().map(|(at, _)| at);
    for at in (first..=last + 3).chain(beyond) {
        match stream.get(at) {
            Ok(found) => drop(messages.insert(at, Arc::new(stored(&found)))),
            Err(Error::MessageNotFound(_) | Error::Damaged { .. }) => {}
            Err(error) => anyhow::bail!("get {at}: {error}"),
        }
    }
    let followed = observe(stream)?.messages;
    let same = followed.len() == messages.len()
        && followed.iter().all(|(at, one)| messages.get(at).is_some_and(|other| **other == *one));
    ensure!(
        same,
        "a tail and single reads differ: {:?} and {:?}",
        followed.keys().collect::<Vec<_>>(),
        messages.keys().collect::<Vec<_>>()
    );
    ensure!(stream.state().messages == messages.len() as u64, "the count differs");
    Ok(messages)
}

/// One damaged volume.
pub(crate) struct Damaged<'a> {
    pub(crate) world: &'a World,
    /// The disk without the damage.
    pub(crate) before: &'a SimulatedDisk,
    pub(crate) disk: &'a SimulatedDisk,
    pub(crate) pieces: &'a [Piece],
    pub(crate) rest: Rest,
}

impl Damaged<'_> {
    /// Opens it twice, with an append to each stream in between.
    pub(crate) fn check(&self) -> Result<()> {
        let volume = self.world.open(self.disk).context("a damaged volume does not open")?;
        while testing::commit(&volume) {}
        let report = volume.recovery().clone();
        let is_said = is_said(&report);
        let mut appended = Vec::new();
        for tracked in self.world.streams.values().filter(|tracked| !tracked.in_memory()) {
            let name = &tracked.name;
            let Some(stream) = volume.stream(name) else {
                ensure!(is_said || self.may_be_silent(), "{name}: gone without a word");
                continue;
            };
            let messages = served(&stream, tracked.base.last).with_context(|| name.clone())?;
            self.check_served(tracked, &messages, is_said)?;
            self.check_missing(tracked, &messages, &stream, &report)?;
            appended.extend(self.goes_on(name, &stream)?);
        }
        self.check_targets(&volume, is_said)?;
        drop(volume);
        let volume = self.world.open(&self.disk.restart(3)).context("a second opening fails")?;
        while testing::commit(&volume) {}
        for (name, sequence, message) in appended {
            let stream = volume.stream(&name).with_context(|| format!("{name}: gone"))?;
            let found = stream.get(sequence).map(|found| stored(&found));
            let may_expire = stream.config().limits.age.is_some();
            ensure!(
                may_expire || found.as_ref().is_ok_and(|found| *found == message),
                "{name}: the new message {sequence} is not there after another start: {found:?}"
            );
        }
        let (streams, targets) = (&self.world.streams, &self.world.copies.targets);
        let known: BTreeSet<_> = streams.keys().chain(targets.keys()).collect();
        for stream in volume.streams() {
            let name = stream.config().name;
            ensure!(known.contains(&name) || is_said, "{name}: a stream that nobody made");
        }
        Ok(())
    }

    /// One piece of damage, of which can be said what it takes.
    fn is_plain(&self) -> bool {
        matches!(self.pieces, [piece] if !matches!(piece.change, Change::SwappedWith(_)))
    }

    /// What each piece of damage may have cost.
    fn costs(&self) -> Vec<Cost> {
        let of = |piece: &Piece| {
            let bytes = piece.change.bytes();
            bytes.map_or(Cost::Unknown, |bytes| Cost::of(self.before, &piece.file, &bytes))
        };
        self.pieces.iter().map(of).collect()
    }

    /// Something may be missing without a word: the rounds that were damaged may be the last ones.
    fn may_be_silent(&self) -> bool {
        let mut files = self.pieces.iter().map(|piece| &piece.file);
        let is_journal = files.any(|file| file.extension().is_some_and(|ending| ending == "jnl"));
        !self.is_plain() || (is_journal && self.rest != Rest::Closed)
    }

    /// Nothing is served that was not stored.
    fn check_served(&self, tracked: &Tracked, messages: &Ever, is_said: bool) -> Result<()> {
        let name = &tracked.name;
        for (at, found) in messages {
            let mut sent = tracked.never_acknowledged.iter();
            let was_sent = is_said && sent.any(|(gone, sent)| gone == at && sent == found);
            let is_stored = tracked.ever.get(at) == Some(found);
            ensure!(
                is_stored || was_sent,
                "{name}: {at} is not what was stored: {found:?}, said: {is_said}"
            );
            let is_held = tracked.base.messages.contains_key(at);
            ensure!(is_held || is_said || self.may_be_silent(), "{name}: {at} came back");
        }
        Ok(())
    }

    /// What is missing is said.
    fn check_missing(
        &self,
        tracked: &Tracked,
        messages: &Ever,
        stream: &Arc<Stream>,
        report: &RecoveryReport,
    ) -> Result<()> {
        let (name, model) = (&tracked.name, &tracked.base);
        let came_back = messages.keys().any(|at| !model.messages.contains_key(at));
        if model.config.limits.age.is_some() || came_back {
            return Ok(());
        }
        let limits = &model.config.limits;
        let is_limited = limits.messages.is_some() || limits.bytes.is_some();
        let costs = self.costs();
        let log = stream.incarnation().0;
        let state = stream.state();
        let lost = &state.lost.sequences;
        let now = self.world.clock.now();
        let stays = |at: &&u64| !model.is_over(**at, now) || model.config.delete_marker.is_some();
        for at in model.messages.keys().filter(|at| !messages.contains_key(at)).filter(stays) {
            // What came back, and was over by then, may have pushed the oldest ones out.
            let is_pushed_out = is_limited && *at < state.first_sequence;
            ensure!(
                is_pushed_out || !costs.iter().all(|cost| cost.spares(log, *at)),
                "{name}: {at} is not in what was damaged, and is missing: {state:?} {report:?}"
            );
            if self.may_be_silent() {
                continue;
            }
            let is_lost = lost.iter().any(|(first, last)| (first..=last).contains(&at));
            // Gaps at the end tell nobody how far they went. A segment of which nothing is left goes, and what was lost in
            // it is forgotten.
            let is_outside = *at > state.last_sequence || *at < state.first_sequence;
            ensure!(
                is_lost || (is_said(report) && is_outside),
                "{name}: {at} is missing without a word: {state:?} {report:?}"
            );
        }
        Ok(())
    }

    /// A new message is taken, and is apart from what is lost. Gives it where the stream holds it.
    fn goes_on(&self, name: &str, stream: &Arc<Stream>) -> Result<Option<(String, u64, Stored)>> {
        let new = NewMessage {
            subject: "after.damage".into(),
            payload: "goes on".into(),
            ..NewMessage::default()
        };
        let done = match at_once(stream.append(new)) {
            Some(Ok(done)) => done,
            Some(Err(error)) => {
                let is_rule = kind(&error) != "Disk";
                ensure!(is_rule, "{name}: takes no message after damage: {error}");
                return Ok(None);
            }
            None => bail!("{name}: an append is never answered"),
        };
        let lost = stream.state().lost.sequences;
        let is_apart = lost.iter().all(|(_, last)| *last < done.sequence);
        ensure!(
            is_apart || !self.is_plain(),
            "{name}: the new message {} is in what is lost: {lost:?}",
            done.sequence
        );
        match stream.get(done.sequence) {
            Ok(found) => {
                ensure!(found.payload == "goes on", "{name}: a wrong new message");
                Ok(Some((name.to_owned(), done.sequence, stored(&found))))
            }
            // A limit took it.
            Err(Error::MessageNotFound(_)) => Ok(None),
            Err(error) => {
                bail!("{name}: the new message {} cannot be read: {error}", done.sequence)
            }
        }
    }

    /// Mirrors and sources serve what they had.
    fn check_targets(&self, volume: &Volume, is_said: bool) -> Result<()> {
        for target in self.world.copies.targets.values() {
            let name = &target.config.name;
            let Some(stream) = volume.stream(name) else { continue };
            let last = target.seen.keys().next_back().copied().unwrap_or(0);
            let messages = served(&stream, last)?;
            let (costs, log) = (self.costs(), stream.incarnation().0);
            let is_limited = target.config.limits.messages.is_some();
            let is_spared = |at: u64| costs.iter().all(|cost| cost.spares(log, at));
            let mut seen = target.seen.keys();
            let missing =
                seen.find(|at| !is_limited && !messages.contains_key(at) && is_spared(**at));
            ensure!(
                missing.is_none(),
                "{name}: {missing:?} is not in what was damaged, and is missing: {:?}",
                stream.state()
            );
            for (at, found) in messages {
                match target.seen.get(&at) {
                    // A file in the place of another may bring back what was sent before a crash, and once more after it.
                    Some(seen) => ensure!(
                        *seen == found
                            || (is_said
                                && !self.is_plain()
                                && self.world.may_be_sent(target, at, &found)),
                        "{name}: {at} is another message"
                    ),
                    // What a limit removed before it was ever read may come back.
                    None => ensure!(is_said, "{name}: {at} was never there"),
                }
            }
        }
        Ok(())
    }
}

fn is_said(report: &RecoveryReport) -> bool {
    !report.damage.is_empty() || !report.unreadable_streams.is_empty()
}
