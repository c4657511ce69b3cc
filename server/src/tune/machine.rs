//! What the run was made on: processor, memory, kernel, and the file system below the directory.
//! Not here: what the disk can do (`raw`).

use super::error::{Result, TuneError};
use serde::Serialize;
use std::fs::read_to_string;
use std::path::Path;

/// Without so much room, in bytes, a run could fill the disk of somebody who has data there.
const ROOM_BYTES_MIN: u64 = 1 << 30;
/// One point may take such a part of what is free: every byte goes to the journal and to a segment.
const ROOM_PART: u64 = 4;
/// Longest a point writes, in bytes of payload.
const POINT_BYTES_MAX: u64 = 16 << 30;

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
    pub(super) kernel: String,
    pub(super) file_system: String,
    pub(super) device: String,
    pub(super) free_bytes: u64,
    /// Of the last minute before the run.
    pub(super) load_average: String,
    pub(super) time: String,
    pub(super) version: &'static str,
}

impl Machine {
    /// Looks at it; an error where there is too little room in the directory.
    pub(super) fn look(directory: &Path) -> Result<Self> {
        let room = rustix::fs::statvfs(directory)
            .map_err(|error| TuneError::file("look at", directory, error.into()))?;
        let free_bytes = room.f_bavail.saturating_mul(room.f_frsize);
        if free_bytes < ROOM_BYTES_MIN {
            let (free_mib, needed_mib) = (free_bytes >> 20, ROOM_BYTES_MIN >> 20);
            return Err(TuneError::NoRoom { free_mib, needed_mib });
        }
        let (file_system, device) = mount(directory);
        Ok(Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: memory_bytes(&field("/proc/meminfo", "MemTotal")),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
            file_system,
            device,
            free_bytes,
            load_average: load_average(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            version: crate::protocol::VERSION_TEXT,
        })
    }

    /// Bytes of payload that one point may write.
    pub(super) fn point_bytes_max(&self) -> u64 {
        (self.free_bytes / ROOM_PART).min(POINT_BYTES_MAX)
    }
}

/// The first line `name : value` of a file of the kernel; "unknown" where it is not there.
fn field(path: &str, name: &str) -> String {
    let text = read_to_string(path).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        line.split_once(':').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    });
    found.unwrap_or("unknown").to_owned()
}

fn memory_bytes(kilobytes: &str) -> u64 {
    kilobytes.trim_end_matches(" kB").parse().map_or(0, |kilobytes: u64| kilobytes * 1024)
}

fn load_average() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// File system and device of a directory.
fn mount(directory: &Path) -> (String, String) {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let table = read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount_in(&table, &directory).unwrap_or_else(|| ("unknown".into(), "unknown".into()))
}

/// The last mount with the longest path above the directory: later ones lie over earlier ones.
fn mount_in(table: &str, directory: &Path) -> Option<(String, String)> {
    let mounts = table.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let at = Path::new(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        let kind = (right.next()?.to_owned(), right.next()?.to_owned());
        directory.starts_with(at).then(|| (at.components().count(), kind))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_a_directory() {
        let table = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /data rw shared:1 master:2 - xfs /dev/vdb rw
24 22 0:22 / /database rw - tmpfs tmpfs rw
25 22 0:23 / /data rw - btrfs /dev/vdc rw";
        for (directory, expected) in [
            ("/", Some(("ext4", "/dev/vda"))),
            ("/srv", Some(("ext4", "/dev/vda"))),
            ("/data/a", Some(("btrfs", "/dev/vdc"))),
            ("/database", Some(("tmpfs", "tmpfs"))),
            ("elsewhere", None),
        ] {
            let found = mount_in(table, Path::new(directory));
            let found = found.as_ref().map(|(kind, device)| (kind.as_str(), device.as_str()));
            assert_eq!(found, expected, "{directory}");
        }
        assert_eq!(memory_bytes("2048 kB"), 2 << 20);
        assert_eq!(memory_bytes("unknown"), 0);
    }
}
