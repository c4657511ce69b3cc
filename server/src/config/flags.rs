//! The flags of nats-server, read as it reads them: one dash or two, values after `=` or a space.
//! Flags stand above the configuration file. A flag for something that is not built is refused by name.
//! Not here: the configuration file (`file`), and what the options do.

use super::options::{Options, UserOptions};
use super::{jetstream, value};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the command line is refused.
#[derive(Debug, Error)]
pub enum FlagError {
    /// No such flag.
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    /// A flag of nats-server that is not built.
    #[error("flag -{0} is not supported by Headwater")]
    Unsupported(String),
    /// A flag without its value.
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    /// A value that cannot be read.
    #[error("invalid value {value:?} for flag -{flag}: {reason}")]
    Value {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that is no flag.
    #[error("unrecognized command: {0:?}")]
    Command(String),
    /// The configuration file is refused.
    #[error("{0}")]
    Config(#[from] super::file::ConfigError),
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run a server.
    Serve(Box<Options>),
    /// Check the configuration and stop.
    Test(PathBuf),
    /// Print the versions.
    Version,
    /// Print the flags.
    Help,
    /// Send a signal to a running server: the signal, and the process if it was named.
    Signal(String, Option<String>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Value,
    Refused,
}

struct Flag {
    names: &'static [&'static str],
    kind: Kind,
    /// Placeholder of the value, and what the flag does; both for the help text.
    help: (&'static str, &'static str),
}

const fn flag(
    names: &'static [&'static str],
    kind: Kind,
    help: (&'static str, &'static str),
) -> Flag {
    Flag { names, kind, help }
}

/// Every flag; the first name is the one the code below goes by.
static FLAGS: &[Flag] = &[
    flag(&["addr", "a", "net"], Kind::Value, ("<host>", "Address to listen on (default 0.0.0.0)")),
    flag(&["port", "p"], Kind::Value, ("<port>", "Port for clients (default 4222; -1 for any)")),
    flag(&["server_name", "n", "name"], Kind::Value, ("<name>", "Name of the server")),
    flag(&["http_port", "m"], Kind::Value, ("<port>", "Port for monitoring over HTTP")),
    flag(&["pid", "P"], Kind::Value, ("<file>", "File the process id is written to")),
    flag(&["config", "c"], Kind::Value, ("<file>", "Configuration file")),
    flag(&["t"], Kind::Switch, ("", "Check the configuration file and exit")),
    flag(
        &["signal", "sl"],
        Kind::Value,
        ("<signal>[=<pid>]", "Signal a running server: ldm, stop, quit, term, reopen, reload"),
    ),
    flag(
        &["client_advertise"],
        Kind::Value,
        ("<host:port>", "Address clients are told to connect to"),
    ),
    flag(&["ports_file_dir"], Kind::Value, ("<dir>", "Directory the ports file is written to")),
    flag(&["log", "l"], Kind::Value, ("<file>", "File the log is written to")),
    flag(&["logtime", "T"], Kind::Switch, ("", "Write the time into log lines (default true)")),
    flag(&["logtime_utc"], Kind::Switch, ("", "Write that time in UTC")),
    flag(&["debug", "D"], Kind::Switch, ("", "Write debug lines")),
    flag(&["trace", "V", "VV"], Kind::Switch, ("", "Write each protocol operation")),
    flag(&["DV", "DVV"], Kind::Switch, ("", "Both of these")),
    flag(&["jetstream", "js"], Kind::Switch, ("", "Enable JetStream")),
    flag(&["store_dir", "sd"], Kind::Value, ("<dir>", "Directory of the stored data")),
    flag(
        &["sync"],
        Kind::Value,
        ("always|<duration>", "When a publish is acknowledged (default always)"),
    ),
    flag(&["disk"], Kind::Value, ("auto|uring|posix", "How bytes reach the disk (default auto)")),
    flag(&["user"], Kind::Value, ("<user>", "User required for connections")),
    flag(&["pass"], Kind::Value, ("<password>", "Password required for connections")),
    flag(&["auth"], Kind::Value, ("<token>", "Token required for connections")),
    flag(&["version", "v"], Kind::Switch, ("", "Print the versions")),
    flag(&["help", "h"], Kind::Switch, ("", "Print this")),
    flag(&["tls", "tlsverify", "help_tls"], Kind::Refused, ("", "")),
    flag(&["tlscert", "tlskey", "tlscacert"], Kind::Refused, ("", "")),
    flag(&["routes", "cluster", "cluster_name", "no_advertise"], Kind::Refused, ("", "")),
    flag(&["cluster_advertise", "connect_retries", "cluster_listen"], Kind::Refused, ("", "")),
    flag(&["https_port", "ms", "profile", "s", "syslog"], Kind::Refused, ("", "")),
    flag(&["r", "remote_syslog", "log_size_limit"], Kind::Refused, ("", "")),
    flag(&["max_traced_msg_len"], Kind::Refused, ("", "")),
];

/// The flags, for people.
pub fn help() -> String {
    let mut text = String::new();
    for flag in FLAGS.iter().filter(|flag| flag.kind != Kind::Refused) {
        let mut names: Vec<_> = flag
            .names
            .iter()
            .map(|name| match name.len() {
                1..=3 => format!("-{name}"),
                _ => format!("--{name}"),
            })
            .collect();
        names.sort_by_key(String::len);
        let (value, what) = flag.help;
        let left = format!("{} {value}", names.join(", "));
        text.push_str(&format!("    {left:<44} {what}\n"));
    }
    text
}

/// Whether every argument is a flag of the server or the value of one.
pub fn are_known(args: &[String]) -> bool {
    !matches!(split(args), Err(FlagError::Unknown(_) | FlagError::Command(_)))
}

struct Given {
    name: &'static str,
    spelled: String,
    value: String,
}

/// Reads the arguments after the program's name (and after `serve`).
pub fn parse(args: &[String]) -> Result<Invocation, FlagError> {
    let given = split(args)?;
    let find = |name: &str| given.iter().rev().find(|one| one.name == name);
    let is_on = |name: &str| find(name).is_some_and(|one| one.value != "false");
    if is_on("help") {
        return Ok(Invocation::Help);
    }
    if is_on("version") {
        return Ok(Invocation::Version);
    }
    if let Some(signal) = find("signal") {
        let (name, process) = match signal.value.split_once('=') {
            Some((name, process)) => (name, Some(process.to_owned())),
            None => (signal.value.as_str(), None),
        };
        return Ok(Invocation::Signal(name.to_owned(), process));
    }
    let mut options = match find("config") {
        Some(config) => super::file::load(Path::new(&config.value))?,
        None => Options::default(),
    };
    given.iter().try_for_each(|one| apply(&mut options, one))?;
    if is_on("t") {
        return Ok(Invocation::Test(
            find("config").map(|one| one.value.as_str().into()).unwrap_or_default(),
        ));
    }
    let text = |given: Option<&Given>| given.map(|one| one.value.clone());
    if let Some(name) = text(find("user")) {
        let password = text(find("pass")).unwrap_or_default();
        options.auth.users = vec![UserOptions { name, password, is_system: false }];
        options.auth.no_auth_user = None;
    }
    Ok(Invocation::Serve(Box::new(options)))
}

fn split(args: &[String]) -> Result<Vec<Given>, FlagError> {
    let mut given = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(text) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            return Err(FlagError::Command(arg.clone()));
        };
        let (spelled, value) = match text.split_once('=') {
            Some((spelled, value)) => (spelled, Some(value.to_owned())),
            None => (text, None),
        };
        let flag = FLAGS
            .iter()
            .find(|flag| flag.names.contains(&spelled))
            .ok_or_else(|| FlagError::Unknown(spelled.to_owned()))?;
        let name = flag.names.first().copied().unwrap_or_default();
        let value = match (flag.kind, value) {
            (Kind::Refused, _) => return Err(FlagError::Unsupported(spelled.to_owned())),
            (_, Some(value)) => value,
            (Kind::Switch, None) => "true".to_owned(),
            (Kind::Value, None) => {
                rest.next().cloned().ok_or_else(|| FlagError::NoValue(spelled.to_owned()))?
            }
        };
        given.push(Given { name, spelled: spelled.to_owned(), value });
    }
    Ok(given)
}

