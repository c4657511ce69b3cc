//! What a copy has to be: a mirror is its origin (G4), a source copied once and in order (G5), what was seen of either stays
//! (G1, G2), and no copy holds what its origin lost.
//! Not here: who copies (`copies`), and what an origin had (`originals`).

use crate::{
    copies::Plan,
    model::{Stored, matches},
    observed::observe,
    originals::{Ever, source_of},
    tracked::{Answers, Told},
    world::World,
};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use headwater_replication::{
    SourceConfig,
    progress::{MIRROR_KEY, Progress, source_key},
};
use headwater_storage::{Error, NewMessage, Stream, StreamConfig, stream::SyncPolicy};
use std::{collections::BTreeMap, sync::Arc};

/// A message that was appended beside the copies.
#[derive(Debug)]
struct Own {
    payload: Bytes,
    /// Its sequence, once it is acknowledged.
    sequence: Option<u64>,
}

/// A stream that takes copies.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) config: StreamConfig,
    pub(crate) plan: Plan,
    /// Its creation was acknowledged, or it was found.
    pub(crate) exists: bool,
    /// What was read of it.
    pub(crate) seen: Ever,
    /// What was read of it before the last checkpoint.
    synced_last: u64,
    own: Vec<Own>,
    answers: Answers,
}

impl Target {
    pub(crate) fn new(config: StreamConfig, plan: Plan) -> Self {
        Self {
            config,
            plan,
            exists: false,
            seen: Ever::new(),
            synced_last: 0,
            own: Vec::new(),
            answers: Answers::default(),
        }
    }

    /// Notes a message of its own; gives what to call when it is stored.
    pub(crate) fn own(
        &mut self,
        new: &NewMessage,
    ) -> impl FnOnce(Result<headwater_storage::Appended, Error>) + Send + use<> {
        self.own.push(Own { payload: new.payload.clone(), sequence: None });
        self.answers.callback(self.own.len() as u64 - 1)
    }

    /// Whether this is one of its own.
    pub(crate) fn sent(&self, message: &Stored) -> bool {
        self.own.iter().any(|own| own.payload == message.payload)
    }

    pub(crate) fn collect(&mut self) -> Result<()> {
        for (number, answer) in self.answers.take() {
            let own = usize::try_from(number).ok().and_then(|number| self.own.get_mut(number));
            let own = own.context("an answer to nothing")?;
            if let Ok(Told::Appended(sequence, false, _)) = answer {
                own.sequence = Some(sequence);
            }
        }
        Ok(())
    }

    pub(crate) fn synced(&mut self) {
        self.synced_last = self.seen.keys().next_back().copied().unwrap_or(0);
    }

    /// After a restart: what the power cut may have taken is forgotten.
    pub(crate) fn restarted(&mut self, stream: &Arc<Stream>, power_was_cut: bool) -> Result<()> {
        self.answers = Answers::default();
        self.exists = true;
        if power_was_cut && matches!(self.config.sync, Some(SyncPolicy::Interval(_))) {
            let last = stream.state().last_sequence;
            ensure!(last >= self.synced_last, "{}: less than was synced", self.config.name);
            self.seen.split_off(&(last + 1));
        }
        Ok(())
    }

    /// What was seen is there; notes what is new. Gives all that is there.
    fn look(&mut self, stream: &Arc<Stream>) -> Result<(Ever, u64)> {
        let name = &self.config.name;
        let observed = observe(stream)?;
        let held: Ever =
            observed.messages.into_iter().map(|(at, stored)| (at, Arc::new(stored))).collect();
        let first = held.keys().next().copied().unwrap_or(observed.last + 1);
        if let Some(max) = self.config.limits.messages {
            ensure!(held.len() as u64 <= max, "{name}: more messages than the limit");
        }
        for (at, seen) in &self.seen {
            match held.get(at) {
                Some(found) => ensure!(found == seen, "{name}: {at} is another message now"),
                None => ensure!(
                    self.config.limits.messages.is_some() && *at < first,
                    "{name}: {at} was seen and is gone"
                ),
            }
        }
        self.seen.extend(held.iter().map(|(at, stored)| (*at, Arc::clone(stored))));
        Ok((held, observed.last))
    }

    /// Every message of the origin is here, once all is copied.
    pub(crate) fn check_complete(
        &self,
        stream: &Arc<Stream>,
        origin: &str,
        origin_stream: &Arc<Stream>,
    ) -> Result<()> {
        let held = observe(stream)?;
        let there = observe(origin_stream)?;
        let filter = match &self.plan {
            Plan::Mirror(config) => config.filter.clone(),
            Plan::Sources(sources) => {
                sources.iter().find(|each| each.name == origin).and_then(|each| each.filter.clone())
            }
        };
        let filter = filter.unwrap_or_else(|| ">".into());
        let wanted = there.messages.iter().filter(|(_, stored)| matches(&filter, &stored.subject));
        let first = held.messages.keys().next().copied().unwrap_or(held.last + 1);
        let is_limited = self.config.limits.messages.is_some();
        let sequences: std::collections::BTreeSet<u64> = match &self.plan {
            Plan::Mirror(_) => held.messages.keys().copied().collect(),
            Plan::Sources(_) => held
                .messages
                .values()
                .filter_map(|stored| source_of(&stored.headers))
                .filter(|source| {
                    source.name == origin
                        && source.identity
                            == headwater_replication::identity::identity_hash(
                                origin_stream.created(),
                            )
                })
                .map(|source| source.sequence)
                .collect(),
        };
        for (at, _) in wanted {
            ensure!(
                sequences.contains(at) || (is_limited && *at < first),
                "{}: lacks {at} of {origin} though it says that all is copied",
                self.config.name
            );
        }
        Ok(())
    }
}

