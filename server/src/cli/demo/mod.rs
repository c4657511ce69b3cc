//! `headwater demo`: the walkthrough of NATS's page on data replication on a server of its own, and then a crash.
//! It checks what it shows: its exit status is 0 only if every acknowledged message is there once, in the copies too.
//! Not here: the commands it runs (`stream`).

mod contents;
mod folder;
mod load;
mod server;
mod verdict;

use super::connection::Connection;
use super::error::{ClientError, Result};
use super::screen;
use super::stream::{self, StreamCommand, add};
use clap::{Args, Parser};
use folder::Folder;
use load::{Kind, Load};
use server::ServerProcess;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use verdict::Verdict;

/// Messages of each kind before the crash, as in the walkthrough.
const COUNT: u64 = 100;
/// The server is killed when so many messages more were acknowledged, while others are under way.
const ACKNOWLEDGED_BEFORE_KILL: usize = 2_000;
/// No more than so many are published of each kind, whatever happens.
const COUNT_MAX: u64 = 1_000_000;
/// How long that may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is looked at how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
/// Acknowledgements that were sent before the kill may take so long to be read.
const DRAIN_TIME: Duration = Duration::from_millis(50);

const ORDERS: Kind = Kind { subject: "ORDERS.new", word: "ORDER" };
const RETURNS: Kind = Kind { subject: "RETURNS.new", word: "RETURN" };

/// How to run it.
#[derive(Debug, Args)]
pub(super) struct DemoFlags {
    /// The server to run, in place of this program
    #[arg(long, hide = true, value_name = "PATH")]
    server_program: Option<PathBuf>,
}

/// A command under `headwater stream`, as it would be typed.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(subcommand)]
    command: StreamCommand,
}

/// A running demo. Its server is here, and not in the steps, so that it can be ended wherever they are.
#[derive(Debug)]
struct Demo {
    program: PathBuf,
    folder: Folder,
    server: Option<ServerProcess>,
}

/// Runs it.
pub(super) async fn run(flags: &DemoFlags) -> Result<()> {
    let started = Instant::now();
    let this = || std::env::current_exe().map_err(ClientError::file("this program".as_ref()));
    let program = flags.server_program.clone().map_or_else(this, Ok)?;
    let mut demo = Demo { program, folder: Folder::create()?, server: None };
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| ClientError::Ended(format!("cannot wait for signals: {error}")))?;
    let result = tokio::select! {
        result = demo.tell() => result,
        _ = tokio::signal::ctrl_c() => Err(ClientError::Ended("interrupted".to_owned())),
        _ = terminated.recv() => Err(ClientError::Ended("terminated".to_owned())),
    };
    // The server is gone before its folder is, or it would write into what is being removed.
    let stopped = match &mut demo.server {
        Some(server) => server.kill().await,
        None => Ok(()),
    };
    drop(demo);
    result.and(stopped)?;
    screen::line(format_args!("\nAll of it holds. It took {:.1?}.", started.elapsed()))
}

impl Demo {
    async fn tell(&mut self) -> Result<()> {
        title("A server with its data in a folder of its own")?;
        let connection = self.start(1).await?;
        set_up(&connection).await?;
        let load = Load::default();
        walk_through(&connection, &load).await?;

        title("The server is killed (SIGKILL) in the middle of publishing")?;
        let before = load.count();
        self.crash(&connection, &load).await?;
        // A client that is still there would publish what it has not sent yet, once the server is back.
        drop(connection);
        let count = load.count() - before;
        screen::line(format_args!("{count} messages more were acknowledged, then it was gone."))?;

        title("It starts again on the same folder")?;
        let connection = self.start(2).await?;
        let (elapsed, contents) = contents::read_all(&connection).await?;
        let text = "ARCHIVE and REPORT had caught up with ORDERS and RETURNS";
        screen::line(format_args!("{text} after {elapsed:.0?}."))?;
        let verdict = Verdict::new(|name| load.of_stream(name), &contents);
        screen::line(
            "Every message that was acknowledged must be there, and once; ARCHIVE must hold each of ORDERS and",
        )?;
        screen::line(
            "RETURNS once and in its order, and REPORT must equal ARCHIVE message by message:\n",
        )?;
        screen::line(verdict.table("After the crash"))?;
        let origins = contents.orders.len() + contents.returns.len();
        if let Some(unheard) = origins.checked_sub(load.count()).filter(|count| *count > 0) {
            screen::line(format_args!(
                "({unheard} were stored, but killed before they were acknowledged.)"
            ))?;
        }
        match verdict.is_good() {
            true => Ok(()),
            false => Err(ClientError::Ended("the crash did damage".to_owned())),
        }
    }

