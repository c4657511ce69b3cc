//! Subject transforms: what was accepted can be applied to every subject, and gives a subject.
#![no_main]

use headwater_replication::Transform;
use headwater_storage::subject;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| {
    let (source, destination, literal) = input;
    let Ok(transform) = Transform::new(source, destination) else { return };
    let pattern = if source.is_empty() { ">" } else { source };
    let applies = subject::is_literal(literal) && subject::matches(pattern, literal);
    let Some(result) = transform.apply(literal) else {
        assert!(!applies, "{source:?} {destination:?} {literal:?}");
        return;
    };
    // A source of `>` that keeps the subject does not look at it.
    if !applies {
        assert_eq!(result, literal);
        return;
    }
    // A destination with a NUL is accepted, as in nats-server; the stream refuses the message.
    if destination.contains('\0') {
        return;
    }
    // A piece of a token such as `a>` can be a wildcard, as in nats-server; the stream refuses it.
    if literal.contains(['*', '>']) {
        return;
    }
    // An empty delimiter, or one that is the whole token, can leave nothing of a token, as in nats-server.
    if !destination.to_lowercase().contains("split(") {
        assert!(subject::is_valid(&result), "{source:?} {destination:?} {literal:?}: {result:?}");
    }
    if !destination.to_lowercase().contains("random") {
        assert_eq!(transform.apply(literal), Some(result), "it is a function");
    }
});
