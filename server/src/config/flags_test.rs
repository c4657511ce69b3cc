//! Flags as tables: spellings, values, and what is refused in which words.

use super::*;
use headwater_storage::stream::SyncPolicy;
use headwater_storage::volume::DiskMethod;
use std::time::Duration;

fn parse_line(line: &str) -> Result<Invocation, FlagError> {
    parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

fn serve(line: &str) -> Options {
    match parse_line(line) {
        Ok(Invocation::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn spellings() {
    for line in ["-p 4333", "--p 4333", "-port=4333", "--port 4333", "-p 1 -p 4333"] {
        assert_eq!(serve(line).port, 4333, "{line}");
    }
    assert_eq!(serve("-p -1").port, 0);
    for line in ["-js", "--jetstream", "-js=true"] {
        assert!(serve(line).jetstream.is_some(), "{line}");
    }
    assert!(serve("-js=false").jetstream.is_none());
    assert!(serve("").jetstream.is_none());
}

#[test]
fn values() {
    let options = serve(
        "-a h -m 8222 -n n1 -P /p -l /l -sd /d --sync 5s --disk posix --user u --pass p -DV -T=false \
         --ports_file_dir /q --client_advertise x:1 --logtime_utc",
    );
    assert_eq!((options.host.as_str(), options.server_name.as_str()), ("h", "n1"));
    assert_eq!(options.monitoring, Some((String::new(), 8222)));
    assert_eq!(options.storage.volume_directory(), Path::new("/d/headwater"));
    assert_eq!(options.storage.sync, SyncPolicy::Interval(Duration::from_secs(5)));
    assert_eq!(options.storage.disk, DiskMethod::Posix);
    assert_eq!((&*options.auth.users[0].name, &*options.auth.users[0].password), ("u", "p"));
    assert!(options.log.debug && options.log.trace && !options.log.with_time && options.log.is_utc);
    let (verbose, debug) = (serve("-VV").log, serve("-D").log);
    assert!(verbose.trace && !verbose.debug && debug.debug && !debug.trace);
}

#[test]
fn above_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.conf");
    std::fs::write(&path, "port: 1\nserver_name: a\njetstream {store_dir: /a}\n").unwrap();
    let options = serve(&format!("-p 2 -c {} -sd /b", path.display()));
    assert_eq!((options.port, options.server_name.as_str()), (2, "a"));
    assert_eq!(options.storage.store_dir.as_deref(), Some(Path::new("/b")));
    assert!(matches!(
        parse_line(&format!("-t -c {}", path.display())),
        Ok(Invocation::Test(checked)) if checked == path
    ));
    std::fs::write(&path, "port: 1\nfoo: 2\n").unwrap();
    let refusal = parse_line(&format!("-c {}", path.display())).unwrap_err().to_string();
    assert!(refusal.ends_with("a.conf:2:1: unknown field \"foo\""), "{refusal}");
}

#[test]
fn other_invocations() {
    assert!(matches!(parse_line("-v"), Ok(Invocation::Version)));
    assert!(matches!(parse_line("--help -p 1"), Ok(Invocation::Help)));
    for (line, process) in
        [("-sl ldm", None), ("--signal ldm=7", Some("7")), ("-sl=ldm=/p", Some("/p"))]
    {
        match parse_line(line) {
            Ok(Invocation::Signal(name, found)) => {
                assert_eq!((name.as_str(), found.as_deref()), ("ldm", process), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn refusals() {
    for (line, expected) in [
        ("-foo", "flag provided but not defined: -foo"),
        ("-p", "flag needs an argument: -p"),
        ("-p x", "invalid value \"x\" for flag -p: not a port"),
        ("extra", "unrecognized command: \"extra\""),
        ("--cluster_name x", "flag -cluster_name is not supported by Headwater"),
        (
            "--sync sometimes",
            "invalid value \"sometimes\" for flag -sync: not always or a duration",
        ),
        ("--disk floppy", "invalid value \"floppy\" for flag -disk: not auto, uring or posix"),
        ("-js=maybe", "invalid value \"maybe\" for flag -js: not true or false"),
    ] {
        assert_eq!(parse_line(line).unwrap_err().to_string(), expected, "{line}");
    }
    let is_known = |line: &str| are_known(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert!(
        is_known("-js -p 1") && is_known("-tls") && !is_known("-server x") && !is_known("-p 1 ls")
    );
}
