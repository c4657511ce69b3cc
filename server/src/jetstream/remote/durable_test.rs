//! A copy on a slow disk of a stream whose messages go when they are acknowledged: the origin is a whole server, the copier
//! is the replication over the remote session, and the disk is a target that keeps its answers back.

use super::remote_test::{in_domain, remote};
use super::*;
use crate::routing::Message;
use headwater_replication::mirror::Mirror;
use headwater_replication::testing::ModelTarget;
use headwater_replication::{MirrorConfig, Replicator};
use serde_json::json;
use std::time::Duration;

const MESSAGES: u64 = 200;
/// Longer than the heartbeats and questions of the consumer need to come and go.
const HELD: Duration = Duration::from_secs(3);

async fn state(api: &Api) -> Value {
    api.ask("STREAM.INFO.Q", &Value::Null).await.unwrap()["state"].take()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what} in time");
}

/// Neither lets the copier acknowledge before its write is durable, nor the origin a message go before it is acknowledged.
#[tokio::test]
async fn nothing_goes_while_the_disk_of_its_copy_is_slow() {
    let (_directory, server) = in_domain().await;
    let account = server.shared().accounts.global.clone();
    let api = Api::new(account.clone(), "$JS.d.API");
    for retention in ["workqueue", "interest"] {
        let config = json!({"name": "Q", "subjects": ["q.*"], "retention": retention});
        api.ask("STREAM.CREATE.Q", &config).await.unwrap();
        let target = Arc::new(ModelTarget::default());
        let plugin = Mirror::new(MirrorConfig { name: "Q".into(), ..MirrorConfig::default() });
        let origin = Arc::new(remote(&account, "Q", "$JS.d.API", true));
        let replication = Replicator::start(target.clone(), Box::new(plugin.unwrap()), origin);
        until("a consumer delivers", async || {
            let listed = api.ask("CONSUMER.LIST.Q", &Value::Null).await.unwrap();
            listed["consumers"][0]["push_bound"] == true
        })
        .await;
        target.hold();
        // At once, so that few batches are under way, and the copy still reads what the consumer asks.
        for number in 0..MESSAGES {
            let payload = number.to_string().into();
            account.send(&Message { subject: "q.a".into(), payload, ..Message::default() });
        }
        until("the stream has all", async || state(&api).await["last_seq"] == MESSAGES).await;
        until("the copy writes", async || target.held() > 0).await;
        tokio::time::sleep(HELD).await;
        let held = state(&api).await;
        assert_eq!((&held["messages"], &held["first_seq"]), (&json!(MESSAGES), &json!(1)));
        target.release();
        until("all of it goes", async || state(&api).await["messages"] == 0).await;
        assert_eq!(target.messages().len() as u64, MESSAGES, "{retention}");
        replication.stop().await;
        api.ask("STREAM.DELETE.Q", &Value::Null).await.unwrap();
    }
    server.shutdown().await;
}
