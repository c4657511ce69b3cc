//! Changes of the catalogue, as `docs/DISK_FORMAT.md` shows them.

use super::*;
use crate::{format::golden_test::check_example, log::Position, stream::golden_test};
use bytes::Bytes;

fn record(change: &Change) -> Vec<u8> {
    let change = encode(change);
    let mut record = u32::try_from(change.len()).unwrap().to_le_bytes().to_vec();
    record.extend_from_slice(&change);
    record
}

#[test]
fn the_page_shows_the_changes_that_are_written() {
    let config = golden_test::config();
    let put = record(&Change::Put(config.clone()));
    check_example("Catalogue change", &put);
    let all = Change::All { streams: Vec::new(), removed: Vec::new() };
    for (variant, change) in [(0, Change::Put(config.clone())), (1, Change::Remove(5)), (2, all)] {
        assert_eq!(record(&change)[6], variant);
    }
    let body = FrameBody {
        base_position: Position(0),
        base_sequence: 0,
        count: 1,
        records: Bytes::from(put),
    };
    let (mut entries, mut damage) = (Entries::default(), Vec::new());
    replay(&body, &mut entries, &mut |what| damage.push(what.to_owned()));
    assert_eq!(entries.streams.into_values().collect::<Vec<_>>(), [config]);
    assert!(damage.is_empty(), "{damage:?}");
}
