//! The remote origin against a server that is reached under its domain, and against a consumer that does everything wrong.

use super::*;
use crate::jetstream::config::External;
use crate::protocol::headers;
use crate::routing::{Handler, InternalSubscription, Message};
use crate::server::RunningServer;
use crate::{Options, Server};
use bytes::Bytes;
use headwater_replication::origin::Start;
use headwater_replication::testing::check_origin;
use serde_json::json;
use std::sync::Mutex;

/// An origin behind an API with another prefix.
pub(super) fn remote(
    account: &Arc<Account>,
    name: &str,
    api: &str,
    is_mirror: bool,
) -> RemoteOrigin {
    let external = External { api: api.into(), deliver: "over.there".into() };
    let origin =
        OriginConfig { name: name.into(), external: Some(external), ..OriginConfig::default() };
    let copier = Copier { stream: "M".into(), place: "here".into(), is_mirror };
    RemoteOrigin::new(account.clone(), &origin, &copier)
}

/// A server whose API stands behind the domain `d`, and where it keeps its streams.
pub(super) async fn in_domain() -> (tempfile::TempDir, RunningServer) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options { host: "127.0.0.1".into(), port: 0, ..Options::default() };
    options.storage.store_dir = Some(directory.path().into());
    options.jetstream_mut().domain = "d".into();
    (directory, Server::start(options).await.unwrap())
}

#[tokio::test]
async fn a_stream_behind_a_domain_passes_the_suite_for_origins() {
    let (_directory, server) = in_domain().await;
    let account = server.shared().accounts.global.clone();
    let api = Api::new(account.clone(), "$JS.d.API");
    let config = json!({"name": "A", "subjects": ["o.*", "p"], "max_msgs_per_subject": 3});
    api.ask("STREAM.CREATE.A", &config).await.unwrap();
    let publish = Api::new(account.clone(), "o");
    for word in ["a", "b", "a", "a", "a", "c", "b", "a"] {
        publish.ask(word, &json!({"of": word})).await.unwrap();
    }
    let mut messages = Vec::new();
    for sequence in 1..=8 {
        let Ok(reply) = api.ask("STREAM.MSG.GET.A", &json!({"seq": sequence})).await else {
            continue;
        };
        let message = &reply["message"];
        let time: jiff::Timestamp = message["time"].as_str().unwrap().parse().unwrap();
        let word = message["subject"].as_str().unwrap().split_at(2).1;
        messages.push(headwater_storage::Message {
            sequence,
            time: crate::jetstream::text_time::stored(time),
            subject: message["subject"].as_str().unwrap().to_owned().into(),
            headers: Bytes::new(),
            payload: json!({"of": word}).to_string().into(),
        });
    }
    assert_eq!(messages.len(), 6, "the limit left gaps");
    let (sender, _everything) = tokio::sync::mpsc::unbounded_channel();
    for is_heard in [false, true] {
        // Somebody who listens to everything makes consumers deliver as soon as they are there.
        let everything = Arc::new(Heard(sender.clone()));
        let _everything = is_heard.then(|| account.subscribe(">", everything));
        for is_mirror in [true, false] {
            let origin = remote(&account, "A", "$JS.d.API", is_mirror);
            let origin: Arc<dyn Origin> = Arc::new(origin);
            check_origin(&origin, &messages, "o.a").await;
        }
    }
    let absent = remote(&account, "B", "$JS.d.API", true);
    assert!(matches!(absent.open().await.err(), Some(Error::OriginNotFound(name)) if name == "B"));
    let far = remote(&account, "A", "$JS.far.API", true);
    assert!(matches!(far.open().await.err(), Some(Error::OriginUnreachable(_))));
    server.shutdown().await;
}

/// A stream that is deleted and created again after it was asked what it is, is not taken for the first.
#[tokio::test]
async fn another_creation_is_not_read_as_the_first() {
    let (_directory, server) = in_domain().await;
    let account = server.shared().accounts.global.clone();
    let api = Api::new(account.clone(), "$JS.d.API");
    let config = json!({"name": "A", "subjects": ["o.*"]});
    api.ask("STREAM.CREATE.A", &config).await.unwrap();
    let origin = remote(&account, "A", "$JS.d.API", true);
    let mut session = origin.open().await.unwrap();
    api.ask("STREAM.DELETE.A", &Value::Null).await.unwrap();
    api.ask("STREAM.CREATE.A", &config).await.unwrap();
    let error = session.start(Start::Sequence(1), Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("identity does not match"), "{error}");
    let mut session = origin.open().await.unwrap();
    session.start(Start::Sequence(1), Vec::new()).await.unwrap();
    server.shutdown().await;
}

