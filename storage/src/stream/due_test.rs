//! Messages that are due: given when they are, once, with the next time in the same step; over restarts, indexes and
//! compaction.
//! Not here: what schedules publish (the server).

use super::stream_test::{TestClock, message, now, open};
use crate::{
    Error, NewMessage, Stream, StreamConfig, Timestamp, disk::SimulatedDisk, message::Fires,
    message::Rollup,
};

fn at(subject: &str, due: i64) -> NewMessage {
    let rollup = Some(Rollup::Subject);
    NewMessage { due: Some(Timestamp(due)), rollup, ..message(subject, &[1; 300]) }
}

fn fired(sequence: u64, next: Option<i64>) -> NewMessage {
    let next = next.map(Timestamp);
    let purge = next.is_none().then(|| "s.once".into());
    NewMessage { fires: Some(Fires { sequence, next }), purge, ..message("t", &[2; 300]) }
}

fn due(stream: &Stream, time: i64) -> Vec<(u64, i64)> {
    stream.due(Timestamp(time), 9).into_iter().map(|(at, due)| (at, due.0)).collect()
}

#[test]
fn what_is_due_is_done_once_and_outlives_restarts() {
    let (mut disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    clock.advance(1000);
    let mut volume = open(&disk, &clock).unwrap();
    let config = StreamConfig { name: "s".into(), allow_rollup: true, ..StreamConfig::default() };
    let mut stream = now(volume.create_stream(config)).unwrap();
    now(stream.append(at("s.once", 50))).unwrap();
    now(stream.append(at("s.again", 40))).unwrap();
    now(stream.append(at("s.replaced", 10))).unwrap();
    now(stream.append(at("s.replaced", 60))).unwrap();
    assert_eq!(stream.next_due(), Some(Timestamp(40)));
    assert_eq!(due(&stream, 50), [(2, 40), (1, 50)]);
    now(stream.append(fired(1, None))).unwrap();
    assert!(matches!(now(stream.append(fired(1, None))), Err(Error::MessageNotFound(1))));
    assert_eq!(due(&stream, 100), [(2, 40), (4, 60)]);
    now(stream.set_due(4, None)).unwrap();
    assert!(now(stream.set_due(4, None)).is_err());
    // So often that segments are sealed, indexed and written again.
    for round in 0..80_i64 {
        let before = 40 + round;
        assert_eq!(due(&stream, 200), [(2, before)], "round {round}");
        now(stream.append(fired(2, Some(before + 1)))).unwrap();
        if round % 3 == 0 {
            let last = stream.state().last_sequence;
            now(stream.delete(last)).unwrap();
        }
        volume.tick();
        if round % 10 == 5 {
            drop((stream, volume));
            disk = disk.restart(round as u64);
            volume = open(&disk, &clock).unwrap();
            assert!(volume.recovery().damage.is_empty());
            stream = volume.stream("s").unwrap();
        }
    }
    assert!(matches!(stream.get(1), Err(Error::MessageNotFound(1))));
    assert!(stream.get(2).is_ok() && stream.get(4).is_ok());
}

/// What is published under a schedule's subject before it comes for the last time stays: it is acknowledged.
#[test]
fn the_last_time_takes_away_no_more_than_what_was_due() {
    let (disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let volume = open(&disk, &clock).unwrap();
    let stream = now(volume.create_stream(StreamConfig {
        name: "s".into(),
        allow_rollup: true,
        ..StreamConfig::default()
    }));
    let stream = stream.unwrap();
    now(stream.append(message("s.once", b"before"))).unwrap();
    now(stream.append(NewMessage { rollup: None, ..at("s.once", 50) })).unwrap();
    now(stream.append(message("s.once", b"after"))).unwrap();
    now(stream.append(fired(2, None))).unwrap();
    drop((stream, volume));
    let volume = open(&disk.restart(3), &clock).unwrap();
    let stream = volume.stream("s").unwrap();
    assert!(stream.get(1).is_err() && stream.get(2).is_err());
    assert_eq!(stream.get(3).unwrap().payload, b"after"[..]);
}
