//! The load generator behind `headwater bench`, for any NATS server.
//!
//! A run makes its streams, opens its connections, publishes with a bounded number in flight, and reads every answer
//! strictly: it must be an acknowledgement with a sequence, of the right stream, to a publish that is under way. Afterwards
//! the streams must hold what was acknowledged and each sequence must have come once. Anything else is reported and makes
//! the exit status 1, because a figure of a server that loses messages is worth nothing.
//!
//! It speaks the protocol itself, on plain sockets: a client library that makes a future of each publish would be slower
//! than the servers that are measured.
//! Not here: benchmarks of the engine without a server (the folder `benches`).

mod acknowledgement;
mod address;
mod client;
mod compare;
mod control;
mod core;
mod error;
mod incoming;
mod load;
mod options;
mod progress;
mod publisher;
mod report;
mod runner;
mod streams;
mod tally;
mod window;

pub use options::BenchOptions;
pub(crate) use report::{Grouped, Micros};

use address::Address;
use error::{BenchError, Result};
use options::BenchCommand;
use progress::Progress;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The server to load and who to be there, as the command line has it.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Address of the server; may hold user and password.
    pub server: &'a str,
    /// User name; a token where there is no password.
    pub user: Option<&'a str>,
    /// Password.
    pub password: Option<&'a str>,
}

/// Runs `headwater bench`; gives its exit status.
pub fn run(options: &BenchOptions, login: Login<'_>) -> ExitCode {
    match execute(options, login) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("headwater: {error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(options: &BenchOptions, login: Login<'_>) -> Result<bool> {
    let command = match &options.command {
        BenchCommand::Load(command) => command,
        BenchCommand::Compare(options) => return compare::run(options),
    };
    let address = Address::parse(login.server)?.with_credentials(login.user, login.password);
    let (load, is_json) = command.load();
    let progress = Progress::new(!is_json && std::io::stderr().is_terminal());
    let report = runtime(load.clients + load.subscribers)?
        .block_on(runner::run(&address, &load, &progress))?;
    if is_json {
        println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        print!("{report}");
    }
    Ok(report.is_clean)
}

/// A runtime with no more threads than there are connections: a thread that has nothing to do takes the server's time.
fn runtime(connections: usize) -> Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(connections.clamp(1, cores))
        .enable_all()
        .build()
        .map_err(BenchError::from)
}