/// An API that makes a consumer, which then sends what the test wants.
struct Fake {
    retention: Mutex<&'static str>,
    deliver: Mutex<String>,
    asked: Mutex<Vec<String>>,
    /// The last consumer asked for.
    config: Mutex<Value>,
    /// What the consumer takes.
    ack_policy: Mutex<&'static str>,
    /// What the stream and the consumer say where they are asked what is left.
    left: Mutex<Value>,
    info: Mutex<Value>,
}

impl Handler for Fake {
    fn deliver(
        &self,
        account: &Arc<Account>,
        message: &Message,
        _origin: &Arc<crate::routing::Origin>,
    ) {
        let subject = std::str::from_utf8(&message.subject).unwrap().to_owned();
        let reply = if subject.contains("STREAM.INFO") {
            json!({"created": "2026-11-24T10:58:47Z", "config": {"retention": *self.retention.lock().unwrap()},
                "state": {"messages": 9, "first_seq": 1, "last_seq": 9}})
        } else if subject.contains("STREAM.MSG.GET") {
            self.left.lock().unwrap().clone()
        } else if subject.contains("CONSUMER.INFO") {
            let mut info = self.info.lock().unwrap().clone();
            info["config"] = json!({"ack_policy": *self.ack_policy.lock().unwrap()});
            info
        } else {
            let body: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            if let Some(to) = body["config"]["deliver_subject"].as_str() {
                to.clone_into(&mut self.deliver.lock().unwrap());
                *self.config.lock().unwrap() = body["config"].clone();
            }
            let config = json!({"ack_policy": *self.ack_policy.lock().unwrap()});
            let none = json!({"stream_seq": 0});
            json!({"name": "C", "delivered": none, "ack_floor": none, "num_pending": 9, "config": config})
        };
        self.asked.lock().unwrap().push(subject);
        let (subject, payload) = (message.reply.clone(), Bytes::from(reply.to_string()));
        account.send(&Message { subject, payload, ..Message::default() });
    }
}

/// A session on a fake, with what sends to it.
struct Scene {
    account: Arc<Account>,
    fake: Arc<Fake>,
    _api: InternalSubscription,
    session: Box<dyn Session>,
}

impl Scene {
    async fn start() -> Self {
        Self::of("limits", None).await
    }
    /// A copy of a stream that is kept so, perhaps through a consumer that was made beforehand.
    async fn of(retention: &'static str, own: Option<OriginConsumer>) -> Self {
        let account = Account::new("$G");
        let deliver = own.as_ref().map(|own| own.deliver_subject.clone()).unwrap_or_default();
        let fake = Arc::new(Fake {
            retention: Mutex::new(retention),
            deliver: Mutex::new(deliver),
            asked: Mutex::default(),
            config: Mutex::default(),
            ack_policy: Mutex::new("flow_control"),
            left: Mutex::new(json!({"error": {"err_code": 10037, "description": "none"}})),
            info: Mutex::new(json!({"num_pending": 7})),
        });
        let api = account.subscribe("$JS.x.API.>", fake.clone());
        let mut origin = remote(&account, "A", "$JS.x.API", true);
        origin.own = own;
        let mut session = origin.open().await.unwrap();
        assert_eq!(session.start(Start::Sequence(1), Vec::new()).await.unwrap(), 1);
        Self { account, fake, _api: api, session }
    }
    fn was_asked(&self, what: &str) -> bool {
        self.fake.asked.lock().unwrap().iter().any(|asked| asked.contains(what))
    }
    fn send(&self, reply: &str, status: &str, fields: &[(&str, &str)]) {
        let to = self.fake.deliver.lock().unwrap().clone();
        assert!(to.starts_with("over.there.M.") || to == "own", "{to}");
        let headers = if status.is_empty() { Bytes::new() } else { headers::block(status, fields) };
        let reply = Bytes::from(reply.to_owned());
        self.account.send(&Message { subject: to.into(), reply, headers, ..Message::default() });
    }
    fn message(&self, number: u64, sequence: u64) {
        self.send(&format!("$JS.ACK.A.C.1.{sequence}.{number}.5.{}", 9 - sequence), "", &[]);
    }
    fn heartbeat(&self, number: &str) {
        self.send("", "100 Idle Heartbeat", &[("Nats-Last-Consumer", number)]);
    }
    async fn next(&mut self) -> Result<Vec<u64>> {
        let batch = self.session.next(100, 1024).await?;
        Ok(batch.messages.iter().map(|message| message.sequence).collect())
    }
}

