//! The interest tree against the plain definition of matching, and its emptiness after everything is removed.

use super::*;
use crate::routing::{Account, Handler, Message, Origin};
use headwater_storage::subject;
use proptest::prelude::*;

struct Nobody;
impl Handler for Nobody {
    fn deliver(&self, _: &Arc<Account>, _: &Message, _: &Arc<Origin>) {}
}

fn subscription(pattern: &str, queue: &str) -> Arc<Subscription> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let target = Target::Service(Arc::new(Nobody));
    Arc::new(Subscription::new(bytes(pattern), bytes(queue), Bytes::new(), target))
}

#[test]
fn queue_groups_join_by_name() {
    let mut tree = Tree::default();
    for (pattern, queue) in [("a.*", "q"), ("a.b", "q"), ("a.b", "r"), ("a.>", ""), ("b", "q")] {
        tree.insert(subscription(pattern, queue));
    }
    let matched = tree.matches(b"a.b");
    let mut sizes: Vec<_> = matched.queues.iter().map(|(n, m)| (n.clone(), m.len())).collect();
    sizes.sort();
    assert_eq!(sizes, [(Bytes::from("q"), 2), (Bytes::from("r"), 1)]);
    assert_eq!(matched.plain.len(), 1);
    assert!(matched.has_services && !tree.has_match(b"a") && tree.has_match(b"b"));
}

fn pattern() -> impl Strategy<Value = String> {
    ("([ab*]\\.){0,3}[ab*>]").prop_map(|text| text)
}

proptest! {
    #[test]
    fn finds_what_matches(
        patterns in proptest::collection::vec(pattern(), 0..40),
        subjects in proptest::collection::vec("([abc]\\.){0,4}[abc]", 1..10),
    ) {
        let mut tree = Tree::default();
        let all: Vec<_> = patterns.iter().map(|pattern| subscription(pattern, "")).collect();
        all.iter().for_each(|one| tree.insert(one.clone()));
        for literal in &subjects {
            let expected = patterns.iter().filter(|p| subject::matches(p, literal)).count();
            prop_assert_eq!(tree.matches(literal.as_bytes()).plain.len(), expected);
            prop_assert_eq!(tree.has_match(literal.as_bytes()), expected > 0);
        }
        for one in &all {
            prop_assert!(tree.remove(one));
            prop_assert!(!tree.remove(one));
        }
        prop_assert!(tree.root.is_empty() && tree.len() == 0);
    }
}