    /// Starts the server and connects to it.
    async fn start(&mut self, run: u32) -> Result<Connection> {
        let started = Instant::now();
        let server = ServerProcess::spawn(&self.program, self.folder.path(), run)?;
        let server = self.server.insert(server);
        let (address, connection) = server.connect().await?;
        let (id, folder) = (server.id().unwrap_or_default(), self.folder.path().display());
        let (program, elapsed) = (self.program.display(), started.elapsed());
        screen::line(format_args!("{program}, process {id}, data in {folder}"))?;
        screen::line(format_args!("It answers at {address} after {elapsed:.0?}."))?;
        Ok(connection)
    }

    /// Publishes to both streams and kills the server meanwhile.
    async fn crash(&mut self, connection: &Connection, load: &Load) -> Result<()> {
        let enough = load.count() + ACKNOWLEDGED_BEFORE_KILL;
        let numbers = || COUNT + 1..=COUNT_MAX;
        let publishing = async {
            tokio::join!(
                load.publish_at_once(connection, ORDERS, numbers()),
                load.publish_at_once(connection, RETURNS, numbers()),
            )
        };
        let killing = async {
            while load.count() < enough {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            if let Some(server) = &mut self.server {
                server.kill().await?;
            }
            tokio::time::sleep(DRAIN_TIME).await;
            Ok(())
        };
        let crash = async {
            tokio::select! {
                killed = killing => killed,
                _ = publishing => Err(ClientError::Ended("there was no time to kill it".to_owned())),
            }
        };
        let too_late =
            |_| ClientError::Ended(format!("publishing took more than {LOAD_TIMEOUT:?}"));
        tokio::time::timeout(LOAD_TIMEOUT, crash).await.map_err(too_late)?
    }
}

async fn set_up(connection: &Connection) -> Result<()> {
    title("ORDERS and RETURNS")?;
    screen::line(
        "They keep their messages in files, as those of memory streams would go with the server below.",
    )?;
    run_line(connection, "add ORDERS --subjects 'ORDERS.*' --storage file --defaults").await?;
    run_line(connection, "add RETURNS --subjects 'RETURNS.*' --storage file --defaults").await?;
    title("ARCHIVE gets the messages of both, REPORT is a copy of ARCHIVE")?;
    run_line(connection, "add ARCHIVE --source ORDERS --source RETURNS --defaults").await?;
    run_line(connection, "add REPORT --mirror ARCHIVE --defaults").await?;
    run_line(connection, "report").await
}

async fn walk_through(connection: &Connection, load: &Load) -> Result<()> {
    title("Some data")?;
    for kind in [ORDERS, RETURNS] {
        let Kind { subject, word } = kind;
        screen::line(format_args!(
            "$ headwater req {subject} \"{word} {{{{Count}}}}\" --count {COUNT}"
        ))?;
        let before = load.count();
        let started = Instant::now();
        load.publish_in_turn(connection, kind, COUNT).await?;
        let (count, elapsed) = (load.count() - before, started.elapsed());
        screen::line(format_args!("{count} of {COUNT} were acknowledged, in {elapsed:.0?}."))?;
    }
    let (elapsed, contents) = contents::read_all(connection).await?;
    screen::line(format_args!("All of it had been copied {elapsed:.0?} later.\n"))?;
    run_line(connection, "report --svg replication.svg").await?;
    screen::line("replication.svg is the picture of it.\n")?;
    let verdict = Verdict::new(|name| load.of_stream(name), &contents);
    screen::line(verdict.table("Message by message"))?;
    let count = COUNT as usize;
    match verdict.is_good() && verdict.holds([count, count, 2 * count, 2 * count]) {
        true => Ok(()),
        false => Err(ClientError::Ended("the streams do not hold what was published".to_owned())),
    }
}

fn title(text: &str) -> Result<()> {
    screen::line(format_args!("=== {text}\n"))
}

/// Shows a command and runs it.
async fn run_line(connection: &Connection, line: &str) -> Result<()> {
    screen::line(format_args!("$ headwater stream {line}"))?;
    let words = line.split_whitespace().map(|word| word.trim_matches('\''));
    let parsed = Line::try_parse_from(words);
    match parsed.map_err(|error| ClientError::Usage(error.to_string()))?.command {
        // The whole configuration of each stream would hide what this is about.
        StreamCommand::Add(flags) => {
            add::create(connection, &flags, None).await?;
            screen::line(format_args!("Stream {} was created\n", flags.name))
        }
        command => stream::run(connection, &command).await,
    }
}
