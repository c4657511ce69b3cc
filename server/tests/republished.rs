//! What a stream publishes again, over a socket, where another stream of the server captures it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Wire, options, start};

const ROUNDS: u64 = 50;

/// Publishes, waits for the answer, and gives it.
async fn ask(wire: &mut Wire, subject: &str, payload: &str) -> Value {
    wire.send(&format!("PUB {subject} answers {}\r\n{payload}\r\n", payload.len())).await;
    let line = wire.read_line().await;
    let bytes: usize = line.rsplit(' ').next().unwrap().parse().unwrap();
    let text = wire.read_bytes(bytes + 2).await;
    serde_json::from_str(text.trim_end()).unwrap()
}

#[tokio::test]
async fn what_is_published_again_is_stored_when_the_publisher_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options();
    options.storage.store_dir = Some(directory.path().to_owned());
    options.jetstream_mut();
    let server = start(options).await;
    let mut wire = Wire::quiet(&server).await;
    wire.send("SUB answers 1\r\n").await;
    let configs = [
        json!({"name": "A", "subjects": ["a.>"], "republish": {"src": "a.>", "dest": "b.>"}}),
        // One captures, one looks on: neither holds the answer up for ever.
        json!({"name": "B", "subjects": ["b.kept.>"]}),
    ];
    for config in configs {
        let path = format!("$JS.API.STREAM.CREATE.{}", config["name"].as_str().unwrap());
        assert_eq!(ask(&mut wire, &path, &config.to_string()).await["error"], Value::Null);
    }
    for round in 1..=ROUNDS {
        let answer = ask(&mut wire, &format!("a.kept.{round}"), "x").await;
        assert_eq!(answer["seq"], json!(2 * round - 1));
        let body = json!({"last_by_subj": format!("b.kept.{round}")}).to_string();
        let found = ask(&mut wire, "$JS.API.STREAM.MSG.GET.B", &body).await;
        assert_eq!(found["message"]["seq"], json!(round), "{found}");
        let answer = ask(&mut wire, &format!("a.passed.{round}"), "x").await;
        assert_eq!(answer["seq"], json!(2 * round));
    }
    // A stream that takes no more answers for both.
    let full = json!({"name": "B", "subjects": ["b.kept.>"], "discard": "new", "max_msgs": ROUNDS});
    assert_eq!(
        ask(&mut wire, "$JS.API.STREAM.UPDATE.B", &full.to_string()).await["error"],
        Value::Null
    );
    assert_eq!(ask(&mut wire, "a.kept.full", "x").await["seq"], json!(2 * ROUNDS + 1));
}
