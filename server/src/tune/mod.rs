//! `headwater tune`: measures the engine's settings on one directory and recommends a configuration for it.
//!
//! It does not try every combination. A base point stands for the default configuration under a plain load; from there one
//! axis is changed at a time (`plan`). Every point opens a volume of its own in a scratch folder, appends for a while with
//! a bounded number under way, and closes it (`load`). The base is measured at the start, in the middle and at the end: how
//! far these differ is the noise of the machine, and a setting is recommended only where it gains more than that
//! (`recommendation`). What looks promising is measured again, alone and then together in turn with the base, three times
//! each.
//!
//! Invariants: the scratch folder is gone when the command ends, also after SIGINT and SIGTERM; what is recommended is never
//! less durable than what was asked for.
//! Not here: benchmarks of a server over sockets (`bench`), the engine's own benchmarks (the folder `benches`).

mod configuration;
mod error;
mod load;
mod machine;
mod options;
mod page;
mod payload;
mod plan;
mod plot;
mod point;
mod raw;
mod recommendation;
mod stop;
mod survey;
mod sweep;
mod text;

pub use options::TuneOptions;

use error::{Result, TuneError};
use machine::Machine;
use plan::Plan;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stop::Stop;
use survey::Survey;
use sweep::Sweep;

/// What the folder is called that is made below the current one when no directory is named.
const DEFAULT_DIRECTORY: &str = "headwater-data";

/// Runs `headwater tune`; gives its exit status.
pub fn run(options: &TuneOptions) -> ExitCode {
    match execute(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(options: &TuneOptions) -> Result<()> {
    let target = options.target()?;
    let _made = MadeDirectory::ensure(&target.directory)?;
    let directory = std::path::absolute(&target.directory)
        .map_err(|error| TuneError::file("use", &target.directory, error))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| TuneError::Start(error.to_string()))?;
    let stop = Stop::on_signals(&runtime)?;
    let plan = Plan::new(options.quick, target.sync);
    let scratch = tempfile::Builder::new()
        .prefix("headwater-tune-")
        .tempdir_in(&directory)
        .map_err(|error| TuneError::file("make a scratch folder in", &directory, error))?;
    let machine = Machine::look(&directory)?;
    let sweep = Sweep::new(scratch.path(), options.duration(), &runtime, &stop, &machine)?;
    let swept = sweep.run(&plan, options.allow_interval);
    let closed = scratch.close();
    let measured = swept?;
    closed.map_err(|error| TuneError::file("remove the scratch folder in", &directory, error))?;
    let survey = Survey::new(options, &directory, machine, measured)?;
    hand_out(options, &survey)
}

fn hand_out(options: &TuneOptions, survey: &Survey) -> Result<()> {
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| TuneError::file("write", path, error))
    };
    print!("{}", text::Summary(survey));
    write(&options.report, &page::render(survey)?)?;
    println!("\nReport: {}", options.report.display());
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(survey);
        write(path, &json.map_err(|error| TuneError::Report(error.to_string()))?)?;
        println!("JSON: {}", path.display());
    }
    if let Some(path) = &options.output {
        write(path, &survey.configuration)?;
        println!("Configuration: headwater serve -c {}", path.display());
    }
    Ok(())
}

/// A directory that is there while this lives; one that had to be made goes again if it is empty then.
struct MadeDirectory(Option<PathBuf>);

impl MadeDirectory {
    fn ensure(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self(None));
        }
        let made = std::fs::create_dir(path);
        made.map_err(|error| TuneError::file("make the directory", path, error))?;
        Ok(Self(Some(path.to_owned())))
    }
}

impl Drop for MadeDirectory {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Somebody may have put something there meanwhile: then it stays.
            let _ = std::fs::remove_dir(path);
        }
    }
}
