//! `headwater serve`: reads flags and configuration, starts the server, and runs it until a signal ends it.
//! Not here: what a signal does (`signals`).

use crate::config::{Invocation, flags};
use crate::{log, protocol, signals};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::ExitCode;

/// Runs it with the arguments after `serve`.
pub(super) fn run(args: &[String]) -> ExitCode {
    match flags::parse(args) {
        Ok(Invocation::Serve(options)) => return serve(*options),
        Ok(Invocation::Version) => println!("headwater: v{}", protocol::VERSION_TEXT),
        Ok(Invocation::Help) => {
            print!(
                "\nUsage: headwater serve [flags]\n\nFlags, with one dash or two:\n{}\n",
                flags::help()
            );
        }
        Ok(Invocation::Test(path)) => {
            println!("headwater: configuration file {} test is successful", path.display());
        }
        Ok(Invocation::Signal(name, process)) => {
            if let Err(error) = signals::send(&name, process.as_deref()) {
                return fail(&error);
            }
        }
        Err(error) => return fail(&error),
    }
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("headwater: {error}");
    ExitCode::FAILURE
}

fn serve(options: crate::Options) -> ExitCode {
    let log = match log::start(&options.log) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    if let Err(error) = raise_file_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(signals::run_until_stopped(options, log)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Each connection is an open file: takes as many of them as the process may have.
fn raise_file_limit() -> rustix::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
}
