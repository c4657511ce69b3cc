//! The origins that ship pass the suite for origins.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use headwater_replication::{
    origin::Origin,
    testing::{ScriptedOrigin, check_origin},
};
use std::sync::Arc;

#[tokio::test]
async fn scripted() {
    let origin = ScriptedOrigin::default();
    origin.create(1);
    for (subject, gap) in [("o.a", 4), ("o.b", 0), ("p", 0), ("o.a", 7), ("p.q", 0), ("o.c", 1)] {
        origin.publish(subject, "", gap);
    }
    let messages = origin.messages();
    let object: Arc<dyn Origin> = Arc::new(origin);
    check_origin(&object, &messages, "o.*").await;
}