fn apply(options: &mut Options, given: &Given) -> Result<(), FlagError> {
    let Given { name, spelled, value } = given;
    let refuse = |reason: &str| FlagError::Value {
        flag: spelled.clone(),
        value: value.clone(),
        reason: reason.to_owned(),
    };
    let port = || value::port(value).ok_or_else(|| refuse("not a port"));
    let switch = || value::boolean(value).ok_or_else(|| refuse("not true or false"));
    match *name {
        "addr" => options.host.clone_from(value),
        "port" => options.port = port()?,
        "server_name" => options.server_name.clone_from(value),
        "http_port" => {
            let host = options.monitoring.take().map(|(host, _)| host);
            options.monitoring = Some((host.unwrap_or_default(), port()?));
        }
        "pid" => options.pid_file = Some(value.into()),
        "client_advertise" => options.client_advertise.clone_from(value),
        "ports_file_dir" => options.ports_file_dir = Some(value.into()),
        "log" => options.log.file = Some(value.into()),
        "logtime" => options.log.with_time = switch()?,
        "logtime_utc" => options.log.is_utc = switch()?,
        "debug" => options.log.debug = switch()?,
        "trace" => options.log.trace = switch()?,
        "DV" => (options.log.debug, options.log.trace) = (switch()?, switch()?),
        "jetstream" => match switch()? {
            true => drop(options.jetstream_mut()),
            false => options.jetstream = None,
        },
        "store_dir" => options.storage.store_dir = Some(value.into()),
        "sync" => {
            let policy = jetstream::sync_policy(value);
            options.storage.sync = policy.ok_or_else(|| refuse("not always or a duration"))?;
        }
        "disk" => {
            let method = jetstream::disk_method(value);
            options.storage.disk = method.ok_or_else(|| refuse("not auto, uring or posix"))?;
        }
        "auth" => options.auth.token = Some(value.clone()),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
#[path = "flags_test.rs"]
mod tests;
