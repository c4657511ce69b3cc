//! Monitoring over HTTP and over `$SYS.REQ`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use headwater_server::Options;
use headwater_server::config::options::{AuthOptions, LeafUrl, UserOptions};
use serde_json::Value;
use support::{Wire, options, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn pages() {
    let server = start(Options { monitoring: Some((String::new(), 0)), ..options() }).await;
    let address = server.monitoring_address().unwrap();
    let mut wire = Wire::quiet(&server).await;
    wire.send("SUB a.* q 5\r\nPUB a.b 2\r\nhi\r\n").await;
    assert_eq!(wire.flush().await, "MSG a.b 5 2\r\nhi\r\n");
    let json = async |path: &str| -> Value {
        let (status, body) = get(address, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let varz = json("/varz").await;
    assert_eq!((&varz["in_msgs"], &varz["out_bytes"]), (&1.into(), &2.into()));
    assert_eq!(varz["connections"], 1);
    let connz = json("/connz?subs=detail&sort=msgs_to").await;
    let connection = &connz["connections"][0];
    assert_eq!((&connz["total"], &connection["subscriptions"]), (&1.into(), &1.into()));
    let subscription = &connection["subscriptions_list_detail"][0];
    assert_eq!((&subscription["subject"], &subscription["qgroup"]), (&"a.*".into(), &"q".into()));
    assert_eq!((&subscription["sid"], &subscription["msgs"]), (&"5".into(), &1.into()));
    assert_eq!(json("/connz?state=closed").await["total"], 0);
    assert_eq!(json("/connz?offset=1").await["connections"], Value::Array(vec![]));
    let subsz = json("/subsz?test=a.x").await;
    assert_eq!(subsz["subscriptions_list"][0]["subject"], "a.*");
    assert_eq!(json("/healthz").await["status"], "ok");
    assert_eq!(json("/accountz").await["accounts"], serde_json::json!(["$G", "$SYS"]));
    let account = json("/accountz?acc=$G").await["account_detail"].take();
    assert_eq!(
        (&account["client_connections"], &account["account_name"]),
        (&1.into(), &"$G".into())
    );
    assert_eq!(json("/jsz").await["disabled"], true);
    for (path, expected) in [
        ("/connz?sort=foo", 400),
        ("/accountz?acc=NO", 400),
        ("/connz?limit=x", 400),
        ("/connz?state=x", 400),
        ("/healthz?stream=A", 400),
        ("/routez", 200),
        ("/gatewayz", 200),
        ("/accstatz?unused=1", 200),
        ("/nope", 404),
        ("/", 200),
    ] {
        assert_eq!(get(address, path).await.0, expected, "{path}");
    }
    server.shutdown().await;
}

fn system_user() -> AuthOptions {
    let user = UserOptions { name: "s".into(), password: "p".into(), is_system: true };
    AuthOptions { users: vec![user], ..AuthOptions::default() }
}

const SYSTEM: &str = "CONNECT {\"verbose\":false,\"user\":\"s\",\"pass\":\"p\"}\r\n";

/// The next event: its subject and its body.
async fn event(wire: &mut Wire) -> (String, Value) {
    let line = wire.read_line().await;
    let subject = line.split(' ').nth(1).unwrap_or_default().to_owned();
    assert!(line.starts_with("MSG "), "{line}");
    let body = wire.read_line().await;
    (subject, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

#[tokio::test]
async fn events() {
    let server = start(Options { auth: system_user(), ..options() }).await;
    let id = server.shared().info().server_id;
    let mut system = Wire::connect(&server).await;
    system.send(SYSTEM).await;
    for (number, subject) in [
        "$SYS.ACCOUNT.>",
        "$SYS.SERVER.*.CLIENT.>",
        "$SYS.SERVER.*.LAMEDUCK",
        "$SYS.SERVER.*.SHUTDOWN",
    ]
    .iter()
    .enumerate()
    {
        system.send(&format!("SUB {subject} {number}\r\n")).await;
    }
    system.flush().await;
    let mut plain = Wire::quiet(&server).await;
    plain.send("PUB x 2\r\nhi\r\n").await;
    plain.flush().await;
    let (subject, told) = event(&mut system).await;
    assert_eq!(subject, "$SYS.ACCOUNT.$G.CONNECT");
    assert_eq!(told["type"], "io.nats.server.advisory.v1.client_connect");
    assert_eq!((&told["client"]["acc"], &told["client"]["kind"]), (&"$G".into(), &"Client".into()));
    assert_eq!(told["server"]["id"], id.as_str());
    drop(plain);
    let (subject, told) = event(&mut system).await;
    assert_eq!(subject, "$SYS.ACCOUNT.$G.DISCONNECT");
    assert_eq!((&told["sent"]["msgs"], &told["sent"]["bytes"]), (&1.into(), &2.into()));
    assert_eq!(told["reason"], "Client Closed");
    let mut refused = Wire::connect(&server).await;
    refused.send("CONNECT {\"user\":\"s\",\"pass\":\"no\"}\r\n").await;
    let (subject, told) = event(&mut system).await;
    assert_eq!(subject, format!("$SYS.SERVER.{id}.CLIENT.AUTH.ERR"));
    assert_eq!(
        (&told["client"]["user"], &told["reason"]),
        (&"s".into(), &"Authentication Failure".into())
    );
    assert_eq!(event(&mut system).await.0, "$SYS.ACCOUNT.$G.DISCONNECT");
    let mut other = Wire::connect(&server).await;
    other.send(SYSTEM).await;
    other.flush().await;
    let (subject, told) = event(&mut system).await;
    assert_eq!((subject.as_str(), &told["conns"]), ("$SYS.ACCOUNT.$SYS.SERVER.CONNS", &2.into()));
    assert_eq!(event(&mut system).await.0, "$SYS.ACCOUNT.$SYS.CONNECT");
    server.shutdown().await;
    let (subject, told) = event(&mut system).await;
    assert_eq!((subject, &told["id"]), (format!("$SYS.SERVER.{id}.SHUTDOWN"), &id.as_str().into()));
}

/// Statistics come without being asked for, soon after the start.
#[tokio::test]
async fn statistics() {
    let server = start(Options { auth: system_user(), ..options() }).await;
    let mut system = Wire::connect(&server).await;
    system.send(&format!("{SYSTEM}SUB $SYS.SERVER.*.STATSZ 1\r\n")).await;
    let (_, told) = event(&mut system).await;
    assert_eq!(told["statsz"]["connections"], 1);
    server.shutdown().await;
}

/// Both ends of a link show it.
#[tokio::test]
async fn leaf_nodes() {
    let monitoring = Some((String::new(), 0));
    let mut of_hub = Options { monitoring: monitoring.clone(), ..options() };
    of_hub.leaf_nodes.listen = Some(("127.0.0.1".into(), 0));
    let hub = start(of_hub).await;
    let address = hub.leaf_address().unwrap();
    let (host, port) = (address.ip().to_string(), address.port());
    let mut of_leaf = Options { monitoring, server_name: "leafy".into(), ..options() };
    of_leaf.leaf_nodes.remote_urls =
        vec![LeafUrl { user: String::new(), password: None, host, port }];
    let leaf = start(of_leaf).await;
    let mut listener = Wire::quiet(&leaf).await;
    listener.send("SUB a 1\r\n").await;
    listener.flush().await;
    let mut publisher = Wire::quiet(&hub).await;
    let page = async |server: &headwater_server::RunningServer, path: &str| -> Value {
        let (_, body) = get(server.monitoring_address().unwrap(), path).await;
        serde_json::from_str(&body).unwrap()
    };
    let mut seen = Value::Null;
    for _ in 0..500 {
        publisher.send("PUB a 2\r\nhi\r\n").await;
        publisher.flush().await;
        seen = page(&hub, "/leafz?subs=1").await;
        if seen["leafs"][0]["out_msgs"].as_u64() > Some(0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let link = &seen["leafs"][0];
    assert_eq!(
        (&seen["leafnodes"], &link["name"], &link["is_spoke"]),
        (&1.into(), &"leafy".into(), &false.into())
    );
    assert!(link["subscriptions_list"].as_array().unwrap().contains(&"a".into()), "{link}");
    let of_leaf = page(&leaf, "/leafz").await;
    let link = &of_leaf["leafs"][0];
    assert_eq!((&link["is_spoke"], &link["account"]), (&true.into(), &"$G".into()));
    let statistics = page(&hub, "/accstatz").await["account_statz"][0].take();
    assert_eq!((&statistics["conns"], &statistics["leafnodes"]), (&1.into(), &1.into()));
    assert_eq!(page(&hub, "/varz").await["leafnodes"], 1);
    assert_eq!(page(&hub, "/leafz?acc=NO").await["leafnodes"], 0);
    leaf.shutdown().await;
    hub.shutdown().await;
}

#[tokio::test]
async fn system_requests() {
    let server = start(Options { auth: system_user(), ..options() }).await;
    let id = server.shared().info().server_id;
    let (mut plain, mut system) = (Wire::quiet(&server).await, Wire::connect(&server).await);
    system.send(SYSTEM).await;
    let request = async |wire: &mut Wire, subject: &str| -> Value {
        wire.send(&format!("SUB r 1\r\nPUB {subject} r 0\r\n\r\n")).await;
        let said = wire.flush().await;
        let body = said.split("\r\n").nth(1).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    let who = request(&mut plain, "$SYS.REQ.USER.INFO").await;
    assert_eq!((&who["data"]["account"], &who["data"]["user"]), (&"$G".into(), &"".into()));
    let who = request(&mut system, "$SYS.REQ.USER.INFO").await;
    assert_eq!((&who["data"]["account"], &who["data"]["user"]), (&"$SYS".into(), &"s".into()));
    let ping = request(&mut system, "$SYS.REQ.SERVER.PING").await;
    assert_eq!(
        (&ping["server"]["id"], &ping["statsz"]["connections"]),
        (&id.as_str().into(), &2.into())
    );
    let varz = request(&mut system, &format!("$SYS.REQ.SERVER.{id}.VARZ")).await;
    assert_eq!(varz["data"]["server_id"], id.as_str());
    let accounts = request(&mut system, "$SYS.REQ.SERVER.PING.ACCOUNTZ").await;
    assert_eq!(accounts["data"]["system_account"], "$SYS");
    let health = request(&mut system, "$SYS.REQ.SERVER.PING.HEALTHZ").await;
    assert_eq!(health["data"]["status_code"], 200);
    let account = request(&mut system, "$SYS.REQ.ACCOUNT.$SYS.INFO").await;
    let detail = &account["data"];
    assert_eq!((&detail["is_system"], &detail["client_connections"]), (&true.into(), &1.into()));
    let connections = request(&mut system, "$SYS.REQ.ACCOUNT.$G.CONNZ").await;
    assert_eq!(connections["data"]["num_connections"], 1);
    for what in ["INFO", "CONNZ", "SUBSZ", "JSZ"] {
        let none = request(&mut system, &format!("$SYS.REQ.ACCOUNT.NO.{what}")).await;
        assert_eq!(none["error"]["description"], "Account NO does not exist", "{what}");
    }
    plain.send("SUB r 1\r\nPUB $SYS.REQ.SERVER.PING r 0\r\n\r\n").await;
    assert!(plain.flush().await.contains("NATS/1.0 503"), "other accounts have no such service");
    server.shutdown().await;
}
