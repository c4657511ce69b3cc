//! The command line: `headwater serve` with nats-server's flags, and the client commands.
//!
//! Without a command the arguments are taken as those of `serve`, so that the program can be started in nats-server's
//! place. The client commands work against any NATS server; they know this program's own server only from outside, but
//! for the form of archives, which is nats-server's.
//! Not here: what the flags of the server mean (`config::flags`).

mod account;
mod api;
mod bar;
mod bucket;
mod check;
mod connection;
mod consumer;
mod credentials;
mod demo;
mod duration;
mod error;
mod events;
mod graph;
mod kv;
mod log;
mod message;
mod object;
mod publish;
mod request;
mod screen;
mod serve;
mod sheet;
mod size;
mod stream;
mod subscribe;
pub(crate) mod table;
mod template;
mod terminal;
mod time;

use account::AccountCommand;
use check::ServerCommand;
use clap::{Parser, Subcommand};
use connection::ConnectionFlags;
use consumer::ConsumerCommand;
use demo::DemoFlags;
use error::{ClientError, Result};
use events::EventFlags;
use kv::KvCommand;
use log::LogCommand;
use message::MessageFlags;
use object::ObjectCommand;
use std::process::ExitCode;
use stream::StreamCommand;
use subscribe::SubscribeFlags;

const EXAMPLES: &str = "\
Examples:
  headwater demo                          replication and a crash, shown and checked in some seconds
  headwater serve -js -sd data            a server on port 4222 that keeps its streams in ./data
  headwater stream add ORDERS --subjects 'ORDERS.*' --defaults
  headwater stream add ARCHIVE --source ORDERS --source RETURNS --defaults
  headwater stream add REPORT --mirror ARCHIVE --defaults
  headwater req ORDERS.new 'ORDER {{Count}}' --count 100
  headwater stream report --svg replication.svg
  headwater stream get ARCHIVE 1
  headwater stream backup ARCHIVE folder
  headwater consumer add ORDERS WORKER --pull --defaults
  headwater consumer next ORDERS WORKER --count 10
  headwater server check consumer --stream ORDERS --consumer WORKER --unprocessed-critical 1000
  headwater sub 'ORDERS.>'
  headwater log verify data               is a stopped server's directory what was written?
  headwater tune data --output tuned.conf measure the disk below ./data and recommend a configuration

`s` and `str` are short for `stream`, `c` and `con` for `consumer`. Without a command the flags are those of `serve`.";

/// A durable stream server for any NATS client.
#[derive(Debug, Parser)]
#[command(name = "headwater", version = crate::protocol::VERSION_TEXT, max_term_width = 100)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    connection: ConnectionFlags,
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
    /// Create, show, change and remove streams
    #[command(visible_aliases = ["s", "str"])]
    Stream {
        #[command(subcommand)]
        command: StreamCommand,
    },
    /// Create, show, read, pause and remove consumers
    #[command(visible_aliases = ["c", "con"])]
    Consumer {
        #[command(subcommand)]
        command: ConsumerCommand,
    },
    /// Key-value buckets: make them, and put, get and watch what they hold
    Kv {
        #[command(subcommand)]
        command: KvCommand,
    },
    /// Object stores: make them, and put and get files
    #[command(visible_alias = "obj")]
    Object {
        #[command(subcommand)]
        command: ObjectCommand,
    },
    /// Check, print, count or salvage a data directory that no server has open
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Publish messages
    #[command(alias = "publish")]
    Pub(MessageFlags),
    /// Send requests and print their answers
    #[command(visible_alias = "request")]
    Req(MessageFlags),
    /// Print messages as they are published
    #[command(alias = "subscribe")]
    Sub(SubscribeFlags),
    /// Print what a server says of its streams and consumers
    #[command(visible_alias = "event")]
    Events(EventFlags),
    /// Show the connection and the account
    #[command(visible_alias = "a")]
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Check a running server, a stream or a consumer
    #[command(visible_alias = "srv")]
    Server {
        #[command(subcommand)]
        command: ServerCommand,
    },
    /// Measure settings of the engine on a directory and recommend a configuration
    Tune(crate::tune::TuneOptions),
    /// Show replication and a crash on a server of its own, and check both
    Demo(DemoFlags),
}

