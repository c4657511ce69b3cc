//! Servers linked as leaf nodes: what crosses the link, who is kept out, and copies over links that are cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use async_nats::Client;
use futures_util::StreamExt;
use headwater_server::config::options::{LeafUrl, UserOptions};
use headwater_server::{Options, RunningServer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use support::DEADLINE;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn url(address: SocketAddr) -> LeafUrl {
    let host = address.ip().to_string();
    LeafUrl { user: String::new(), password: None, host, port: address.port() }
}

/// A server that accepts leaf nodes on a port (0 for any), with JetStream under the domain `hub`.
async fn hub(directory: &Path, port: u16) -> RunningServer {
    let mut options = support::options();
    options.leaf_nodes.listen = Some(("127.0.0.1".into(), port));
    with_jetstream(&mut options, directory, "hub");
    support::start(options).await
}

/// A server that dials, with JetStream under the domain `leaf`.
async fn leaf(directory: &Path, to: SocketAddr) -> RunningServer {
    let mut options = support::options();
    options.leaf_nodes.remote_urls = vec![url(to)];
    with_jetstream(&mut options, directory, "leaf");
    support::start(options).await
}

fn with_jetstream(options: &mut Options, directory: &Path, domain: &str) {
    options.storage.store_dir = Some(directory.join(domain));
    options.jetstream_mut().domain = domain.into();
}

async fn client(server: &RunningServer) -> Client {
    async_nats::connect(server.client_address().to_string()).await.unwrap()
}

async fn ask(client: &Client, subject: &str, body: Value) -> Value {
    let payload = if body.is_null() { String::new() } else { body.to_string() };
    let reply = client.request(subject.to_owned(), payload.into()).await;
    reply.map_or(Value::Null, |reply| serde_json::from_slice(&reply.payload).unwrap())
}

/// Waits until an answer is as wanted.
async fn until(client: &Client, subject: &str, what: &str, is_wanted: impl Fn(&Value) -> bool) {
    let started = Instant::now();
    loop {
        let answer = ask(client, subject, Value::Null).await;
        if is_wanted(&answer) {
            return;
        }
        assert!(started.elapsed() < 3 * DEADLINE, "{what} in time: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the link is up.
async fn linked(client: &Client, domain: &str) {
    let subject = format!("$JS.{domain}.API.INFO");
    until(client, &subject, "the link is up", |answer| answer["domain"] == domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_crosses_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub(directory.path(), 0).await;
    let leaf = leaf(directory.path(), hub.leaf_address().unwrap()).await;
    let (at_hub, at_leaf) = (client(&hub).await, client(&leaf).await);
    linked(&at_hub, "leaf").await;
    linked(&at_leaf, "hub").await;
    for (here, there) in [(&at_hub, &at_leaf), (&at_leaf, &at_hub)] {
        // One message for two subscriptions that match, and one member of each queue group.
        let mut plain = there.subscribe("news.*").await.unwrap();
        let mut other = there.subscribe("news.>").await.unwrap();
        let mut queued = there.queue_subscribe("news.a", "q".into()).await.unwrap();
        let mut member = there.queue_subscribe("news.a", "q".into()).await.unwrap();
        let mut echo = there.subscribe("echo").await.unwrap();
        there.flush().await.unwrap();
        let replies = there.clone();
        let answering = tokio::spawn(async move {
            let request = echo.next().await.unwrap();
            replies.publish(request.reply.unwrap(), request.payload).await.unwrap();
        });
        // What is heard says that the interest in all of it came over.
        let reply = loop {
            if let Ok(reply) = here.request("echo", "hi".into()).await {
                break reply;
            }
        };
        assert_eq!(reply.payload, "hi");
        answering.await.unwrap();
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("K", "v");
        here.publish_with_headers("news.a", headers, "one".into()).await.unwrap();
        here.publish("news.end", "end".into()).await.unwrap();
        for subscription in [&mut plain, &mut other] {
            let first = subscription.next().await.unwrap();
            assert_eq!((first.subject.as_str(), &first.payload[..]), ("news.a", &b"one"[..]));
            assert_eq!(first.headers.unwrap().get("K").unwrap().as_str(), "v");
            assert_eq!(subscription.next().await.unwrap().payload, "end", "no message twice");
        }
        there.flush().await.unwrap();
        let wait = Duration::from_millis(200);
        let mut heard = 0;
        for subscription in [&mut queued, &mut member] {
            heard += usize::from(tokio::time::timeout(wait, subscription.next()).await.is_ok());
        }
        assert_eq!(heard, 1, "one member of a queue group receives it");
    }
    // The API without a domain is that of the own server.
    ask(&at_hub, "$JS.API.STREAM.CREATE.H", json!({"name": "H", "subjects": ["h"]})).await;
    let names = ask(&at_leaf, "$JS.API.STREAM.NAMES", Value::Null).await;
    assert_eq!(names["total"], 0, "{names}");
    let names = ask(&at_leaf, "$JS.hub.API.STREAM.NAMES", Value::Null).await;
    assert_eq!(names["streams"], json!(["H"]));
    // An answer is larger than any message that a client may publish.
    let large = async_nats::jetstream::new(at_hub.clone());
    large.publish("h", vec![7; 1024 * 1024].into()).await.unwrap().await.unwrap();
    for _ in 0..2 {
        let got = ask(&at_leaf, "$JS.hub.API.STREAM.MSG.GET.H", json!({"seq": 1})).await;
        assert_eq!(got["message"]["data"].as_str().unwrap().len(), 1_398_104, "in other letters");
    }
    // A stream takes what is published on the other side.
    let stored = ask(&at_leaf, "h", json!(1)).await;
    assert_eq!(stored, json!({"stream": "H", "domain": "hub", "seq": 2}));
    leaf.shutdown().await;
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kept_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = support::options();
    options.leaf_nodes.listen = Some(("127.0.0.1".into(), 0));
    options.auth.users =
        vec![UserOptions { name: "a".into(), password: "b".into(), is_system: false }];
    with_jetstream(&mut options, directory.path(), "hub");
    let hub = support::start(options).await;
    for (password, is_let_in) in [("b", true), ("c", false)] {
        let mut options = support::options();
        let user = ("a".to_owned(), Some(password.to_owned()));
        let url = url(hub.leaf_address().unwrap());
        options.leaf_nodes.remote_urls = vec![LeafUrl { user: user.0, password: user.1, ..url }];
        let leaf = support::start(options).await;
        let client = client(&leaf).await;
        if is_let_in {
            linked(&client, "hub").await;
        } else {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert_eq!(ask(&client, "$JS.hub.API.INFO", Value::Null).await, Value::Null);
        }
        leaf.shutdown().await;
    }
    // Bytes of all kinds end the link, and nothing else.
    for bytes in [&b"LS+ >\r\n"[..], b"PUB a 0\r\n\r\n", b"CONNECT {\r\n", &[0xff; 70_000], b""] {
        let socket = TcpStream::connect(hub.leaf_address().unwrap()).await.unwrap();
        let _ = socket.try_write(bytes);
        drop(socket);
    }
    // A message of somebody who is not logged in is refused by its head; the server does not wait for the rest of it.
    let mut socket = TcpStream::connect(hub.leaf_address().unwrap()).await.unwrap();
    socket.write_all(b"LMSG a 1000\r\n").await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(ended.is_ok() && answer.contains("-ERR 'Maximum Payload Violation'"), "{answer}");
    let mut options = support::options();
    options.leaf_nodes.remote_urls = vec![LeafUrl {
        user: "a".into(),
        password: Some("b".into()),
        ..url(hub.leaf_address().unwrap())
    }];
    let leaf = support::start(options).await;
    linked(&client(&leaf).await, "hub").await;
    leaf.shutdown().await;
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dials_itself_finds_the_loop() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut options = support::options();
    options.leaf_nodes.listen = Some(("127.0.0.1".into(), address.port()));
    options.leaf_nodes.remote_urls = vec![url(address)];
    let server = support::start(options).await;
    let client = client(&server).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut heard = client.subscribe("once").await.unwrap();
    client.flush().await.unwrap();
    client.publish("once", "1".into()).await.unwrap();
    client.publish("once", "2".into()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload, "1");
    assert_eq!(heard.next().await.unwrap().payload, "2");
    server.shutdown().await;
}

/// A peer that logs in and then sends what no server does harms nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_listens_to_endless_subjects() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub(directory.path(), 0).await;
    let socket = TcpStream::connect(hub.leaf_address().unwrap()).await.unwrap();
    let mut socket = tokio::io::BufReader::new(socket);
    let endless = vec!["a"; 30_000].join(".");
    let queues = (0..100).map(|number| format!("q{number} ")).collect::<String>();
    let sent = format!(
        "CONNECT {{\"name\":\"x\"}}\r\nLS+ {endless}\r\nLS- {endless}\r\nLS+ {endless}\r\n\
         LMSG {endless} 1\r\n1\r\nLS+ b\r\nLMSG c | {queues}1\r\n1\r\nPING\r\n"
    );
    socket.get_mut().write_all(sent.as_bytes()).await.unwrap();
    let mut line = String::new();
    while line != "PONG\r\n" {
        line.clear();
        let read = tokio::time::timeout(DEADLINE, socket.read_line(&mut line)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "the link is up");
    }
    drop(socket);
    let client = client(&hub).await;
    assert_eq!(ask(&client, "$JS.API.INFO", Value::Null).await["domain"], "hub");
    hub.shutdown().await;
}

/// Passes bytes on until it is told to cut.
async fn proxy(listener: TcpListener, to: SocketAddr, mut cuts: tokio::sync::watch::Receiver<u32>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let Ok(mut onward) = TcpStream::connect(to).await else { continue };
        cuts.mark_unchanged();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut from, &mut onward) => {}
            _ = cuts.changed() => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_over_links_that_are_cut() {
    let directory = tempfile::tempdir().unwrap();
    let hub = hub(directory.path(), 0).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = listener.local_addr().unwrap();
    let (cut, cuts) = tokio::sync::watch::channel(0);
    let proxy = tokio::spawn(proxy(listener, hub.leaf_address().unwrap(), cuts));
    let leaf = leaf(directory.path(), between).await;
    let (at_hub, at_leaf) = (client(&hub).await, client(&leaf).await);
    ask(&at_hub, "$JS.API.STREAM.CREATE.A", json!({"name": "A", "subjects": ["a.>"]})).await;
    let origin = json!({"name": "A", "external": {"api": "$JS.hub.API"}});
    ask(&at_leaf, "$JS.API.STREAM.CREATE.M", json!({"name": "M", "mirror": origin})).await;
    ask(&at_leaf, "$JS.API.STREAM.CREATE.S", json!({"name": "S", "sources": [origin]})).await;
    let total = 2000;
    for number in 1..=total {
        let payload = format!("{number} {}", "x".repeat(2000));
        // An `@` also stands between the reply and the subject of what crosses a link.
        ask(&at_hub, &format!("a.b@c.{}", number % 3), json!(payload)).await;
        if number % 400 == 150 {
            cut.send_modify(|count| *count += 1);
        }
    }
    for name in ["M", "S"] {
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        until(&at_leaf, &subject, "the copy is whole", |info| {
            let copy = info.get("mirror").unwrap_or(&info["sources"][0]);
            info["state"]["messages"] == total && copy["lag"] == 0 && copy.get("error").is_none()
        })
        .await;
        for sequence in (1..=total).step_by(37) {
            let subject = format!("$JS.API.STREAM.MSG.GET.{name}");
            let message = ask(&at_leaf, &subject, json!({"seq": sequence})).await;
            let data = message["message"]["data"].as_str().unwrap().as_bytes();
            let data = String::from_utf8(data_encoding::BASE64.decode(data).unwrap()).unwrap();
            assert!(data.starts_with(&format!("\"{sequence} ")), "{name} {sequence}: {data}");
            assert_eq!(message["message"]["subject"], format!("a.b@c.{}", sequence % 3));
        }
    }
    leaf.shutdown().await;
    hub.shutdown().await;
    proxy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_its_origin_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let first = hub(directory.path(), 0).await;
    let address = first.leaf_address().unwrap();
    let leaf = leaf(directory.path(), address).await;
    let at_leaf = client(&leaf).await;
    linked(&at_leaf, "hub").await;
    let origin = json!({"name": "A", "external": {"api": "$JS.hub.API"}});
    ask(&at_leaf, "$JS.API.STREAM.CREATE.M", json!({"name": "M", "mirror": origin})).await;
    let info = "$JS.API.STREAM.INFO.M";
    until(&at_leaf, info, "the origin is missed", |info| {
        info["mirror"]["error"]["err_code"] == 10059 && info["mirror"]["active"] == -1
    })
    .await;
    let create = json!({"name": "A", "subjects": ["a"]});
    ask(&at_leaf, "$JS.hub.API.STREAM.CREATE.A", create).await;
    assert_eq!(ask(&at_leaf, "a", json!(1)).await["seq"], 1);
    let is_whole = |count: u64| {
        move |info: &Value| {
            let mirror = &info["mirror"];
            info["state"]["messages"] == count && mirror.get("error").is_none()
        }
    };
    until(&at_leaf, info, "the origin that came is copied", is_whole(1)).await;
    first.shutdown().await;
    until(&at_leaf, info, "the lost origin is missed", |info| {
        let text = info["mirror"]["error"]["description"].as_str().unwrap_or_default().to_owned();
        text.contains("origin cannot be reached")
    })
    .await;
    let second = hub(directory.path(), address.port()).await;
    let at_hub = client(&second).await;
    assert_eq!(ask(&at_hub, "a", json!(2)).await["seq"], 2);
    until(&at_leaf, info, "the copy goes on", is_whole(2)).await;
    // Another stream of the same name is another stream.
    ask(&at_hub, "$JS.API.STREAM.DELETE.A", Value::Null).await;
    let create = json!({"name": "A", "subjects": ["a"]});
    ask(&at_hub, "$JS.API.STREAM.CREATE.A", create).await;
    until(&at_leaf, info, "another creation is told from the first", |info| {
        let text = info["mirror"]["error"]["description"].as_str().unwrap_or_default().to_owned();
        text.contains("origin was recreated")
    })
    .await;
    leaf.shutdown().await;
    second.shutdown().await;
}
