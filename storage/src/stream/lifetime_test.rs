//! Messages that go by themselves and the markers that take their place, against a plain model, over restarts, indexes of
//! segments and compaction.
//! Not here: crashes in the middle of a write (`stream_crash_test`), what clients ask for (the server).

use crate::{
    NewMessage, Stream, StreamConfig, Timestamp, Volume,
    disk::{Random, SimulatedDisk},
    message::{Lifetime, Rollup},
    stream::{
        DeleteMarker, Limits, OnPanic,
        stream_test::{TestClock, message, now, open},
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const MARKER_NS: i64 = 40;

/// A message as the model has it: subject, time, end of its lifetime, whether it is a marker.
type Kept = (String, i64, Option<i64>, bool);

#[derive(Debug, Default)]
struct Model {
    age: Option<i64>,
    has_markers: bool,
    messages: BTreeMap<u64, Kept>,
    last: u64,
}

impl Model {
    fn append(&mut self, subject: &str, lifetime: Lifetime, time: i64) {
        let end = match lifetime {
            Lifetime::Unset => None,
            Lifetime::Forever => Some(i64::MAX),
            Lifetime::For(lifetime) => Some(time + lifetime.as_nanos() as i64),
        };
        self.last += 1;
        self.messages.insert(self.last, (subject.to_owned(), time, end, false));
    }

    fn is_due(&self, (_, time, end, _): &Kept, now: i64) -> bool {
        let is_too_old = self.age.is_some_and(|age| *time <= now - age) && *end != Some(i64::MAX);
        is_too_old || end.is_some_and(|end| end <= now)
    }

    fn expire(&mut self, now: i64) {
        let due: Vec<u64> = self
            .messages
            .iter()
            .filter(|(_, kept)| self.is_due(kept, now))
            .map(|(at, _)| *at)
            .collect();
        let mut marked = Vec::new();
        for at in due {
            let (subject, _, _, is_marker) = self.messages.remove(&at).unwrap();
            let is_last = !self.messages.values().any(|(other, ..)| *other == subject);
            if self.has_markers && is_last && !is_marker {
                marked.push(subject);
            }
        }
        for subject in marked {
            self.last += 1;
            self.messages.insert(self.last, (subject, now, Some(now + MARKER_NS), true));
        }
    }
}

fn config(model: &Model) -> StreamConfig {
    let age = model.age.map(|age| Duration::from_nanos(age as u64));
    StreamConfig {
        name: "s".into(),
        limits: Limits { age, ..Limits::default() },
        lifetimes: true,
        allow_rollup: true,
        delete_marker: model.has_markers.then(|| DeleteMarker {
            headers: b"gone".to_vec(),
            lifetime: Duration::from_nanos(MARKER_NS as u64),
        }),
        ..StreamConfig::default()
    }
}

fn compare(stream: &Stream, model: &Model) {
    let held: Vec<u64> = model.messages.keys().copied().collect();
    let state = stream.state();
    assert_eq!((state.messages, state.last_sequence), (held.len() as u64, model.last));
    for (at, (subject, time, _, is_marker)) in &model.messages {
        let found = stream.get(*at).unwrap();
        assert_eq!((found.subject_str(), found.time.0), (subject.as_str(), *time), "{at}");
        assert_eq!(&found.headers[..], if *is_marker { &b"gone"[..] } else { b"" });
    }
}

fn lifetime(random: &mut Random) -> Lifetime {
    match random.below(5) {
        0 => Lifetime::Forever,
        1 | 2 => Lifetime::For(Duration::from_nanos(1 + random.below(300))),
        _ => Lifetime::Unset,
    }
}

fn run(seed: u64, age: Option<i64>, has_markers: bool) {
    let _told = OnPanic(format!("seed {seed}, age {age:?}, markers {has_markers}"));
    let (mut disk, clock) = (SimulatedDisk::new(seed), TestClock::default());
    clock.advance(1_000_000);
    let mut random = Random::new(seed);
    let mut model = Model { age, has_markers, ..Model::default() };
    let mut volume = open(&disk, &clock).unwrap();
    let mut stream: Arc<Stream> = now(volume.create_stream(config(&model))).unwrap();
    for step in 0..400 {
        let time = clock.now().0;
        match random.below(12) {
            0..=6 => {
                let (subject, lifetime) = (format!("a.{}", random.below(6)), lifetime(&mut random));
                let new = NewMessage { lifetime, ..message(&subject, &[7; 200]) };
                // Without markers an append takes what is too old with it.
                if age.is_some() && !has_markers {
                    volume.tick();
                    model.expire(time);
                }
                now(stream.append(new)).unwrap();
                model.append(&subject, lifetime, time);
            }
            7 => {
                let at = 1 + random.below(model.last.max(1));
                let is_there = model.messages.remove(&at).is_some();
                assert_eq!(now(stream.delete(at)).is_ok(), is_there);
            }
            8 => {
                drop((stream, volume));
                disk = disk.restart(step);
                volume = open(&disk, &clock).unwrap();
                stream = volume.stream("s").unwrap();
                assert!(volume.recovery().damage.is_empty());
            }
            9 => {
                let subject = format!("a.{}", random.below(6));
                let new = NewMessage { rollup: Some(Rollup::Subject), ..message(&subject, b"x") };
                if age.is_some() && !has_markers {
                    volume.tick();
                    model.expire(time);
                }
                now(stream.append(new)).unwrap();
                model.messages.retain(|_, (other, ..)| *other != subject);
                model.append(&subject, Lifetime::Unset, time);
            }
            _ => clock.advance(random.below(60) as i64),
        }
        volume.tick();
        model.expire(clock.now().0);
        compare(&stream, &model);
    }
}

#[test]
fn messages_go_when_their_lifetime_is_over() {
    for seed in 0..6 {
        for age in [None, Some(150)] {
            run(seed, age, false);
            run(seed, age, true);
        }
    }
}

#[test]
fn lifetimes_are_not_acted_on_unless_the_stream_says_so() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    clock.advance(1000);
    let volume: Volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), ..StreamConfig::default() };
    let stream = now(volume.create_stream(config.clone())).unwrap();
    let lifetime = Lifetime::For(Duration::from_nanos(5));
    now(stream.append(NewMessage { lifetime, ..message("a", b"") })).unwrap();
    clock.advance(100);
    volume.tick();
    assert_eq!(stream.state().messages, 1);
    now(stream.update(StreamConfig { lifetimes: true, ..config.clone() })).unwrap();
    assert_eq!(stream.state().messages, 0);
    // In a sealed stream too, but for those that a marker would have to replace.
    for has_markers in [false, true] {
        now(stream.append(NewMessage { lifetime, ..message("a", b"") })).unwrap();
        let marker = has_markers.then(DeleteMarker::default);
        let sealed = StreamConfig { lifetimes: true, delete_marker: marker, ..config.clone() };
        let name = if has_markers { "sealed with markers" } else { "sealed" };
        let other = now(volume.create_stream(StreamConfig { name: name.into(), ..sealed.clone() }))
            .unwrap();
        now(other.append(NewMessage { lifetime, ..message("a", b"") })).unwrap();
        now(other.update(StreamConfig { name: name.into(), sealed: true, ..sealed })).unwrap();
        clock.advance(100);
        volume.tick();
        assert_eq!(other.state().messages, u64::from(has_markers));
    }
    assert_eq!(clock.now(), Timestamp(1300));
}

#[test]
fn nothing_gives_way_to_a_message_whose_time_is_over() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), lifetimes: true, ..StreamConfig::default() };
    let stream = now(volume.create_stream(config.clone())).unwrap();
    for lifetime in [Lifetime::Unset, Lifetime::For(Duration::from_nanos(5)), Lifetime::Unset] {
        now(stream.append(NewMessage { lifetime, ..message("a", b"") })).unwrap();
    }
    clock.advance(10);
    let limits = Limits { messages_per_subject: Some(2), ..Limits::default() };
    now(stream.update(StreamConfig { limits, ..config })).unwrap();
    assert_eq!(stream.deleted(), [(2, 2)]);
    assert_eq!(stream.state().messages, 2);
}
