//! What goes over the wire, byte for byte, as nats-server 2.15.1 was seen to answer the same input.

mod support;

use support::{Wire, options, start};

const QUIET: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
const HEADERS: &str = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n";

/// What six subjects that are none are answered with.
const SIX_INVALID: &str = "-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n\
    -ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n";

/// First line, input after which the connection stays, and the answer: everything before the PONG of a PING that follows.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("", "PUB a 1\r\nx\r\n", "+OK\r\n"),
    ("", "SUB a 1\r\nUNSUB 1\r\n", "+OK\r\n+OK\r\n"),
    ("", "CONNECT {}\r\n", "+OK\r\n"),
    ("", "CONNECT{\"verbose\":true}\r\n", "+OK\r\n"),
    ("", "CONNECT {\"verbose\":null,\"name\":null}\r\n", "+OK\r\n"),
    ("", "CONNECT {\"user\":\"x\",\"pass\":\"y\"}\r\n", "+OK\r\n"),
    (
        "",
        "SUB x.* 1\r\nPUB x.* 0\r\n\r\n",
        "+OK\r\n-ERR 'Invalid Publish Subject'\r\n+OK\r\nMSG x.* 1 0\r\n\r\n",
    ),
    ("", "PUB x..y 0\r\n\r\n", "-ERR 'Invalid Publish Subject'\r\n+OK\r\n"),
    (QUIET, "SUB a 1\r\nPUB a 5\r\nhello\r\n", "MSG a 1 5\r\nhello\r\n"),
    (QUIET, "sub a  1 \r\npub\ta  0\r\n\r\n", "MSG a 1 0\r\n\r\n"),
    (QUIET, "SUB a 1\r\nPUB a r 1\nx\r\n", "MSG a 1 r 1\r\nx\r\n"),
    (
        QUIET,
        "SUB a 99999999999999999999\r\nPUB a 0\r\n\r\n",
        "MSG a 99999999999999999999 0\r\n\r\n",
    ),
    (QUIET, "SUB a 1\r\nSUB a 1\r\nPUB a 0\r\n\r\n", "MSG a 1 0\r\n\r\n"),
    (QUIET, "SUB a 1\r\nUNSUB 1 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\n", "MSG a 1 0\r\n\r\n"),
    (QUIET, "SUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1 1\r\nPUB a 0\r\n\r\n", "MSG a 1 0\r\n\r\n"),
    (QUIET, "SUB a 1\r\nUNSUB 1 -5\r\nPUB a 0\r\n\r\n", ""),
    (QUIET, "UNSUB 9\r\n", ""),
    (
        QUIET,
        "SUB a..b 1\r\nSUB . 2\r\nSUB a. 3\r\nSUB .a 4\r\nSUB a.>.b 5\r\nSUB >.a 6\r\nSUB a* 7\r\n",
        SIX_INVALID,
    ),
    (QUIET, "SUB > 1\r\nPUB a..b 0\r\n\r\nPUB .a 0\r\n\r\nPUB . 0\r\n\r\n", ""),
    (
        QUIET,
        "SUB * 1\r\nSUB a.> 3\r\nPUB a.* 0\r\n\r\nPUB > 0\r\n\r\n",
        "MSG a.* 3 0\r\n\r\nMSG > 1 0\r\n\r\n",
    ),
    (QUIET, "SUB $SYS.> 1\r\nPUB $SYS.a 0\r\n\r\n", "MSG $SYS.a 1 0\r\n\r\n"),
    (
        QUIET,
        "SUB foo.* 1\r\nSUB foo.> 2\r\nUNSUB 1\r\nPUB foo.a 0\r\n\r\n",
        "MSG foo.a 2 0\r\n\r\n",
    ),
    (QUIET, "PINGfoo\r\n+OK\r\nINFO {}\r\nPONG\r\n", "PONG\r\n"),
    (
        HEADERS,
        "SUB _I.* 7\r\nPUB no.one _I.x 2\r\nhi\r\n",
        "HMSG _I.x 7 38 38\r\nNATS/1.0 503\r\nNats-Subject: no.one\r\n\r\n\r\n",
    ),
    (
        HEADERS,
        "SUB a 1\r\nHPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
        "HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
    ),
    (HEADERS, "SUB a 1\r\nHPUB a 4 10\r\n0123456789\r\n", "HMSG a 1 4 10\r\n0123456789\r\n"),
    (HEADERS, "SUB a 1\r\nHPUB a r 0 2\r\nhi\r\n", "MSG a 1 r 2\r\nhi\r\n"),
    ("CONNECT {\"verbose\":false,\"echo\":false}\r\n", "SUB a 1\r\nPUB a 0\r\n\r\n", ""),
    (
        "CONNECT {\"verbose\":false,\"echo\":false,\"headers\":true,\"no_responders\":true}\r\n",
        "SUB r 1\r\nSUB a 2\r\nPUB a r 0\r\n\r\n",
        "HMSG r 1 33 33\r\nNATS/1.0 503\r\nNats-Subject: a\r\n\r\n\r\n",
    ),
];

#[tokio::test]
async fn answers() {
    let server = start(options()).await;
    for (connect, input, expected) in ANSWERS {
        let mut wire = Wire::connect(&server).await;
        wire.send(&format!("{connect}{input}PING\r\n")).await;
        let said = wire.read_bytes(expected.len() + "PONG\r\n".len()).await;
        assert_eq!(said, format!("{expected}PONG\r\n"), "{connect}{input}");
        assert_eq!(wire.flush().await, "", "more than expected after {connect}{input}");
    }
    server.shutdown().await;
}

