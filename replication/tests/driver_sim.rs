//! The driver on models: origins that appear, vanish and are replaced, targets that refuse, wait and fail.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{mirror_of, source_of, status_within, within};
use headwater_replication::{
    Error, Replication, Replicator, State,
    mirror::Mirror,
    plugin::Plugin,
    source::Source,
    testing::{ModelTarget, ScriptedOrigin},
};
use headwater_storage::{Error as StorageError, NewMessage};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn source() -> Box<dyn Plugin> {
    Box::new(Source::new(source_of("O")).expect("config"))
}

fn mirror() -> Box<dyn Plugin> {
    Box::new(Mirror::new(mirror_of("O")).expect("config"))
}

fn start(
    target: &Arc<ModelTarget>,
    plugin: Box<dyn Plugin>,
    origin: &ScriptedOrigin,
) -> Replication {
    Replicator::start(target.clone(), plugin, Arc::new(origin.clone()))
}

fn subjects(target: &ModelTarget) -> Vec<String> {
    target.messages().iter().map(|message| message.subject_str().to_owned()).collect()
}

/// Waits until the target holds these subjects, in order, and checks that it stays so until the stop.
async fn holds(target: &ModelTarget, expected: &[&str]) {
    let what = format!("the target holds {expected:?}");
    within(&what, || (subjects(target).len() >= expected.len()).then_some(())).await;
    assert_eq!(subjects(target), expected);
}

#[tokio::test]
async fn an_origin_that_comes_later_is_copied_at_once() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    let replication = start(&target, source(), &origin);
    let status =
        status_within(&replication, "waits", |status| status.state == State::WaitingForOrigin)
            .await;
    assert!(matches!(status.error, Some(Error::OriginNotFound(_))), "{status:?}");
    assert_eq!((status.lag, status.active, status.position), (None, None, None));
    origin.create(1);
    origin.publish("a", "", 0);
    origin.publish("b", "", 5);
    holds(&target, &["a", "b"]).await;
    let status = status_within(&replication, "is done", |status| status.lag == Some(0)).await;
    assert_eq!((status.state, status.position, status.copied), (State::Copying, Some(7), 2));
    assert!(status.error.is_none() && status.active.is_some(), "{status:?}");
    origin.publish("c", "", 0);
    holds(&target, &["a", "b", "c"]).await;
    replication.stop().await;
    assert_eq!(subjects(&target), ["a", "b", "c"]);
}

#[tokio::test]
async fn an_origin_is_told_what_is_durable_and_nothing_else() {
    for plugin in [source, mirror] {
        let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
        origin.create(1);
        for subject in ["a", "b"] {
            origin.publish(subject, "", 0);
        }
        let replication = start(&target, plugin(), &origin);
        within("two are acknowledged", || origin.acknowledged().contains(&2).then_some(())).await;
        target.hold();
        origin.publish("c", "", 3);
        within("the third is handed over", || (target.held() > 0).then_some(())).await;
        assert_eq!(subjects(&target), ["a", "b", "c"]);
        assert_eq!(origin.acknowledged().iter().max(), Some(&2), "an answer is awaited");
        target.fail(&StorageError::Busy);
        within("it is copied again", || origin.acknowledged().contains(&6).then_some(())).await;
        assert_eq!(subjects(&target), ["a", "b", "c"]);
        replication.stop().await;
        // What the target has is acknowledged to another session too, though it copies nothing.
        let before = origin.acknowledged().len();
        let replication = start(&target, plugin(), &origin);
        within("all is acknowledged", || {
            origin.acknowledged().get(before..).is_some_and(|new| new.contains(&6)).then_some(())
        })
        .await;
        replication.stop().await;
    }
}

#[tokio::test]
async fn a_source_reads_a_recreated_origin_from_its_start() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    origin.create(1);
    for subject in ["a", "b", "c"] {
        origin.publish(subject, "", 0);
    }
    let replication = start(&target, source(), &origin);
    holds(&target, &["a", "b", "c"]).await;
    origin.delete();
    let status =
        status_within(&replication, "is missed", |s| s.state == State::WaitingForOrigin).await;
    assert_eq!(status.lag, None, "the frontier of a lost origin is unknown");
    origin.create(2);
    origin.publish("d", "", 0);
    holds(&target, &["a", "b", "c", "d"]).await;
    // Replaced without a moment in between, and while nobody looks.
    replication.stop().await;
    origin.create(3);
    for subject in ["e", "f"] {
        origin.publish(subject, "", 0);
    }
    let replication = start(&target, source(), &origin);
    holds(&target, &["a", "b", "c", "d", "e", "f"]).await;
    replication.stop().await;
}

