//! What the server bounds: logins, connections, subscriptions, unanswered pings, bytes that wait for a reader; and what
//! it says when it goes away.

mod support;

use headwater_server::Options;
use headwater_server::config::options::{AuthOptions, UserOptions};
use std::time::{Duration, Instant};
use support::{DEADLINE, Wire, eventually, options, start};

fn with_user() -> Options {
    let user = UserOptions { name: "u".into(), password: "p".into(), is_system: false };
    let auth = AuthOptions {
        users: vec![user],
        timeout: Some(Duration::from_millis(200)),
        ..AuthOptions::default()
    };
    Options { auth, ..options() }
}

#[tokio::test]
async fn logins() {
    let server = start(with_user()).await;
    let violation = "-ERR 'Authorization Violation'\r\n";
    for (input, expected) in [
        ("PING\r\n", violation),
        ("CONNECT {\"verbose\":false}\r\n", violation),
        ("CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"x\"}\r\n", violation),
        ("CONNECT {\"verbose\":false,\"user\":\"x\",\"pass\":\"p\"}\r\n", violation),
        ("PUB a 1000000\r\n", violation),
        ("", "-ERR 'Authentication Timeout'\r\n"),
        ("CONNECT {\"verb", "-ERR 'Authentication Timeout'\r\n"),
    ] {
        let mut wire = Wire::connect(&server).await;
        assert_eq!(wire.info["auth_required"], true);
        wire.send(input).await;
        assert_eq!(wire.read_to_close().await, expected, "{input}");
    }
    let mut wire = Wire::connect(&server).await;
    wire.send("CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"p\"}\r\n").await;
    assert_eq!(wire.flush().await, "");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(wire.flush().await, "PING\r\n");
    server.shutdown().await;
}

#[tokio::test]
async fn connections() {
    let mut options = options();
    options.limits.connections_max = 1;
    let server = start(options).await;
    let mut first = Wire::connect(&server).await;
    let mut second = Wire::connect(&server).await;
    assert_eq!(second.read_to_close().await, "-ERR 'maximum connections exceeded'\r\n");
    assert_eq!(first.flush().await, "");
    drop(first);
    let shared = server.shared().clone();
    eventually("the connection is gone", || shared.registry.is_empty()).await;
    assert_eq!(Wire::connect(&server).await.flush().await, "");
    server.shutdown().await;
}

#[tokio::test]
async fn subscriptions() {
    let mut options = options();
    options.limits.subscriptions_max = 2;
    let server = start(options).await;
    let mut wire = Wire::quiet(&server).await;
    wire.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nPUB c 0\r\n\r\nPUB a 0\r\n\r\n").await;
    let expected = "-ERR 'maximum subscriptions exceeded'\r\nMSG a 1 0\r\n\r\n";
    assert_eq!(wire.flush().await, expected);
    wire.send("UNSUB 1\r\nSUB c 3\r\nPUB c 0\r\n\r\n").await;
    assert_eq!(wire.flush().await, "MSG c 3 0\r\n\r\n");
    server.shutdown().await;
}

#[tokio::test]
async fn unanswered_pings() {
    let mut options = options();
    options.limits.ping_interval = Duration::from_millis(20);
    let server = start(options).await;
    let mut wire = Wire::quiet(&server).await;
    let expected = "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n";
    assert_eq!(wire.read_to_close().await, expected);
    let shared = server.shared().clone();
    eventually("it is counted", || shared.registry.totals().stale_connections == 1).await;
    server.shutdown().await;
}

/// A reader that does not read is cut off, and does not keep others from receiving.
#[tokio::test]
async fn slow_consumers() {
    let mut options = options();
    options.limits.pending_bytes_max = 256 * 1024;
    let server = start(options).await;
    let (mut slow, mut sender) = (Wire::quiet(&server).await, Wire::quiet(&server).await);
    slow.send("SUB a 1\r\n").await;
    assert_eq!(slow.flush().await, "");
    let payload = "x".repeat(64 * 1024);
    let message = format!("PUB a {}\r\n{payload}\r\n", payload.len());
    let shared = server.shared().clone();
    let started = Instant::now();
    while shared.registry.totals().slow_consumers == 0 {
        assert!(started.elapsed() < DEADLINE, "cut off in time");
        sender.send(&message).await;
        assert_eq!(sender.flush().await.replace("PING\r\n", ""), "");
    }
    assert!(!slow.read_to_close().await.is_empty());
    sender.send("SUB b 1\r\nPUB b 0\r\n\r\n").await;
    assert_eq!(sender.flush().await.replace("PING\r\n", ""), "MSG b 1 0\r\n\r\n");
    server.shutdown().await;
}

/// Everything a client sent before it closed arrives, and its subscriptions go with it.
#[tokio::test]
async fn goodbyes() {
    let server = start(options()).await;
    let (mut receiver, mut sender) = (Wire::quiet(&server).await, Wire::quiet(&server).await);
    receiver.send("SUB a 1\r\n").await;
    assert_eq!(receiver.flush().await, "");
    sender.send("SUB a 2\r\nPUB a 2\r\nhi\r\n").await;
    drop(sender);
    assert_eq!(receiver.read_to("hi\r\n").await, "MSG a 1 2\r\n");
    let shared = server.shared().clone();
    eventually("the connection is gone", || shared.registry.len() == 1).await;
    let own = shared.accounts.global.subscriptions();
    drop(receiver);
    eventually("its subscription is gone", || shared.accounts.global.subscriptions() == own - 1)
        .await;
    server.shutdown().await;
}

#[tokio::test]
async fn lame_duck() {
    let mut options = options();
    options.lame_duck_duration = Duration::from_millis(60);
    options.lame_duck_grace_period = Duration::from_millis(20);
    let server = start(options).await;
    let mut wire = Wire::connect(&server).await;
    wire.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\n").await;
    assert_eq!(wire.flush().await, "");
    wire.read_info().await;
    server.start_lame_duck();
    assert_eq!(wire.read_info().await["ldm"], true);
    assert_eq!(wire.read_to_close().await, "");
    tokio::time::timeout(DEADLINE, server.lame_duck_over()).await.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn shutdown_closes_clients() {
    let server = start(options()).await;
    let mut wire = Wire::quiet(&server).await;
    assert_eq!(wire.flush().await, "");
    let address = server.client_address();
    server.shutdown().await;
    assert_eq!(wire.read_to_close().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
