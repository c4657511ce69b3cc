//! How connections end, and what must not stay behind of them.
//! Not here: which violations end them (`protocol_limits`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use headwater_server::config::options::{AuthOptions, UserOptions};
use headwater_server::routing::{Account, Handler, Message, Origin};
use headwater_server::{Options, RunningServer};
use std::sync::Arc;
use support::{Wire, eventually, options, start};

/// Waits until no connection is open.
async fn all_are_gone(server: &RunningServer) {
    let registry = &server.shared().registry;
    eventually("no connection", || registry.open().is_empty()).await;
}

/// A service with a fault.
struct Faulty;

impl Handler for Faulty {
    fn deliver(&self, _: &Arc<Account>, _: &Message, _: &Arc<Origin>) {
        panic!("a fault of the server");
    }
}

#[tokio::test]
async fn a_fault_ends_its_connection_and_leaves_nothing() {
    let server = start(options()).await;
    let account = server.shared().accounts.global.clone();
    let _service = account.subscribe("fault", Arc::new(Faulty));
    let before = account.subscriptions();
    let (mut other, mut wire) = (Wire::quiet(&server).await, Wire::quiet(&server).await);
    wire.send("SUB a 1\r\nSUB b 2\r\n").await;
    wire.flush().await;
    assert_eq!(account.subscriptions(), before + 2);
    wire.send("PUB fault 0\r\n\r\n").await;
    wire.read_to_close().await;
    other.flush().await;
    drop(other);
    all_are_gone(&server).await;
    assert_eq!(account.subscriptions(), before);
    server.shutdown().await;
}

/// Who connects once more as somebody else of another account listens there, and leaves nothing in either.
#[tokio::test]
async fn subscriptions_go_along_into_another_account() {
    let user = |name: &str, is_system: bool| UserOptions {
        name: name.into(),
        password: name.into(),
        is_system,
    };
    let auth =
        AuthOptions { users: vec![user("a", false), user("sys", true)], ..AuthOptions::default() };
    let server = start(Options { auth, ..options() }).await;
    let accounts = &server.shared().accounts;
    let (global, system) = (accounts.global.clone(), accounts.system.clone());
    let counts = || (global.subscriptions(), system.subscriptions());
    let before = counts();
    let mut wire = Wire::connect(&server).await;
    let connect = |user: &str| {
        format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"user\":\"{user}\",\"pass\":\"{user}\"}}\r\n"
        )
    };
    wire.send(&format!("{}SUB a 1\r\nSUB b 2\r\n", connect("a"))).await;
    wire.flush().await;
    assert_eq!(counts(), (before.0 + 2, before.1));
    wire.send(&connect("sys")).await;
    wire.flush().await;
    assert_eq!(counts(), (before.0, before.1 + 2));
    wire.send("PUB a 1\r\nx\r\n").await;
    assert_eq!(wire.flush().await, "MSG a 1 1\r\nx\r\n");
    drop(wire);
    all_are_gone(&server).await;
    assert_eq!(counts(), before);
    server.shutdown().await;
}