/// Input that makes the server close: the answer is everything until it does.
#[tokio::test]
async fn closes() {
    let server = start(options()).await;
    let unknown = "-ERR 'Unknown Protocol Operation'\r\n";
    let too_long = "-ERR 'maximum control line exceeded'\r\n";
    let long = |bytes: usize| format!("SUB {}", "a".repeat(bytes));
    for (connect, input, expected) in [
        ("", "FOO", unknown),
        ("", "\r\n", unknown),
        ("", "PI\r\n", unknown),
        ("", "UNSUB\r\n", unknown),
        ("", "CONNECT {bad}\r\n", ""),
        ("", "CONNECT []\r\n", ""),
        ("", "CONNECT {\"verbose\":1}\r\n", ""),
        (
            "",
            "CONNECT {\"no_responders\":true}\r\n",
            "-ERR 'no responders requires headers support'\r\n",
        ),
        (
            "",
            "CONNECT {\"verbose\":false,\"protocol\":2}\r\n",
            "-ERR 'invalid client protocol'\r\n",
        ),
        (
            "",
            "CONNECT {\"verbose\":false,\"account\":\"x\"}\r\n",
            "-ERR 'Authorization Violation'\r\n",
        ),
        ("", "HPUB a 5 5\r\nabcde\r\n", ""),
        (QUIET, "SUB a\r\n", ""),
        (QUIET, "SUB a b c d\r\n", ""),
        (QUIET, "PUB a b c d\r\n", ""),
        (QUIET, "PUB a 12345678901\r\n", ""),
        (QUIET, "PUB a -1\r\n", ""),
        (QUIET, "UNSUB a b c\r\n", ""),
        (QUIET, "-ERR 'x'\r\n", ""),
        (QUIET, "PUB a 2\r\nabcd", unknown),
        (QUIET, "PUB a 1\r\nx\nPING\r\n", unknown),
        (QUIET, "PUB a 99999999\r\n", "-ERR 'Maximum Payload Violation'\r\n"),
        (QUIET, &long(4097), too_long),
        (HEADERS, "HPUB a 12 10\r\n0123456789\r\n", ""),
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(&format!("{connect}{input}")).await;
        assert_eq!(wire.read_to_close().await, *expected, "{connect}{input}");
    }
    server.shutdown().await;
}

/// The longest control line: its arguments may have as many bytes as the limit says.
#[tokio::test]
async fn longest_control_line() {
    let server = start(options()).await;
    let mut wire = Wire::connect(&server).await;
    wire.send(QUIET).await;
    let subject = "a".repeat(4096 - " 1".len());
    wire.send(&format!("SUB {subject} 1\r\nPUB {subject} 0\r\n\r\n")).await;
    assert_eq!(wire.flush().await, format!("MSG {subject} 1 0\r\n\r\n"));
    server.shutdown().await;
}

/// A client without headers is given the payload alone; one member of a queue group is given each message.
#[tokio::test]
async fn between_connections() {
    let server = start(options()).await;
    let (mut plain, mut sender) = (Wire::connect(&server).await, Wire::quiet(&server).await);
    plain.send(QUIET).await;
    plain.send("SUB h 1\r\nSUB a q 2\r\nSUB a q 3\r\nSUB * q 4\r\nSUB > r 5\r\n").await;
    assert_eq!(plain.flush().await, "");
    sender.send("HPUB h 12 14\r\nNATS/1.0\r\n\r\nhi\r\n").await;
    sender.send(&"PUB a 0\r\n\r\n".repeat(100)).await;
    assert_eq!(sender.flush().await, "");
    let said = plain.flush().await;
    assert!(said.contains("MSG h 1 2\r\nhi\r\n"), "{said}");
    let count = |sid: &str| said.matches(&format!("MSG a {sid} 0")).count();
    assert_eq!(count("2") + count("3") + count("4"), 100, "{said}");
    assert_eq!(count("5"), 100);
    assert!(count("2") > 0 && count("3") > 0 && count("4") > 0, "{said}");
    server.shutdown().await;
}

/// INFO on accept, the second one after the first PING, and none for a client that does not ask for it.
#[tokio::test]
async fn infos() {
    let server = start(options()).await;
    let mut wire = Wire::connect(&server).await;
    let info = wire.info.clone();
    for (field, expected) in [
        ("version", "2.15.1".into()),
        ("proto", 1.into()),
        ("headers", true.into()),
        ("max_payload", 1_048_576.into()),
        ("api_lvl", 5.into()),
        ("client_ip", "127.0.0.1".into()),
        ("port", server.client_address().port().into()),
        ("auth_required", serde_json::Value::Null),
        ("connect_info", serde_json::Value::Null),
    ] {
        assert_eq!(info[field], expected, "{field}");
    }
    assert_eq!(info["server_id"].as_str().map(str::len), Some(56));
    wire.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\n").await;
    assert_eq!(wire.flush().await, "");
    let second = wire.read_info().await;
    assert_eq!(second["connect_info"], true);
    assert_eq!(second["remote_account"], "$G");
    assert_eq!(second["client_id"], info["client_id"]);
    assert_eq!(wire.flush().await, "");
    let mut old = Wire::connect(&server).await;
    old.send(QUIET).await;
    assert_eq!(old.flush().await + &old.flush().await, "");
    server.shutdown().await;
}

/// Clients are told the advertised address, with the real port where it names none.
#[tokio::test]
async fn advertised_addresses() {
    for (advertised, host, port) in
        [("h:1", "h", Some(1)), ("h", "h", None), ("", "127.0.0.1", None)]
    {
        let server =
            start(headwater_server::Options { client_advertise: advertised.into(), ..options() })
                .await;
        let wire = Wire::connect(&server).await;
        let port = port.unwrap_or_else(|| server.client_address().port());
        assert_eq!((&wire.info["host"], &wire.info["port"]), (&host.into(), &port.into()));
        server.shutdown().await;
    }
}