impl World {
    /// Checks every copy against its origins.
    pub(crate) fn check_copies(&mut self) -> Result<()> {
        // Origins before their copies.
        for name in ["m0", "c0", "m1", "c1"] {
            let Some(stream) = self.volume()?.stream(name) else { continue };
            let Some(target) = self.copies.targets.get_mut(name) else { continue };
            let (held, last) = target.look(&stream)?;
            let target = self.copies.targets.get(name).context("a target")?;
            match &target.plan {
                Plan::Mirror(config) => {
                    let filter = config.filter.as_deref();
                    self.check_mirror(&stream, target, &config.name, filter, &held, last)?;
                }
                Plan::Sources(_) => self.check_sources(&stream, target, &held)?,
            }
            self.counts.copies += held.len() as u64;
        }
        Ok(())
    }

    fn check_mirror(
        &self,
        stream: &Arc<Stream>,
        target: &Target,
        origin: &str,
        filter: Option<&str>,
        held: &Ever,
        last: u64,
    ) -> Result<()> {
        let name = &target.config.name;
        let Some(progress) = stream.progress(MIRROR_KEY) else {
            ensure!(held.is_empty(), "{name}: copies without progress");
            return Ok(());
        };
        let progress = Progress::decode(MIRROR_KEY, &progress)?;
        let incarnation = progress.identity.incarnation.context("an identity")?.0;
        for (at, copy) in held {
            let mut originals = self.originals(origin, incarnation, *at);
            ensure!(originals.any(|one| one == copy), "{name}: {at} is not what {origin} has");
        }
        let Some(live) = self.volume()?.stream(origin) else { return Ok(()) };
        if live.incarnation().0 != incarnation {
            return Ok(());
        }
        let there = observe(&live)?;
        ensure!(last <= there.last, "{name}: holds what {origin} lost: {last} of {}", there.last);
        let first = held.keys().next().copied().unwrap_or(last + 1);
        for (at, original) in there.messages.range(..=last) {
            let is_wanted = filter.is_none_or(|filter| matches(filter, &original.subject));
            let is_limited = target.config.limits.messages.is_some() && *at < first;
            ensure!(!is_wanted || is_limited || held.contains_key(at), "{name}: lacks {at}");
        }
        Ok(())
    }

    fn check_sources(&self, stream: &Arc<Stream>, target: &Target, held: &Ever) -> Result<()> {
        let Plan::Sources(sources) = &target.plan else { return Ok(()) };
        let name = &target.config.name;
        // By name of the origin: the creation that is read and the sequence that came last.
        let mut at_origin: BTreeMap<String, Vec<(u128, u64)>> = BTreeMap::new();
        let mut own: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (at, copy) in held {
            let Some(source) = source_of(&copy.headers) else {
                let again = own.insert(&copy.payload, *at);
                ensure!(again.is_none(), "{name}: {at} is stored twice");
                continue;
            };
            let identity = (source.name.clone(), source.identity.clone());
            let incarnation = self.copies.identities.get(&identity);
            let incarnation = *incarnation.with_context(|| format!("{name}: {at} from nowhere"))?;
            let order = at_origin.entry(source.name.clone()).or_default();
            match order.last_mut() {
                Some((known, last)) if *known == incarnation => {
                    ensure!(
                        source.sequence > *last,
                        "{name}: {} of {} comes behind {last}",
                        source.sequence,
                        source.name
                    );
                    *last = source.sequence;
                }
                _ => {
                    let is_old = order.iter().any(|(known, _)| *known == incarnation);
                    ensure!(!is_old, "{name}: goes back to an earlier {}", source.name);
                    order.push((incarnation, source.sequence));
                }
            }
            ensure!(
                self.is_copy(copy, &source, incarnation),
                "{name}: {at} is not {} of {}",
                source.sequence,
                source.name
            );
        }
        for one in &target.own {
            let found = own.remove(&one.payload[..]);
            if let Some(acknowledged) = one.sequence {
                ensure!(found == Some(acknowledged), "{name}: {acknowledged} is not there");
            }
        }
        ensure!(own.is_empty(), "{name}: holds what nobody sent");
        self.check_progress(stream, name, sources, held)
    }

    /// What the progress of a target says was copied is there.
    fn check_progress(
        &self,
        stream: &Stream,
        name: &str,
        sources: &[SourceConfig],
        held: &Ever,
    ) -> Result<()> {
        for source in sources {
            let key = source_key(&source.index_name());
            let Some(progress) = stream.progress(&key) else { continue };
            let progress = Progress::decode(&key, &progress)?;
            let incarnation = progress.identity.incarnation.context("an identity")?.0;
            let Some(live) = self.volume()?.stream(&source.name) else { continue };
            if live.incarnation().0 != incarnation {
                continue;
            }
            let there = observe(&live)?;
            ensure!(progress.sequence <= there.last, "{name}: ahead of {}", source.name);
            let filter = source.filter.as_deref().unwrap_or(">");
            let copied: std::collections::BTreeSet<u64> = held
                .values()
                .filter_map(|copy| source_of(&copy.headers))
                .filter(|of| {
                    let identity = (of.name.clone(), of.identity.clone());
                    of.name == source.name
                        && self.copies.identities.get(&identity) == Some(&incarnation)
                })
                .map(|of| of.sequence)
                .collect();
            let due = there.messages.range(..=progress.sequence);
            for (at, _) in due.filter(|(_, stored)| matches(filter, &stored.subject)) {
                ensure!(copied.contains(at), "{name}: lacks {at} of {}", source.name);
            }
        }
        Ok(())
    }
}
