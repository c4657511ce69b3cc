//! The command line: `headwater serve` with nats-server's flags, and the client commands.
//!
//! Without a command the arguments are taken as those of `serve`, so that the program can be started in nats-server's
//! place. Not here: what the flags mean (`config::flags`).

mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A durable stream server for any NATS client.
#[derive(Debug, Parser)]
#[command(name = "headwater", version = crate::protocol::VERSION_TEXT, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; `headwater serve --help` lists its flags
    #[command(disable_help_flag = true)]
    Serve {
        /// Flags as nats-server has them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Load any NATS server and say how fast it was
    Bench(crate::bench::BenchOptions),
}

/// Runs the program; gives its exit status.
pub fn run() -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    if takes_server_flags(&args) {
        return serve::run(&args);
    }
    match Cli::parse().command {
        Command::Serve { flags } => serve::run(&flags),
        Command::Bench(options) => crate::bench::run(&options),
    }
}

/// Whether the arguments are those of nats-server: nothing at all, or flags it has. A flag that only the client commands
/// have (`headwater --server URL stream ls`) makes them a command's.
fn takes_server_flags(args: &[String]) -> bool {
    let asks_for_help = matches!(args, [only] if only == "-h" || only == "--help");
    let is_flag = |arg: &String| arg.starts_with('-');
    !asks_for_help && args.first().is_none_or(is_flag) && crate::config::flags::are_known(args)
}
