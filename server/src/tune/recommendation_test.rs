//! Which settings which figures speak for, as tables. The base is 1,000 messages/s with a p99 of 100 µs.

use super::super::point::Payload;
use super::*;
use std::time::Duration;

const ALWAYS: SyncPolicy = SyncPolicy::Always;
const MIB: u64 = 1 << 20;

fn interval(milliseconds: u64) -> SyncPolicy {
    SyncPolicy::Interval(Duration::from_millis(milliseconds))
}

fn base_point() -> Point {
    Point {
        disk: DiskMethod::Uring,
        inflight: 256,
        payload_bytes: 1024,
        segment_bytes: 64 * MIB,
        sync: ALWAYS,
        compression: Compression::None,
        payload: Payload::Random,
    }
}

fn measured(part: Part, point: Point, rate: f64, p99_us: f64) -> Measured {
    let figures = Figures {
        messages: 1000,
        seconds: 1.0,
        messages_per_second: rate,
        megabytes_per_second: rate / 1000.0,
        p50_us: p99_us / 2.0,
        p99_us,
        p999_us: p99_us * 2.0,
        max_us: p99_us * 3.0,
        disk_method: String::new(),
    };
    Measured { part, point, figures }
}

fn bases(rates: &[f64]) -> Vec<Measured> {
    rates.iter().map(|rate| measured(Part::Base, base_point(), *rate, 100.0)).collect()
}

/// What looks good before anything is measured again.
fn recommend(points: &[Measured], asked: SyncPolicy, allow_interval: bool) -> Recommendation {
    Recommendation::promising(points, Wish { asked, allow_interval }).unwrap()
}

const PLAIN: Wish = Wish { asked: ALWAYS, allow_interval: false };

fn reason<'a>(found: &'a Recommendation, about: &str) -> &'a str {
    &found.reasons.iter().find(|reason| reason.about == about).unwrap().text
}

#[test]
fn nothing_without_a_base_and_the_defaults_with_nothing_else() {
    let wish = Wish { asked: ALWAYS, allow_interval: true };
    assert!(Recommendation::promising(&[], wish).is_none());
    assert!(Recommendation::from(&[], wish).is_none());
    let found = recommend(&bases(&[1000.0]), ALWAYS, true);
    assert_eq!((found.disk, found.segment_bytes), (DiskMethod::Auto, 64 * MIB));
    assert_eq!((found.sync, found.base_spread), (ALWAYS, 0.0));
    assert_eq!(found.point(base_point(), wish), base_point());
}

#[test]
fn the_spread_is_that_of_the_base() {
    for (rates, spread, is_loud) in [
        (&[1000.0][..], 0.0, false),
        (&[950.0, 1000.0, 1100.0], 0.15, false),
        (&[1100.0, 1000.0, 800.0], 0.3, true),
    ] {
        let found = recommend(&bases(rates), ALWAYS, false);
        assert!((found.base_spread - spread).abs() < 1e-9, "{rates:?}");
        assert_eq!(reason(&found, "noise").contains("Run again"), is_loud, "{rates:?}");
    }
}

#[test]
fn segments_leave_the_default_for_more_than_noise() {
    for (base, small, large, expected) in [
        (&[1000.0][..], 1040.0, 900.0, 64),
        (&[1000.0], 1060.0, 900.0, 8),
        (&[1000.0], 1060.0, 1100.0, 256),
        (&[900.0, 1000.0, 1100.0], 1150.0, 1100.0, 64),
        (&[900.0, 1000.0, 1100.0], 1250.0, 1100.0, 8),
    ] {
        let mut points = bases(base);
        for (size, rate) in [(8, small), (256, large)] {
            let point = Point { segment_bytes: size * MIB, ..base_point() };
            points.push(measured(Part::Axis(Axis::SegmentSize), point, rate, 100.0));
        }
        let found = recommend(&points, ALWAYS, false);
        assert_eq!(found.segment_bytes, expected * MIB, "{base:?} {small} {large}");
    }
}

#[test]
fn a_disk_method_must_win_over_all_loads() {
    // Of posix, beside io_uring, with 256, 1 and 2048 in flight: throughput; and the p99 with one in flight.
    for (rates, p99_us, expected) in [
        ([1000.0, 1000.0, 1000.0], 100.0, DiskMethod::Auto),
        ([1200.0, 1200.0, 1200.0], 100.0, DiskMethod::Posix),
        ([1500.0, 700.0, 900.0], 100.0, DiskMethod::Auto),
        ([1200.0, 1200.0, 1200.0], 400.0, DiskMethod::Auto),
        ([700.0, 700.0, 700.0], 100.0, DiskMethod::Auto),
    ] {
        let mut points = bases(&[1000.0]);
        let posix = Point { disk: DiskMethod::Posix, ..base_point() };
        points.push(measured(Part::Axis(Axis::Disk), posix, rates[0], 100.0));
        for (inflight, rate, p99_us) in [(1, rates[1], p99_us), (2048, rates[2], 100.0)] {
            let uring = Point { inflight, ..base_point() };
            points.push(measured(Part::Axis(Axis::Inflight), uring, 1000.0, 100.0));
            let posix = Point { inflight, ..posix };
            points.push(measured(Part::DiskLoad, posix, rate, p99_us));
        }
        let found = recommend(&points, ALWAYS, false);
        assert_eq!(found.disk, expected, "{rates:?} {p99_us}");
        assert!(reason(&found, "disk").contains("mean of 3 loads"));
    }
}

