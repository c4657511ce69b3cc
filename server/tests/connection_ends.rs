//! How connections end, and what must not stay behind of them.
//! Not here: which violations end them (`protocol_limits`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use headwater_server::config::options::{AuthOptions, LeafUrl, UserOptions};
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

/// A link to another server ends by a fault too, leaves nothing, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_ends_its_link_and_leaves_nothing() {
    let mut of_hub = options();
    of_hub.leaf_nodes.listen = Some(("127.0.0.1".into(), 0));
    let hub = start(of_hub).await;
    let account = hub.shared().accounts.global.clone();
    let _service = account.subscribe("fault", Arc::new(Faulty));
    let before = account.subscriptions();
    let port = hub.leaf_address().unwrap().port();
    let url = LeafUrl { user: String::new(), password: None, host: "127.0.0.1".into(), port };
    let mut of_leaf = options();
    of_leaf.leaf_nodes.remote_urls = vec![url];
    let leaf = start(of_leaf).await;
    let at_leaf = leaf.shared().accounts.global.clone();
    let mut wire = Wire::quiet(&leaf).await;
    wire.send("SUB a 1\r\n").await;
    wire.flush().await;
    let links = &hub.shared().leaf_links;
    let is_up = || links.len() == 1 && at_leaf.has_interest("fault") && account.has_interest("a");
    eventually("the link", is_up).await;
    wire.send("PUB fault 0\r\n\r\n").await;
    eventually("the end of the link", || !links.closed().is_empty()).await;
    let reason = links.closed().pop().unwrap().link.reason().unwrap();
    assert_eq!(reason.to_string(), "Internal Error");
    eventually("the link again", is_up).await;
    leaf.shutdown().await;
    eventually("no link", || links.is_empty()).await;
    assert_eq!(account.subscriptions(), before);
    hub.shutdown().await;
}

/// What was subscribed to ends with a later CONNECT, and stays behind in no account.
#[tokio::test]
async fn a_later_connect_leaves_no_subscriptions() {
    let user = UserOptions { name: "s".into(), password: "p".into(), is_system: true };
    let auth = AuthOptions { users: vec![user], ..AuthOptions::default() };
    let server = start(Options { auth, ..options() }).await;
    let accounts = &server.shared().accounts;
    let counts = || (accounts.global.subscriptions(), accounts.system.subscriptions());
    let before = counts();
    let (plain, system) = (
        "CONNECT {\"verbose\":false}\r\n",
        "CONNECT {\"verbose\":false,\"user\":\"s\",\"pass\":\"p\"}\r\n",
    );
    // In another account before the first CONNECT, in the same one, and in another one.
    for (first, then) in [("", system), (plain, plain), (plain, system), (system, plain)] {
        let mut wire = Wire::connect(&server).await;
        wire.send(&format!("{first}SUB a 1\r\n")).await;
        wire.flush().await;
        assert_ne!(counts(), before, "{first}{then}");
        wire.send(&format!("{then}PUB a 0\r\n\r\n")).await;
        assert_eq!(wire.flush().await, "", "{first}{then}");
        assert_eq!(counts(), before, "{first}{then}");
        wire.send("SUB a 1\r\nPUB a 0\r\n\r\n").await;
        assert_eq!(wire.flush().await, "MSG a 1 0\r\n\r\n", "{first}{then}");
        drop(wire);
        all_are_gone(&server).await;
        assert_eq!(counts(), before, "{first}{then}");
    }
    server.shutdown().await;
}
