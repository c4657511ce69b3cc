//! Configuration keys as tables: which options they give, and how and where mistakes are named.

use super::super::{parser, tree::Map};
use super::*;
use crate::config::options::{LeafNodeOptions, WebSocketOptions};
use headwater_storage::stream::SyncPolicy;
use headwater_storage::volume::DiskMethod;
use std::path::Path;
use std::time::Duration;

fn tree(text: &str) -> Map {
    parser::parse_text(text, Path::new("t.conf"), &|_| None).unwrap()
}

fn read(text: &str) -> Options {
    options(&tree(text)).unwrap_or_else(|refusals| panic!("{refusals:?}: {text}")).0
}

fn refused(text: &str) -> String {
    let refusals = options(&tree(text)).unwrap_err();
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("|")
}

#[test]
fn server_keys() {
    let options = read(
        "listen: '127.0.0.1:-1'\n server_name: n1\n http: 8222\n max_payload: 2KB\n max_conn: -1\n\
         ping_interval: '5s'\n ping_max: 3\n write_deadline: 2\n lame_duck_duration: '30s'\n\
         server_tags: [a, 'id:b']\n client_advertise: h:1\n pid_file: /p\n ports_file_dir: /q\n\
         debug: true\n trace: on\n logtime: off\n log_file: /l\n max_subs: 7\n max_control_line: 1k",
    );
    assert_eq!((options.host.as_str(), options.port), ("127.0.0.1", 0));
    assert_eq!(options.server_name, "n1");
    assert_eq!(options.monitoring, Some((String::new(), 8222)));
    assert_eq!(options.server_tags, ["a", "id:b"]);
    assert_eq!(options.lame_duck_duration, Duration::from_secs(30));
    assert_eq!(options.pid_file.as_deref(), Some(Path::new("/p")));
    assert_eq!(options.ports_file_dir.as_deref(), Some(Path::new("/q")));
    let limits = options.limits;
    assert_eq!((limits.payload_bytes_max, limits.connections_max), (2048, 0));
    assert_eq!((limits.pings_outstanding_max, limits.subscriptions_max), (3, 7));
    assert_eq!(limits.ping_interval, Duration::from_secs(5));
    assert_eq!(limits.write_deadline, Duration::from_secs(2));
    assert_eq!(limits.control_line_bytes_max, 1000);
    let defaults = read("ping_interval: '0s'\n ping_max: 0\n write_deadline: '0s'").limits;
    assert_eq!(defaults, ConnectionLimits::default());
    let log = options.log;
    assert!(log.debug && log.trace && !log.with_time && log.file.is_some());
}

#[test]
fn leaf_node_keys() {
    let options = read(
        "leafnodes { listen: '127.0.0.1:-1', remotes: [ { urls: ['nats://u:p@h:1', 'g'] } ] }\n\
         jetstream { domain: hub }",
    );
    assert_eq!(options.leaf_nodes.listen, Some(("127.0.0.1".to_owned(), 0)));
    let urls = options.leaf_nodes.remote_urls.iter();
    let urls: Vec<_> = urls.map(|url| (url.host.as_str(), url.port, url.user.as_str())).collect();
    assert_eq!(urls, [("h", 1, "u"), ("g", 7422, "")]);
    assert_eq!(options.domain(), "hub");
    assert_eq!(read("leafnodes { port: 7 }").leaf_nodes.listen, Some(("0.0.0.0".to_owned(), 7)));
    assert_eq!(read("port: 1").leaf_nodes, LeafNodeOptions::default());
}

#[test]
fn jetstream_keys() {
    assert!(read("port: 1").jetstream.is_none());
    assert!(read("jetstream: disabled").jetstream.is_none());
    assert!(read("jetstream { enabled: false }").jetstream.is_none());
    for on in ["jetstream: enabled", "jetstream: true", "jetstream {}"] {
        assert!(read(on).jetstream.is_some_and(|jetstream| jetstream.is_strict), "{on}");
    }
    let options = read(
        "jetstream { store_dir: '/d', max_mem_store: 1GB, max_file: -1, strict: false,\n\
         sync_interval: '10s' }",
    );
    let jetstream = options.jetstream.unwrap();
    assert_eq!((jetstream.memory_bytes_max, jetstream.file_bytes_max), (Some(1 << 30), None));
    assert!(!jetstream.is_strict);
    assert_eq!(options.storage.sync, SyncPolicy::Interval(Duration::from_secs(10)));
    assert_eq!(options.storage.volume_directory(), Path::new("/d/headwater"));
    for (text, expected) in
        [("10M", 10_000_000), ("'10M'", 10 << 20), ("'10MB'", 10 << 20), ("5", 5)]
    {
        let jetstream = read(&format!("jetstream {{ max_mem: {text} }}")).jetstream.unwrap();
        assert_eq!(jetstream.memory_bytes_max, Some(expected), "{text}");
    }
    assert_eq!(read("jetstream { sync_interval: always }").storage.sync, SyncPolicy::Always);
    let storage = read("jetstream { disk: posix, segment_size: 8MB }").storage;
    assert_eq!((storage.disk, storage.segment_bytes), (DiskMethod::Posix, Some(8 << 20)));
    let storage = read("jetstream {}").storage;
    assert_eq!((storage.disk, storage.segment_bytes), (DiskMethod::Auto, None));
}

