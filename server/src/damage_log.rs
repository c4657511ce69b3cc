//! What a start says of damage: the places, and what each stream lost with them.
//! Not here: how it is found (`headwater_storage`), what is found later, by a read (the engine says it itself).

use headwater_storage::Volume;

/// Ranges of lost sequences that are named of a stream; the rest is counted.
const RANGES_MAX: usize = 16;

/// Says what opening the volume found.
pub(crate) fn log(volume: &Volume) {
    let report = volume.recovery();
    if report.unclean {
        let rounds = report.rounds_replayed;
        tracing::warn!(
            "Recovered: the volume was not closed, or not with all of its streams; {rounds} rounds"
        );
    }
    for damage in &report.damage {
        tracing::error!("{damage}");
    }
    for stream in volume.streams() {
        if let Some(lost) = lost(&stream.state().lost.sequences) {
            tracing::error!("stream {:?} lost {lost} to damage", stream.config().name);
        }
    }
    for (stream, error) in &report.unreadable_streams {
        tracing::error!("stream {stream:?} cannot be opened: {error}");
    }
}

/// Lost sequences in words; `None` for none.
fn lost(ranges: &[(u64, u64)]) -> Option<String> {
    let count = |ranges: &[(u64, u64)]| {
        let sizes =
            ranges.iter().map(|(first, last)| last.saturating_sub(*first).saturating_add(1));
        sizes.fold(0_u64, u64::saturating_add)
    };
    let (named, rest) = ranges.split_at(ranges.len().min(RANGES_MAX));
    let range = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let named = named.iter().map(range).collect::<Vec<_>>().join(", ");
    let more = match rest.len() {
        0 => String::new(),
        ranges => format!(" and {} more in {ranges} ranges behind them", count(rest)),
    };
    match count(ranges) {
        0 => None,
        1 => Some(format!("sequence {named}")),
        all => Some(format!("{all} sequences: {named}{more}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_sequences_in_words() {
        for (ranges, expected) in [
            (vec![], None),
            (vec![(7, 7)], Some("sequence 7")),
            (vec![(7, 7), (10, 12)], Some("4 sequences: 7, 10-12")),
            (
                vec![(1, u64::MAX), (3, 9)],
                Some("18446744073709551615 sequences: 1-18446744073709551615, 3-9"),
            ),
        ] {
            assert_eq!(lost(&ranges).as_deref(), expected);
        }
        let many: Vec<(u64, u64)> = (0..1000).map(|at| (at * 10, at * 10 + 1)).collect();
        let text = lost(&many).unwrap();
        assert!(text.starts_with("2000 sequences: 0-1, 10-11, "), "{text}");
        assert!(text.ends_with(" 150-151 and 1968 more in 984 ranges behind them"), "{text}");
    }
}