#[tokio::test]
async fn what_is_missing_ends_a_session() {
    for case in ["skipped", "repeated", "backward", "tail", "ended"] {
        let mut scene = Scene::start().await;
        scene.message(1, 2);
        scene.message(2, 5);
        assert_eq!(scene.next().await.unwrap(), [2, 5], "a gap in sequences is none in deliveries");
        scene.heartbeat("2");
        assert_eq!(scene.next().await.unwrap(), Vec::<u64>::new(), "a heartbeat");
        assert_eq!(scene.session.frontier().pending(5), Some(4));
        match case {
            "skipped" => scene.message(4, 7),
            "repeated" => scene.message(2, 5),
            "backward" => scene.message(3, 4),
            "tail" => scene.heartbeat("3"),
            _ => scene.send("", "409 Consumer Deleted", &[]),
        }
        let error = scene.next().await.unwrap_err();
        assert!(matches!(error, Error::OriginUnreachable(_)), "{case}: {error}");
        let Scene { fake, session, .. } = scene;
        drop(session);
        let asked = fake.asked.lock().unwrap().clone();
        assert_eq!(asked.last().unwrap(), "$JS.x.API.CONSUMER.DELETE.A.C", "{case}");
    }
}

struct Heard(tokio::sync::mpsc::UnboundedSender<Message>);

impl Handler for Heard {
    fn deliver(&self, _: &Arc<Account>, message: &Message, _: &Arc<crate::routing::Origin>) {
        self.0.send(message.clone()).unwrap();
    }
}

/// Where messages go when they are acknowledged, the consumer stays and hears of nothing that is not durable.
#[tokio::test]
async fn what_may_go_is_acknowledged_when_it_is_durable() {
    let own = OriginConsumer { name: "C".into(), deliver_subject: "own".into() };
    for (retention, own) in [("workqueue", None), ("interest", None), ("limits", Some(own))] {
        let is_own = own.is_some();
        let mut scene = Scene::of(retention, own).await;
        let config = scene.fake.config.lock().unwrap().clone();
        if is_own {
            assert!(scene.was_asked("CONSUMER.RESET.A.C") && config.is_null());
        } else {
            assert_eq!((&config["sourcing"], &config["direct"]), (&json!(true), &json!(true)));
            let name = format!("JS_MIRROR_{}", hash8("M $G here"));
            assert_eq!(config["name"], name);
            assert_eq!(
                config["metadata"],
                json!({"_nats.mirror.stream": "M", "_nats.mirror.acc": "$G"})
            );
        }
        let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let _flow = scene.account.subscribe("$JS.FC.>", Arc::new(Heard(sender)));
        let told = scene.session.acknowledge().unwrap();
        scene.message(1, 3);
        scene.message(2, 4);
        scene.send("$JS.FC.A.C.1", "100 FlowControl Request", &[]);
        scene.message(3, 8);
        let stalled = [("Nats-Last-Consumer", "3"), ("Nats-Consumer-Stalled", "$JS.FC.A.C.1")];
        scene.send("", "100 Idle Heartbeat", &stalled);
        assert_eq!(scene.next().await.unwrap(), [3, 4, 8]);
        told.durable(3);
        assert!(heard.try_recv().is_err(), "4 is not durable");
        told.durable(4);
        let answer = heard.try_recv().unwrap();
        assert_eq!(answer.subject, "$JS.FC.A.C.1");
        assert_eq!(headers::get(&answer.headers, "Nats-Last-Stream"), Some(&b"4"[..]));
        assert_eq!(headers::get(&answer.headers, "Nats-Last-Consumer"), Some(&b"2"[..]));
        scene.send("$JS.FC.A.C.2", "100 FlowControl Request", &[]);
        assert_eq!(scene.next().await.unwrap(), Vec::<u64>::new());
        assert!(heard.try_recv().is_err(), "8 is not durable");
        told.durable(9);
        assert_eq!(heard.try_recv().unwrap().subject, "$JS.FC.A.C.2");
        let Scene { fake, session, .. } = scene;
        drop(session);
        let asked = fake.asked.lock().unwrap().clone();
        assert!(!asked.iter().any(|asked| asked.contains("DELETE")), "it stays: {asked:?}");
    }
}