#[test]
fn authorization_keys() {
    let auth = read("authorization { user: a, password: b, timeout: 0.5 }").auth;
    assert_eq!(auth.users.len(), 1);
    assert_eq!(auth.timeout, Some(Duration::from_millis(500)));
    assert_eq!(read("authorization { token: t }").auth.token.as_deref(), Some("t"));
    let auth = read(
        "authorization { users = [ {user: a, pass: b}, {user: c, password: 1234} ] }\n\
         no_auth_user: c\n system_account: '$SYS'\n\
         accounts { $SYS { users: [ {user: s, pass: p} ] } }",
    )
    .auth;
    let names: Vec<_> =
        auth.users.iter().map(|u| (u.name.as_str(), u.password.as_str(), u.is_system)).collect();
    assert_eq!(names, [("a", "b", false), ("c", "1234", false), ("s", "p", true)]);
    assert_eq!(auth.no_auth_user.as_deref(), Some("c"));
}

#[test]
fn websocket_keys() {
    assert_eq!(read("port: 1").websocket, None);
    let plain = read("websocket { port: 8080, no_tls: true }").websocket.unwrap();
    assert_eq!(plain.host, "0.0.0.0");
    assert_eq!(plain, WebSocketOptions { port: 8080, ..WebSocketOptions::default() });
    let own = read(
        "ws { listen: '127.0.0.1:-1', no_tls: true, same_origin: true, compress: true,\n\
         allow_origins: ['http://A:81', 'https://b'], handshake_timeout: '3s', ping_interval: '1m',\n\
         headers { X-A: b }, authorization { user: u, password: p, timeout: 0.5 } }",
    );
    let own = own.websocket.unwrap();
    assert_eq!((own.host.as_str(), own.port), ("127.0.0.1", 0));
    assert!(own.same_origin && own.compression);
    let origins: Vec<_> = own.allowed_origins.iter().map(|o| (o.host.as_str(), o.port)).collect();
    assert_eq!(origins, [("a", 81), ("b", 443)]);
    let timeouts = (own.handshake_timeout, own.ping_interval, own.auth.timeout);
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    assert_eq!(timeouts, (seconds(3.0), seconds(60.0), seconds(0.5)));
    assert_eq!(own.headers, [("X-A".to_owned(), "b".to_owned())]);
    assert_eq!(own.auth.user.unwrap().name, "u");
    let own = read(
        "websocket { port: 1, no_tls: true, handshake_timeout: 0, authorization { token: t } }",
    );
    let own = own.websocket.unwrap();
    assert_eq!((own.handshake_timeout, own.auth.token.as_deref()), (None, Some("t")));
    let own = read(
        "authorization { users: [ {user: a, password: b} ] }\n\
         websocket { port: 1, no_tls: true, no_auth_user: a }",
    );
    assert_eq!(own.websocket.unwrap().auth.no_auth_user.as_deref(), Some("a"));
}

