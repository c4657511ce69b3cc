//! How much of the registry a request looks at.

use super::*;
use crate::config::Options;
use crate::network::Link;
use std::net::SocketAddr;

/// A server with so many clients in its accounts, none of which does anything.
fn with_clients(of_global: u64, of_system: u64) -> Arc<Shared> {
    let shared = Shared::new(Options::default(), 4222);
    for id in 1..=of_global + of_system {
        let link = Link::new(id, SocketAddr::from(([127, 0, 0, 1], 1)), 100);
        let accounts = &shared.accounts;
        link.set_account(if id <= of_global { &accounts.global } else { &accounts.system });
        assert!(shared.registry.enter(&link, usize::MAX), "client {id}");
    }
    shared
}

fn ask(shared: &Arc<Shared>, account: &Account, what: &str) -> Value {
    let subject = format!("$SYS.REQ.{what}");
    let (_, value) = answer(shared, &subject, b"", account, &Origin::default()).unwrap();
    value
}

#[test]
fn the_connections_are_walked_once_for_a_request() {
    let shared = with_clients(3, 2);
    let (global, system) = (&shared.accounts.global, &shared.accounts.system);
    for (account, what, counts) in [
        (system, "ACCOUNT.$G.STATZ", vec![3]),
        (system, "ACCOUNT.PING.STATZ", vec![3, 2]),
        (global, "ACCOUNT.PING.STATZ", vec![3]),
    ] {
        let before = shared.registry.walks();
        let answered = ask(&shared, account, what);
        assert_eq!(shared.registry.walks() - before, 1, "{what}");
        let statistics = answered["account_statz"].as_array().unwrap();
        let found: Vec<_> = statistics.iter().map(|one| one["conns"].as_u64().unwrap()).collect();
        assert_eq!(found, counts, "{what}");
    }
    let before = shared.registry.walks();
    assert_eq!(ask(&shared, system, "ACCOUNT.$SYS.INFO")["client_connections"], 2);
    assert_eq!(shared.registry.walks() - before, 1, "one for the count");
    ask(&shared, system, "ACCOUNT.$G.SUBSZ");
    assert_eq!(shared.registry.walks() - before, 1, "it shows nothing of connections");
}