#[test]
fn durability_is_given_away_only_where_that_is_allowed() {
    // Rates with a sync every 100 ms and every second.
    for (rates, asked, allow_interval, expected) in [
        ([3000.0, 3000.0], ALWAYS, false, ALWAYS),
        ([3000.0, 3000.0], ALWAYS, true, interval(100)),
        ([2000.0, 3000.0], ALWAYS, true, interval(1000)),
        ([1000.0, 1020.0], ALWAYS, true, ALWAYS),
        ([900.0, 3000.0], interval(5000), false, interval(5000)),
        ([900.0, 3000.0], interval(5000), true, interval(5000)),
        ([9000.0, 9000.0], interval(50), true, interval(50)),
    ] {
        let mut points = bases(&[1000.0]);
        for (milliseconds, rate) in [(100, rates[0]), (1000, rates[1])] {
            let point = Point { sync: interval(milliseconds), ..base_point() };
            points.push(measured(Part::Axis(Axis::Sync), point, rate, 100.0));
        }
        let found = recommend(&points, asked, allow_interval);
        assert_eq!(found.sync, expected, "{rates:?} {asked:?} {allow_interval}");
        let text = reason(&found, "sync_interval");
        assert!(text.contains("of the throughput"), "what an interval buys is said: {text}");
    }
}

fn again(points: &mut Vec<Measured>, point: Point, rates: &[f64]) {
    points.extend(rates.iter().map(|rate| measured(Part::Again, point, *rate, 100.0)));
}

/// Runs of what is measured together, each with one of the base behind it.
fn in_turn(points: &mut Vec<Measured>, point: Point, rates: &[(f64, f64)]) {
    for (together, base) in rates {
        points.push(measured(Part::Together, point, *together, 100.0));
        points.extend(bases(&[*base]));
    }
}

#[test]
fn a_lucky_run_is_measured_again() {
    let size = |mib: u64| Point { segment_bytes: mib * MIB, ..base_point() };
    let mut points = bases(&[1000.0, 1000.0]);
    points.push(measured(Part::Axis(Axis::SegmentSize), size(8), 1300.0, 100.0));
    points.push(measured(Part::Axis(Axis::SegmentSize), size(256), 1500.0, 100.0));
    let finalists = |points: &[Measured]| {
        recommend(points, ALWAYS, false).finalists(points, base_point(), PLAIN)
    };
    assert_eq!(finalists(&points), [size(256)]);
    again(&mut points, size(256), &[900.0]);
    assert_eq!(finalists(&points), [size(256)], "two runs are no three");
    again(&mut points, size(256), &[950.0]);
    assert_eq!(finalists(&points), [size(8)], "the next best has one run yet");
    again(&mut points, size(8), &[1200.0, 1250.0]);
    assert_eq!(finalists(&points), []);
    let found = recommend(&points, ALWAYS, false);
    assert_eq!(found.segment_bytes, 8 * MIB);
    assert!(reason(&found, "segment_size").contains("has 125 %"), "{found:?}");
}

#[test]
fn finalists_are_all_points_that_a_choice_rests_on() {
    let mut points = bases(&[1000.0]);
    let posix = Point { disk: DiskMethod::Posix, ..base_point() };
    points.push(measured(Part::Axis(Axis::Disk), posix, 1200.0, 100.0));
    let one = Point { inflight: 1, ..base_point() };
    points.push(measured(Part::Axis(Axis::Inflight), one, 1000.0, 100.0));
    let posix_one = Point { inflight: 1, ..posix };
    points.push(measured(Part::DiskLoad, posix_one, 1200.0, 100.0));
    let lazy = Point { sync: interval(100), ..base_point() };
    points.push(measured(Part::Axis(Axis::Sync), lazy, 3000.0, 100.0));
    let wish = Wish { asked: ALWAYS, allow_interval: true };
    let found = recommend(&points, ALWAYS, true);
    let finalists = found.finalists(&points, base_point(), wish);
    assert_eq!(finalists, [posix, posix_one, one, lazy]);
    assert_eq!(found.point(base_point(), wish), Point { sync: interval(100), ..posix });
    let strict = recommend(&points, ALWAYS, false);
    assert_eq!(strict.finalists(&points, base_point(), PLAIN), [posix, posix_one, one]);
}

