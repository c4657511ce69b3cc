//! Which points are measured: a base, and the values of each axis.
//! Not here: what looks promising after that (`recommendation`).

use super::point::{Axis, Payload, Point};
use headwater_storage::VolumeOptions;
use headwater_storage::stream::{Compression, SyncPolicy};
use headwater_storage::volume::DiskMethod;
use std::time::Duration;

/// A load in the middle: many clients, or one that does not wait for each answer.
const BASE_INFLIGHT: usize = 256;
const BASE_PAYLOAD_BYTES: usize = 1024;

/// Methods, the one that `auto` takes where it can first.
pub(super) const DISK_METHODS: [DiskMethod; 2] = [DiskMethod::Uring, DiskMethod::Posix];

/// The values of each axis.
#[derive(Debug)]
pub(super) struct Plan {
    /// The sync policy that was asked for: nothing weaker is recommended.
    pub(super) asked: SyncPolicy,
    inflight: &'static [usize],
    payload_bytes: &'static [usize],
    segment_bytes: &'static [u64],
    intervals_ms: &'static [u64],
    compression: &'static [(Compression, Payload)],
}

impl Plan {
    /// The full plan, or a short one.
    pub(super) fn new(is_quick: bool, asked: SyncPolicy) -> Self {
        const LZ4: Compression = Compression::Lz4;
        match is_quick {
            true => Self {
                asked,
                inflight: &[1, 2048],
                payload_bytes: &[128],
                segment_bytes: &[8 << 20],
                intervals_ms: &[100],
                compression: &[(LZ4, Payload::Text)],
            },
            false => Self {
                asked,
                inflight: &[1, 16, 2048],
                payload_bytes: &[128, 16 * 1024],
                segment_bytes: &[8 << 20, 256 << 20],
                intervals_ms: &[100, 1000],
                compression: &[
                    (LZ4, Payload::Text),
                    (LZ4, Payload::Random),
                    (Compression::None, Payload::Text),
                ],
            },
        }
    }

    /// The base: what the server does without a configuration, under a plain load.
    pub(super) fn base(&self, disk: DiskMethod) -> Point {
        Point {
            disk,
            inflight: BASE_INFLIGHT,
            payload_bytes: BASE_PAYLOAD_BYTES,
            segment_bytes: VolumeOptions::new("").segment_bytes,
            sync: SyncPolicy::Always,
            compression: Compression::None,
            payload: Payload::Random,
        }
    }

    /// The points of an axis, without the base. `methods` are those that the machine takes.
    pub(super) fn points(&self, axis: Axis, base: Point, methods: &[DiskMethod]) -> Vec<Point> {
        let points: Vec<_> = match axis {
            Axis::Disk => methods.iter().map(|&disk| Point { disk, ..base }).collect(),
            Axis::Inflight => {
                self.inflight.iter().map(|&inflight| Point { inflight, ..base }).collect()
            }
            Axis::MessageSize => {
                let point = |&payload_bytes| Point { payload_bytes, ..base };
                self.payload_bytes.iter().map(point).collect()
            }
            Axis::SegmentSize => {
                let point = |&segment_bytes| Point { segment_bytes, ..base };
                self.segment_bytes.iter().map(point).collect()
            }
            Axis::Sync => {
                let interval = |&ms| SyncPolicy::Interval(Duration::from_millis(ms));
                let point = |sync| Point { sync, ..base };
                let mut points: Vec<_> =
                    self.intervals_ms.iter().map(interval).map(point).collect();
                if !points.iter().any(|point| point.sync == self.asked) {
                    points.push(point(self.asked));
                }
                points
            }
            Axis::Compression => {
                let point = |&(compression, payload)| Point { compression, payload, ..base };
                self.compression.iter().map(point).collect()
            }
        };
        points.into_iter().filter(|point| *point != base).collect()
    }

    /// The other methods at the ends of the load: a method is not judged by the base alone.
    pub(super) fn disk_loads(&self, base: Point, methods: &[DiskMethod]) -> Vec<Point> {
        let others = methods.iter().filter(|method| **method != base.disk);
        let ends = || self.inflight.first().into_iter().chain(self.inflight.last());
        others
            .flat_map(|&disk| ends().map(move |&inflight| Point { disk, inflight, ..base }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_changes_one_thing() {
        for is_quick in [false, true] {
            let plan = Plan::new(is_quick, SyncPolicy::Interval(Duration::from_secs(7)));
            let base = plan.base(DiskMethod::Uring);
            for axis in Axis::ALL {
                let points = plan.points(axis, base, &DISK_METHODS);
                assert!(!points.is_empty(), "{axis:?}");
                for point in points {
                    let differing = Axis::ALL.iter().filter(|a| a.label(&point) != a.label(&base));
                    assert_eq!(differing.collect::<Vec<_>>(), [&axis], "{point:?}");
                }
            }
            let asked = plan.points(Axis::Sync, base, &DISK_METHODS);
            assert!(asked.iter().any(|point| point.sync == plan.asked));
            assert!(plan.points(Axis::Disk, base, &[DiskMethod::Uring]).is_empty());
        }
    }
}
