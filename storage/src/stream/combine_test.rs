//! Messages that build on the last one of their subject, while that is not durable, in batches, after deletes and restarts.
//! Not here: counters (the server).

use super::{
    Batch, Combine, Item, Last, Step,
    stream_test::{TestClock, message, now, open},
};
use crate::{Error, NewMessage, Result, StreamConfig, disk::SimulatedDisk};
use std::sync::Arc;

/// Adds a byte to the last payload; refuses a payload of its own.
#[derive(Debug)]
struct Longer;

impl Combine for Longer {
    fn combine(&self, last: Option<&Last>, message: &mut NewMessage) -> Result<()> {
        if &message.payload[..] == b"no" {
            return Err(Error::NotCombined { code: 7, what: "no".into() });
        }
        let mut payload = last.map_or(Vec::new(), |last| last.payload.to_vec());
        payload.extend_from_slice(&message.payload);
        message.payload = payload.into();
        Ok(())
    }
}

#[test]
fn increments_build_on_what_is_not_durable_yet() {
    let (mut disk, clock) = (SimulatedDisk::new(1), TestClock::default());
    let mut volume = open(&disk, &clock).unwrap();
    let mut stream =
        now(volume.create_stream(StreamConfig { name: "s".into(), ..StreamConfig::default() }))
            .unwrap();
    stream.combine_with(Arc::new(Longer));
    let payload = |stream: &crate::Stream, at| stream.get(at).unwrap().payload.to_vec();
    // None of the first is committed when the next is appended.
    for byte in b"abc" {
        stream.append_with(message("x", &[*byte]), |result| assert!(result.is_ok()));
        let told = Arc::default();
        let new = NewMessage { combined: Some(Arc::clone(&told)), ..message("y", &[*byte]) };
        stream.append_with(new, move |_| assert!(told.get().is_some()));
    }
    stream.append_with(message("x", b"no"), |result| {
        assert!(matches!(result, Err(Error::NotCombined { code: 7, .. })));
    });
    now(stream.append_all(vec![message("x", b"d"), message("y", b"!"), message("x", b"e")]))
        .unwrap();
    assert_eq!((payload(&stream, 5), payload(&stream, 9)), (b"abc".to_vec(), b"abcde".to_vec()));
    let step = |byte: &[u8]| Step { items: vec![Item::Append(message("x", byte))], progress: None };
    let steps = vec![step(b"f"), step(b"no"), step(b"g")];
    let outcome = now(stream.apply(Batch { expect_progress: None, steps })).unwrap();
    assert!(outcome.applied == 1 && outcome.refused.is_some());
    assert_eq!(payload(&stream, 10), b"abcdef");
    // What is deleted counts no more.
    now(stream.delete(10)).unwrap();
    now(stream.append(message("x", b"z"))).unwrap();
    assert_eq!(payload(&stream, 11), b"abcdez");
    drop((stream, volume));
    disk = disk.restart(1);
    volume = open(&disk, &clock).unwrap();
    stream = volume.stream("s").unwrap();
    stream.combine_with(Arc::new(Longer));
    now(stream.append(message("x", b"!"))).unwrap();
    assert_eq!(payload(&stream, 12), b"abcdez!");
}