#[tokio::test]
async fn a_mirror_does_not_mix_two_creations() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    origin.create(1);
    let replication = start(&target, mirror(), &origin);
    status_within(&replication, "copies", |status| status.state == State::Copying).await;
    // A mirror that never held anything follows the new one.
    origin.create(2);
    origin.publish("a", "", 0);
    origin.publish("b", "", 3);
    holds(&target, &["a", "b"]).await;
    origin.create(3);
    for _ in 0..10 {
        origin.publish("x", "", 0);
    }
    let status = status_within(&replication, "halts", |status| status.state == State::Halted).await;
    assert!(matches!(status.error, Some(Error::OriginRecreated { last_sequence: 5, .. })));
    assert_eq!(status.lag, None);
    origin.publish("y", "", 0);
    replication.stop().await;
    assert_eq!(subjects(&target), ["a", "b"]);
}

#[tokio::test]
async fn an_origin_that_lost_its_end() {
    let (copy, image) = (Arc::new(ModelTarget::default()), Arc::new(ModelTarget::default()));
    let origin = ScriptedOrigin::default();
    origin.create(1);
    for subject in ["a", "b", "c"] {
        origin.publish(subject, "", 0);
    }
    let (first, second) = (start(&copy, source(), &origin), start(&image, mirror(), &origin));
    holds(&copy, &["a", "b", "c"]).await;
    holds(&image, &["a", "b", "c"]).await;
    first.stop().await;
    second.stop().await;
    origin.lose_from(3);
    let (first, second) = (start(&copy, source(), &origin), start(&image, mirror(), &origin));
    status_within(&first, "copies", |status| status.lag == Some(0)).await;
    let status = status_within(&second, "halts", |status| status.state == State::Halted).await;
    assert!(matches!(status.error, Some(Error::OriginBehind { last_sequence: 3, .. })));
    origin.publish("d", "", 0);
    holds(&copy, &["a", "b", "c", "d"]).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(subjects(&image), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_refused_copy_is_tried_again_and_nothing_is_lost() {
    for plugin in [source, mirror] {
        let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
        origin.create(1);
        let is_full = Arc::new(AtomicBool::new(true));
        let flag = is_full.clone();
        target.refuse(move |message| {
            let refused = flag.load(Ordering::SeqCst) && message.subject == "c";
            refused.then_some(StorageError::MaximumMessages)
        });
        for subject in ["a", "b", "c", "d", "e"] {
            origin.publish(subject, "", 0);
        }
        let replication = start(&target, plugin(), &origin);
        // What stands before the refused message is stored, although it was read together with it.
        holds(&target, &["a", "b"]).await;
        status_within(&replication, "says why", |status| {
            let reason = StorageError::MaximumMessages.to_string();
            matches!(&status.error, Some(Error::Refused { sequence: 3, reason: r }) if r.to_string() == reason)
        })
        .await;
        status_within(&replication, "shows the lag", |status| status.lag == Some(3)).await;
        origin.publish("f", "", 0);
        is_full.store(false, Ordering::SeqCst);
        holds(&target, &["a", "b", "c", "d", "e", "f"]).await;
        let status = status_within(&replication, "is over it", |s| s.error.is_none()).await;
        assert_eq!(status.state, State::Copying);
        replication.stop().await;
        assert_eq!(subjects(&target).len(), 6);
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    origin.create(1);
    target.hold();
    for number in 0..5000 {
        origin.publish(&format!("s.{number}"), "", 0);
    }
    let replication = start(&target, source(), &origin);
    within("several batches are in flight", || (target.held() > 3).then_some(())).await;
    assert_eq!(replication.status().copied, 0, "what is not durable is not counted");
    let mut stopping = tokio::spawn(replication.stop());
    tokio::task::yield_now().await;
    assert!(!stopping.is_finished());
    within("the stop is waited for", || {
        target.release();
        target.hold();
        stopping.is_finished().then_some(())
    })
    .await;
    (&mut stopping).await.expect("stops");
    let held = target.messages().len();
    tokio::task::yield_now().await;
    assert_eq!(target.messages().len(), held);
}

#[tokio::test]
async fn batches_in_flight_that_fail_late_are_copied_again_in_order() {
    for plugin in [source, mirror] {
        let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
        origin.create(1);
        for number in 0..6000 {
            origin.publish(&format!("s.{number}"), "", u64::from(number % 7 == 0));
        }
        let replication = start(&target, plugin(), &origin);
        for _ in 0..3 {
            target.hold();
            within("batches are in flight", || (target.held() > 0).then_some(())).await;
            target.fail(&StorageError::NoSpace);
            origin.publish("more", "", 0);
        }
        let expected: Vec<String> =
            origin.messages().iter().map(|m| m.subject_str().to_owned()).collect();
        within("all is copied", || (target.messages().len() >= expected.len()).then_some(())).await;
        replication.stop().await;
        assert_eq!(subjects(&target), expected);
    }
}

#[tokio::test]
async fn a_target_that_goes_away_ends_the_replication() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    origin.create(1);
    origin.publish("a", "", 0);
    target.refuse(|_| Some(StorageError::Closed));
    let replication = start(&target, source(), &origin);
    let status = status_within(&replication, "ends", |status| status.state == State::Stopped).await;
    assert!(matches!(status.error, Some(Error::TargetClosed)), "{status:?}");
    replication.stop().await;
}

#[tokio::test]
async fn a_position_is_found_behind_many_other_messages() {
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    origin.create(1);
    for subject in ["a", "b", "c"] {
        origin.publish(subject, "", 0);
    }
    for number in 0..10_000 {
        let headers = match number {
            // Written before progress was kept beside the messages.
            500 => "NATS/1.0\r\nNats-Stream-Source: O 1 > > a\r\n\r\n",
            600 => "NATS/1.0\r\nNats-Stream-Source: O 2 > > b 00000001\r\n\r\n",
            700 => "NATS/1.0\r\nNats-Stream-Source: P 3 > > b 00000001\r\n\r\n",
            _ => "",
        };
        let headers = headers.into();
        target.publish(NewMessage { subject: "own".into(), headers, ..NewMessage::default() });
    }
    let replication = start(&target, source(), &origin);
    within("the rest is copied", || (target.messages().len() > 10_000).then_some(())).await;
    status_within(&replication, "is done", |status| status.lag == Some(0)).await;
    replication.stop().await;
    assert_eq!(subjects(&target)[10_000..], ["c"]);
}

/// Publishes, deletes, refuses, fails, stops and starts at random; at the end the copies are the origin's messages, each once.
async fn storm(seed: u64, plugin: fn() -> Box<dyn Plugin>) {
    let mut random = StdRng::seed_from_u64(seed);
    let (target, origin) = (Arc::new(ModelTarget::default()), ScriptedOrigin::default());
    let is_refusing = Arc::new(AtomicBool::new(false));
    let (flag, mut dice) = (is_refusing.clone(), StdRng::seed_from_u64(!seed));
    target.refuse(move |_| {
        (flag.load(Ordering::SeqCst) && dice.random_range(0..20) == 0).then_some(StorageError::Busy)
    });
    origin.create(1);
    let mut expected = Vec::new();
    let mut replication = Some(start(&target, plugin(), &origin));
    for step in 0..60 {
        match random.random_range(0..8) {
            0..4 => {
                for number in 0..random.random_range(1..300) {
                    let subject = format!("s.{step}.{number}");
                    origin.publish(&subject, "", random.random_range(0..3));
                    expected.push(subject);
                }
            }
            4 => is_refusing.store(random.random_range(0..2) == 0, Ordering::SeqCst),
            5 => {
                target.hold();
                for _ in 0..random.random_range(0..50) {
                    tokio::task::yield_now().await;
                }
                if random.random_range(0..2) == 0 {
                    target.release();
                } else {
                    target.fail(&StorageError::NoSpace);
                }
            }
            6 => {
                if let Some(replication) = replication.take() {
                    replication.stop().await;
                }
                replication = Some(start(&target, plugin(), &origin));
            }
            _ => tokio::task::yield_now().await,
        }
    }
    is_refusing.store(false, Ordering::SeqCst);
    let what = format!("all is copied, seed {seed}");
    within(&what, || (target.messages().len() >= expected.len()).then_some(())).await;
    if let Some(replication) = replication {
        status_within(&replication, &what, |status| status.lag == Some(0)).await;
        replication.stop().await;
    }
    assert_eq!(subjects(&target), expected, "seed {seed}");
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_in_a_storm() {
    for seed in 0..40 {
        storm(seed, source).await;
        storm(seed, mirror).await;
    }
}
