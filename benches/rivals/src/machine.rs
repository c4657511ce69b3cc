//! The machine that was measured on.
//! Not here: what was measured.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What a reader must know to place the figures.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    file_system: String,
    disk: String,
    /// Added to a process's claim on the processor: below 0 the run goes before other work.
    nice: i32,
    /// Of the last minute, when the run began.
    load_average: String,
}

impl Machine {
    /// Looks at the machine and at the disk that a directory is on.
    pub(crate) fn look(directory: &Path) -> Result<Self> {
        let field = |path: &str, name: &str| {
            let text = fs::read_to_string(path).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let memory = field("/proc/meminfo", "MemTotal");
        let memory = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let (device, file_system) = mount(directory)?;
        Ok(Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: memory.unwrap_or_default() / (1024 * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system,
            disk: disk(&device),
            nice: rustix::process::nice(0)?,
            load_average: load_average(),
        })
    }

    /// One line each.
    pub(crate) fn lines(&self, load_average_after: &str) -> [(&'static str, String); 7] {
        let Self { processor, cores, memory_gib, kernel, file_system, disk, nice, load_average } =
            self;
        [
            ("processor", format!("{processor}, {cores} cores")),
            ("memory", format!("{memory_gib} GiB")),
            ("kernel", format!("Linux {kernel}")),
            ("file system", file_system.clone()),
            ("disk", disk.clone()),
            ("nice value of the run", nice.to_string()),
            ("load average before and after", format!("{load_average}, {load_average_after}")),
        ]
    }
}

/// That of the last minute.
pub(crate) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// Device, and type with options, of the file system that a folder is on: that of the longest mount point above it.
fn mount(folder: &Path) -> Result<(String, String)> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?, fields.next()?))
    });
    // Of mounts at the same place the last one is seen; `max_by_key` gives the last.
    let found = fields
        .filter(|(_, place, ..)| folder.starts_with(place))
        .max_by_key(|(_, place, ..)| place.len());
    Ok(found.map_or_else(Default::default, |(device, _, name, options)| {
        (device.to_owned(), format!("{name} ({options})"))
    }))
}

/// What the kernel says of a block device.
fn disk(device: &str) -> String {
    let name = device.trim_start_matches("/dev/");
    let setting = |file: &str| {
        let text = fs::read_to_string(format!("/sys/class/block/{name}/{file}")).ok()?;
        Some(text.trim().to_owned())
    };
    let Some(cache) = setting("queue/write_cache") else { return name.to_owned() };
    let model = setting("device/model").map(|model| format!(", {model}")).unwrap_or_default();
    let fua = if setting("queue/fua").as_deref() == Some("1") { "FUA" } else { "no FUA" };
    format!("{name}{model}; cache: {cache}; {fua}")
}