/// A consumer that does not wait for acknowledgements is not copied through: messages would go before they are durable.
#[tokio::test]
async fn consumers_that_do_not_wait_are_refused() {
    let own = OriginConsumer { name: "C".into(), deliver_subject: "own".into() };
    for own in [None, Some(own)] {
        let scene = Scene::of("workqueue", None).await;
        *scene.fake.ack_policy.lock().unwrap() = "none";
        let mut origin = remote(&scene.account, "A", "$JS.x.API", true);
        origin.own.clone_from(&own);
        let mut session = origin.open().await.unwrap();
        let error = session.start(Start::Sequence(1), Vec::new()).await.unwrap_err();
        let fits = match own {
            None => matches!(error, Error::Halted(_)),
            Some(_) => matches!(error, Error::ConsumerUnfit(_)),
        };
        assert!(fits, "{error}");
        assert!(!scene.was_asked("CONSUMER.RESET"), "it is left as it is");
    }
}

/// Heartbeats alone do not make a consumer one that works: the stream is asked whether something is left.
#[tokio::test]
async fn a_consumer_that_delivers_nothing_is_noticed() {
    let nothing = json!({"error": {"err_code": 10037, "description": "none"}});
    let message = json!({"message": {"seq": 4}});
    let undelivered = "the consumer does not deliver what is left";
    for (left, info, retention, expected) in [
        (nothing.clone(), json!({"num_pending": 7}), "limits", ""),
        (message.clone(), json!({"num_pending": 7, "paused": true}), "limits", ""),
        (message, json!({"num_pending": 7}), "limits", undelivered),
        (nothing, json!({"num_pending": 0}), "interest", "the stream waits for acknowledgements"),
    ] {
        let mut scene = Scene::start().await;
        *scene.fake.retention.lock().unwrap() = retention;
        (*scene.fake.left.lock().unwrap(), *scene.fake.info.lock().unwrap()) = (left, info);
        scene.message(1, 3);
        scene.session.next(1, 1024).await.unwrap();
        let mut error = None;
        for beat in 1..=40 {
            scene.heartbeat("1");
            match scene.next().await {
                Ok(_) => assert!(beat >= 10 || !scene.was_asked("STREAM.MSG.GET"), "{beat}"),
                Err(lost) => {
                    error = Some(lost);
                    break;
                }
            }
            // What is asked is answered on a task of its own.
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.was_asked("STREAM.MSG.GET.A"), retention == "limits");
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
        if expected == undelivered {
            assert_eq!(scene.session.frontier().pending(3), Some(7), "the lag is the true one");
        }
    }
}

#[tokio::test]
async fn questions_are_answered_when_what_came_before_them_is_taken() {
    let mut scene = Scene::start().await;
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let _flow = scene.account.subscribe("$JS.FC.>", Arc::new(Heard(sender)));
    scene.message(1, 3);
    scene.send("$JS.FC.A.C.1", "100 FlowControl Request", &[]);
    assert!(heard.try_recv().is_err(), "nothing is taken yet");
    assert_eq!(scene.next().await.unwrap(), [3]);
    let answer = heard.try_recv().unwrap();
    assert_eq!(answer.subject, "$JS.FC.A.C.1");
    assert_eq!(headers::get(&answer.headers, "Nats-Last-Stream"), Some(&b"3"[..]));
    let stalled = [("Nats-Last-Consumer", "1"), ("Nats-Consumer-Stalled", "$JS.FC.A.C.2")];
    scene.send("", "100 Idle Heartbeat", &stalled);
    assert_eq!(scene.next().await.unwrap(), Vec::<u64>::new());
    assert_eq!(heard.try_recv().unwrap().subject, "$JS.FC.A.C.2");
}

#[tokio::test]
async fn silence_ends_a_session() {
    let mut scene = Scene::start().await;
    let silent = tokio::time::timeout(std::time::Duration::from_secs(20), scene.next()).await;
    let error = silent.expect("it does not wait for ever").unwrap_err();
    assert!(error.to_string().contains("silent"), "{error}");
}