#[test]
fn settings_are_recommended_where_they_are_good_together_too() {
    let small = Point { segment_bytes: 8 * MIB, ..base_point() };
    let posix = Point { disk: DiskMethod::Posix, ..base_point() };
    for (runs, is_kept, said) in [
        (&[(1300.0, 1000.0), (1310.0, 1000.0), (1290.0, 1000.0)][..], true, "so it is set"),
        (&[(1030.0, 1000.0), (1040.0, 1000.0), (1020.0, 1000.0)], false, "within the noise of 5 %"),
        (&[(800.0, 1000.0), (810.0, 1000.0), (790.0, 1000.0)], false, "80 % of the throughput"),
        // They lie further apart than they gain.
        (
            &[(1300.0, 1000.0), (1600.0, 1000.0), (1100.0, 1000.0)],
            false,
            "within the noise of 38 %",
        ),
        // The machine got faster for both: beside the runs before it is a gain, in turn it is none.
        (&[(1090.0, 1080.0), (1090.0, 1090.0), (1090.0, 1090.0)], false, "has 100 %"),
    ] {
        let mut points = bases(&[1000.0]);
        points.push(measured(Part::Axis(Axis::SegmentSize), small, 1200.0, 100.0));
        points.push(measured(Part::Axis(Axis::Disk), posix, 1200.0, 100.0));
        again(&mut points, small, &[1200.0, 1200.0]);
        again(&mut points, posix, &[1200.0, 1200.0]);
        let promising = recommend(&points, ALWAYS, false).point(base_point(), PLAIN);
        assert_eq!(promising, Point { segment_bytes: 8 * MIB, ..posix });
        in_turn(&mut points, promising, runs);
        let found = Recommendation::from(&points, PLAIN).unwrap();
        let expected =
            if is_kept { (DiskMethod::Posix, 8 * MIB) } else { (DiskMethod::Auto, 64 * MIB) };
        assert_eq!((found.disk, found.segment_bytes), expected, "{runs:?}");
        let text = reason(&found, "together");
        assert!(text.contains(said), "{runs:?}: {text}");
    }
}

#[test]
fn an_interval_that_gains_nothing_together_is_not_recommended() {
    for (rate, expected) in [(2000.0, interval(100)), (1010.0, ALWAYS)] {
        let wish = Wish { asked: ALWAYS, allow_interval: true };
        let mut points = bases(&[1000.0]);
        let lazy = Point { sync: interval(100), ..base_point() };
        points.push(measured(Part::Axis(Axis::Sync), lazy, 3000.0, 100.0));
        again(&mut points, lazy, &[3000.0, 3000.0]);
        in_turn(&mut points, lazy, &[(rate, 1000.0); RUNS]);
        assert_eq!(Recommendation::from(&points, wish).unwrap().sync, expected, "{rate}");
    }
}

#[test]
fn nothing_is_recommended_that_was_not_measured_together() {
    let mut points = bases(&[1000.0]);
    let small = Point { segment_bytes: 8 * MIB, ..base_point() };
    points.push(measured(Part::Axis(Axis::SegmentSize), small, 1200.0, 100.0));
    let found = Recommendation::from(&points, PLAIN).unwrap();
    assert_eq!(found.segment_bytes, 64 * MIB);
    assert!(reason(&found, "together").contains("was not measured together"));
}

#[test]
fn compression_is_advice() {
    let mut points = bases(&[1000.0]);
    let point = Point { compression: Compression::Lz4, payload: Payload::Text, ..base_point() };
    points.push(measured(Part::Axis(Axis::Compression), point, 1500.0, 100.0));
    let found = recommend(&points, ALWAYS, false);
    assert!(reason(&found, "compression").ends_with("lz4, text: 150 %."));
}

#[test]
fn what_looked_good_until_the_machine_turned_out_to_be_noisy_is_said() {
    let mut points = bases(&[1000.0]);
    let small = Point { segment_bytes: 8 * MIB, ..base_point() };
    points.push(measured(Part::Axis(Axis::SegmentSize), small, 1200.0, 100.0));
    again(&mut points, small, &[1200.0, 1200.0]);
    in_turn(&mut points, small, &[(1100.0, 1000.0), (1100.0, 600.0), (1100.0, 1000.0)]);
    let found = Recommendation::from(&points, PLAIN).unwrap();
    assert_eq!((found.disk, found.segment_bytes), (DiskMethod::Auto, 64 * MIB));
    assert!(reason(&found, "together").contains("segment size 8 MiB has 110 %"), "{found:?}");
}
