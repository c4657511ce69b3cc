//! Runs the measurements, each in a process of its own, round after round.
//!
//! Invariants: a measurement begins with nothing left to write of the one before it; who begins changes with each round.
//! Not here: what is measured (`plan`, `job`).

use crate::disturbance::Patience;
use crate::job::{End, Job, Values};
use crate::plan::{Measurement, Scale, Who, measurements};
use crate::results::{Figure, Figures};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The signal that a killed process ends by.
const KILLED: i32 = 9;

/// Runs jobs below a directory.
#[derive(Debug)]
pub(crate) struct Runner {
    place: tempfile::TempDir,
    made: u64,
    patience: Patience,
}

impl Runner {
    /// Works in a fresh folder below a directory, which goes when this is dropped.
    pub(crate) fn new(directory: &Path, patience: Patience) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let place = tempfile::Builder::new().prefix("headwater-rivals-").tempdir_in(directory)?;
        Ok(Self { place, made: 0, patience })
    }

    /// What is left of the patience, and how it went.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// A fresh folder.
    pub(crate) fn folder(&mut self) -> Result<PathBuf> {
        self.made += 1;
        let path = self.place.path().join(format!("d{}", self.made));
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Removes a folder and waits until nothing is left to write.
    pub(crate) fn remove(&self, folder: &Path) -> Result<()> {
        std::fs::remove_dir_all(folder)?;
        self.settle()
    }

    fn settle(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.place.path())?)?)
    }

    /// Runs all measurements; gives every figure, and what could not be measured.
    pub(crate) fn run(&mut self, scale: &Scale) -> Result<(Figures, Vec<String>)> {
        let all = measurements(scale);
        let (mut figures, mut failures) = (Figures::default(), Vec::new());
        for group in all.chunk_by(|one, next| one.group == next.group) {
            let mut prepared = BTreeMap::new();
            for round in 0..scale.rounds {
                for cell in group.chunk_by(|one, next| one.cell == next.cell) {
                    let first = round.checked_rem(cell.len()).unwrap_or_default();
                    let (front, back) = cell.split_at(first);
                    for measurement in back.iter().chain(front) {
                        eprintln!(
                            "{:?}, round {} of {}: {}, {}",
                            measurement.group,
                            round + 1,
                            scale.rounds,
                            measurement.cell,
                            name(measurement.who)
                        );
                        match self.measure(measurement, &mut prepared) {
                            Ok(values) => figures.add(measurement, values),
                            Err(error) => {
                                let who = name(measurement.who);
                                let failure = format!("{who}, {}: {error:#}", measurement.cell);
                                eprintln!("failed: {failure}");
                                failures.push(failure);
                            }
                        }
                    }
                }
            }
            for folder in prepared.into_values() {
                self.remove(&folder)?;
            }
        }
        Ok((figures, failures))
    }

    fn measure(
        &mut self,
        measurement: &Measurement,
        prepared: &mut BTreeMap<String, PathBuf>,
    ) -> Result<Values> {
        let Some(prepare) = &measurement.prepare else {
            return self.patiently(|runner| {
                let folder = runner.folder()?;
                let values = run_here(&measurement.job, &folder);
                runner.remove(&folder)?;
                values
            });
        };
        let key = serde_json::to_string(prepare)?;
        let folder = match prepared.get(&key) {
            Some(folder) => folder.clone(),
            None => {
                let folder = self.folder()?;
                run_here(prepare, &folder)?;
                prepared.insert(key, folder.clone());
                folder
            }
        };
        self.patiently(|runner| {
            runner.settle()?;
            if measurement.cold {
                evict(&folder)?;
            }
            if !measurement.on_a_copy {
                return run_here(&measurement.job, &folder);
            }
            let copy = runner.folder()?;
            // Keeps the holes of files that are mostly empty.
            let status = Command::new("cp")
                .args(["-a", "--sparse=auto"])
                .arg(folder.join("."))
                .arg(&copy)
                .status()?;
            ensure!(status.success(), "cp failed");
            let values = run_here(&measurement.job, &copy);
            runner.remove(&copy)?;
            values
        })
    }

    fn patiently(
        &mut self,
        mut measure: impl FnMut(&mut Self) -> Result<Values>,
    ) -> Result<Values> {
        let mut patience = self.patience.clone();
        let values = patience.measure(|| measure(self));
        self.patience = patience;
        values
    }
}

/// The short name of who is measured.
pub(crate) fn name(who: Who) -> &'static str {
    match who {
        Who::Disk => "disk",
        Who::Store(contestant) => contestant.profile().name,
        Who::HeadwaterBatch => "Headwater, one batch",
    }
}

/// The command that does a job in a folder, under another program if one is given.
pub(crate) fn command(job: &Job, folder: &Path, under: &[String]) -> Result<Command> {
    let this = std::env::current_exe()?;
    let mut command = match under.split_first() {
        None => Command::new(&this),
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&this);
            command
        }
    };
    command
        .args(["job", &serde_json::to_string(job)?])
        .arg(folder)
        .env_remove("RUST_BACKTRACE")
        .env("WALRUS_DATA_DIR", folder)
        .env("WALRUS_QUIET", "1");
    Ok(command)
}

fn run_here(job: &Job, folder: &Path) -> Result<Values> {
    let Output { status, stdout, stderr } = command(job, folder, &[])?.output()?;
    if matches!(job, Job::Fill { end: End::Killed, .. }) && status.signal() == Some(KILLED) {
        return Ok(Values::new());
    }
    if !status.success() {
        bail!("{status}: {}", String::from_utf8_lossy(&stderr).trim());
    }
    let text = String::from_utf8_lossy(&stdout);
    let line = text.lines().last().context("the process said nothing")?;
    serde_json::from_str(line).with_context(|| format!("not a result: {line}"))
}

/// Asks the system to forget the pages of every file in a folder. They are synced, so it can.
fn evict(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            evict(&path)?;
        } else {
            let file = File::open(&path)?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

impl Figures {
    fn add(&mut self, measurement: &Measurement, values: Values) {
        for (value, found) in values {
            let Measurement { group, cell, who, .. } = measurement;
            let place = self.0.iter_mut().find(|figure| {
                figure.group == *group
                    && figure.cell == *cell
                    && figure.who == *who
                    && figure.value == value
            });
            match place {
                Some(figure) => figure.rounds.push(found),
                None => {
                    let (group, cell, who) = (*group, cell.clone(), *who);
                    self.0.push(Figure { group, cell, who, value, rounds: vec![found] });
                }
            }
        }
    }
}