/// Runs the program; gives its exit status.
pub fn run() -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    if takes_server_flags(&args) {
        return serve::run(&args);
    }
    // The flags after `serve` are the server's own, also those that the client commands have as well.
    if let [command, flags @ ..] = args.as_slice()
        && command == "serve"
    {
        return serve::run(flags);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error, &args),
    };
    match cli.command {
        Command::Serve { flags } => serve::run(&flags),
        Command::Bench(options) => match cli.connection.login() {
            Ok(login) => crate::bench::run(&options, login),
            Err(error) => exit_code(Err(error)),
        },
        Command::Log { command } => log::run(&command),
        Command::Tune(options) => crate::tune::run(&options),
        Command::Server { command } => check::run(&cli.connection, &command),
        command => exit_code(run_client(&cli.connection, &command)),
    }
}

/// Whether the arguments are those of nats-server: nothing at all, or flags it has. A flag that only the client commands
/// have (`headwater --server URL stream ls`) makes them a command's.
fn takes_server_flags(args: &[String]) -> bool {
    let asks_for_help = matches!(args, [only] if only == "-h" || only == "--help");
    let is_flag = |arg: &String| arg.starts_with('-');
    !asks_for_help
        && args.first().is_none_or(is_flag)
        && !names_a_server(args)
        && crate::config::flags::are_known(args)
}

/// Whether `-s` has a value: nats-server has a switch of that name, the client commands name their server with it.
fn names_a_server(args: &[String]) -> bool {
    let is_named =
        |pair: &[String]| matches!(pair, [flag, url] if flag == "-s" && !url.starts_with('-'));
    args.windows(2).any(is_named)
}

/// Prints why the arguments are no command, or the help that was asked for.
fn explain(error: &clap::Error, args: &[String]) -> ExitCode {
    if error.use_stderr() {
        // It begins with "error: " by itself.
        screen::say(format_args!("headwater: {}", error.render().to_string().trim_end()));
        // For a log 1 means damage, for a check a warning.
        return match args.first().map(String::as_str) {
            Some("log") => ExitCode::from(log::UNREADABLE),
            _ if check::is_meant(args) => ExitCode::from(check::UNKNOWN),
            _ => ExitCode::FAILURE,
        };
    }
    exit_code(screen::bytes(error.render().to_string().as_bytes()))
}

fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_closed_output() {
                screen::say(format_args!("headwater: error: {error}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run_client(flags: &ConnectionFlags, command: &Command) -> Result<()> {
    block_on(async {
        match command {
            Command::Serve { .. }
            | Command::Bench(_)
            | Command::Log { .. }
            | Command::Tune(_)
            | Command::Server { .. } => Ok(()),
            Command::Stream { command } => stream::run(&flags.connect().await?, command).await,
            Command::Object { command } => object::run(&flags.connect().await?, command).await,
            Command::Kv { command } => kv::run(&flags.connect().await?, command).await,
            Command::Consumer { command } => consumer::run(&flags.connect().await?, command).await,
            Command::Pub(message) => publish::run(&flags.connect().await?, message).await,
            Command::Req(message) => request::run(&flags.connect().await?, message).await,
            Command::Demo(demo) => demo::run(demo).await,
            Command::Sub(subscription) => {
                subscribe::run(&flags.connect().await?, subscription).await
            }
            Command::Events(events) => events::run(&flags.connect().await?, events).await,
            Command::Account { command } => account::run(&flags.connect().await?, command).await,
        }
    })
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // The connection lives on a thread of its own, so that it answers the server while a question waits for the user.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| ClientError::Ended(error.to_string()))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_server_and_commands_are_told_apart() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (line, is_server) in [
            ("", true),
            ("-p 4222 -js", true),
            ("--user a --pass b", true),
            ("-s", true),
            ("--help", false),
            ("-s nats://host stream ls", false),
            ("--server nats://host stream ls", false),
            ("--user a --password b stream ls", false),
            ("--user a stream ls", false),
            ("stream ls", false),
        ] {
            assert_eq!(takes_server_flags(&words(line)), is_server, "{line}");
        }
    }

    #[test]
    fn flags_of_the_connection_stand_anywhere() {
        for line in [
            "headwater -s nats://a:1 --timeout 2s s ls",
            "headwater str -s nats://a:1 list --timeout 2s",
            "headwater stream ls --server nats://a:1 --timeout 2s",
            "headwater request a b --server nats://a:1 --timeout 2s",
        ] {
            let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
            assert_eq!(cli.connection.server, "nats://a:1", "{line}");
            assert_eq!(cli.connection.timeout.as_secs(), 2, "{line}");
        }
    }
}