#[test]
fn websocket_refusals() {
    // What is wrong, without where.
    let said = |text: &str| {
        let all = refused(text);
        let said = all.split('|').map(|one| one.split_once(": ").unwrap().1.to_owned());
        said.collect::<Vec<_>>().join("|")
    };
    let own = |keys: &str| said(&format!("websocket {{ port: 1, no_tls: true, {keys} }}"));
    for (keys, expected) in [
        ("tls {}", "\"tls\" is not supported by Headwater"),
        ("advertise: a", "\"advertise\" is not supported by Headwater"),
        ("jwt_cookie: a", "\"jwt_cookie\" is not supported by Headwater"),
        ("user_cookie: a", "\"user_cookie\" is not supported by Headwater"),
        ("foo: a", "unknown field \"foo\""),
        ("compression: maybe", "true or false expected"),
        (
            "origins: 'a b'",
            "\"a\" is no origin: http://host[:port] or https://host[:port] expected|\"b\" is no origin: http://host[:port] or https://host[:port] expected",
        ),
        ("headers { Host: a }", "header \"Host\" is the server's own"),
        ("headers { Sec-WebSocket-X: a }", "header \"Sec-WebSocket-X\" is the server's own"),
        ("headers { 'a b': c }", "\"a b\" cannot be a header"),
        ("headers { a: \"b\\r\\nc\" }", "control characters in a header"),
        ("authorization { users: [] }", "unknown field \"users\""),
        ("authorization { user: a, token: b }", "a user and a token exclude each other"),
        ("authorization { pass: b }", "a password without a user"),
        ("no_auth_user: a", "the no_auth_user for WebSocket is not in a list of users"),
    ] {
        assert_eq!(own(keys), expected, "{keys}");
    }
    let no_tls =
        "t.conf:1:11: \"no_tls: true\" is needed, because TLS is not supported by Headwater";
    assert_eq!(refused("websocket { port: 1 }"), no_tls);
    assert_eq!(refused("websocket { port: 1, no_tls: false }"), no_tls);
    let no_port = "t.conf:1:11: a listener for WebSocket without a port";
    assert_eq!(refused("websocket { no_tls: true }"), no_port);
    let both =
        "t.conf:2:11: a user or a token for WebSocket, and a list of users, exclude each other";
    for list in
        ["authorization { users: [ {user: a} ] }", "ACCOUNTS { $SYS { users: [ {user: a} ] } }"]
    {
        for name in ["websocket", "WebSocket"] {
            let text =
                format!("{list}\n{name} {{ port: 1, no_tls: true, authorization {{ token: t }} }}");
            assert_eq!(refused(&text), both, "{text}");
        }
    }
}

#[test]
fn refusals() {
    for (text, expected) in [
        ("foo: 1", "t.conf:1:1: unknown field \"foo\""),
        ("port: 1\n tls { }", "t.conf:2:2: \"tls\" is not supported by Headwater"),
        ("port: abc", "t.conf:1:7: a port expected"),
        (
            "cluster {}\nmqtt {}",
            "t.conf:1:1: \"cluster\" is not supported by Headwater|t.conf:2:1: \"mqtt\" is not supported by Headwater",
        ),
        ("jetstream { bar: 1 }", "t.conf:1:13: unknown field \"bar\""),
        (
            "jetstream { domain: a.b }",
            "t.conf:1:21: a domain is a name without dots, wildcards and white space",
        ),
        (
            "jetstream { domain: API }",
            "t.conf:1:21: a domain is a name without dots, wildcards and white space",
        ),
        ("leafnodes { tls {} }", "t.conf:1:13: \"tls\" is not supported by Headwater"),
        ("leafnodes { remotes: [ {} ] }", "t.conf:1:24: a remote without a url"),
        (
            "leafnodes { remotes: [ {url: a, hub: true} ] }",
            "t.conf:1:33: \"hub\" is not supported by Headwater",
        ),
        (
            "leafnodes { remotes: [ {url: a}, {url: b} ] }",
            "t.conf:1:34: more than one remote is not supported by Headwater",
        ),
        (
            "leafnodes { remotes: [ {url: 'tls://a'} ] }",
            "t.conf:1:30: links over \"tls\" are not supported by Headwater",
        ),
        ("jetstream { disk: fast }", "t.conf:1:19: auto, uring or posix expected"),
        (
            "jetstream { segment_size: 4k }",
            "t.conf:1:27: a whole number from 1048576 to 1073741824 expected",
        ),
        ("jetstream: maybe", "t.conf:1:12: enabled or disabled expected"),
        ("authorization { user: a, baz: 3 }", "t.conf:1:26: unknown field \"baz\""),
        (
            "authorization { users: [ {user: a, permissions: {}} ] }",
            "t.conf:1:36: \"permissions\" is not supported by Headwater",
        ),
        ("authorization { pass: a }", "t.conf:1:15: a password without a user"),
        (
            "accounts { A { users: [] } }",
            "t.conf:1:12: account \"A\": only $SYS is supported by Headwater",
        ),
        ("no_auth_user: x", "t.conf:1:15: no such user"),
        ("ping_interval: 2m", "t.conf:1:16: a duration expected, in quotes: \"2m\""),
        ("max_payload: 100MB", "t.conf:1:14: a whole number from 1 to 67108864 expected"),
        ("max_pending: 4k", "t.conf:1:14: max_payload cannot be higher than max_pending"),
        (
            "lame_duck_duration: '5s'",
            "t.conf:1:21: the grace period must be shorter than the lame duck duration",
        ),
        ("system_account: X", "t.conf:1:17: a system account other than $SYS is not supported"),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}
