//! The interest tree: subscriptions by subject, one level a token, with `*` and `>` beside the literal tokens.
//! A lookup visits only nodes that match, so its cost follows the subject's tokens and not the number of subscriptions.
//! Not here: locks and change counters (`account`).

use super::{Subscription, Target};
use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// What a subject matched.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    /// Each of these receives the message.
    pub plain: SmallVec<[Arc<Subscription>; 4]>,
    /// One of each of these receives it: queue groups, joined by name over all matching subjects.
    pub queues: Vec<(Bytes, Vec<Arc<Subscription>>)>,
    /// Whether a service of the server is among them.
    pub has_services: bool,
    /// Whether another server is among them.
    pub has_peers: bool,
}

impl Matched {
    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_empty()
    }
    fn add(&mut self, node: &Node) {
        self.plain.extend(node.plain.iter().cloned());
        for subscription in &node.queued {
            match self.queues.iter_mut().find(|(name, _)| *name == subscription.queue) {
                Some((_, members)) => members.push(subscription.clone()),
                None => {
                    self.queues.push((subscription.queue.clone(), vec![subscription.clone()]));
                }
            }
        }
    }
    fn close(&mut self) {
        let members = self.queues.iter().flat_map(|(_, members)| members);
        for subscription in self.plain.iter().chain(members) {
            match subscription.target {
                Target::Sink(_) => {}
                Target::Peer(_) => self.has_peers = true,
                Target::Service(_) => self.has_services = true,
            }
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<[u8]>, Node, RandomState>,
    star: Option<Box<Node>>,
    full: Option<Box<Node>>,
    plain: Vec<Arc<Subscription>>,
    queued: Vec<Arc<Subscription>>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.plain.is_empty()
            && self.queued.is_empty()
            && self.children.is_empty()
            && self.star.is_none()
            && self.full.is_none()
    }
}

/// Subscriptions by subject.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    count: usize,
}

impl Tree {
    /// How many subscriptions it holds.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// All subscriptions, in no order.
    pub(super) fn all(&self) -> Vec<Arc<Subscription>> {
        let mut found = Vec::with_capacity(self.count);
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            found.extend(node.plain.iter().chain(&node.queued).cloned());
            nodes.extend(node.children.values());
            nodes.extend(node.star.as_deref());
            nodes.extend(node.full.as_deref());
        }
        found
    }

    /// Adds a subscription under its subject.
    pub(super) fn insert(&mut self, subscription: Arc<Subscription>) {
        let subject = subscription.subject.clone();
        let mut node = &mut self.root;
        for token in subject.split(|byte| *byte == b'.') {
            node = match token {
                b"*" => node.star.get_or_insert_default(),
                b">" => node.full.get_or_insert_default(),
                _ => node.children.entry(token.into()).or_default(),
            };
        }
        let list = if subscription.queue.is_empty() { &mut node.plain } else { &mut node.queued };
        list.push(subscription);
        self.count += 1;
    }

    /// Removes exactly this subscription; says whether it was there.
    pub(super) fn remove(&mut self, subscription: &Arc<Subscription>) -> bool {
        let removed = remove(&mut self.root, Some(&subscription.subject), subscription);
        self.count -= usize::from(removed);
        removed
    }

    /// Everything that matches a literal subject; nothing where it has an empty token.
    pub(super) fn matches(&self, subject: &[u8]) -> Matched {
        let mut matched = Matched::default();
        if has_empty_token(subject) {
            return matched;
        }
        visit(&self.root, Some(subject), &mut |node| {
            matched.add(node);
            false
        });
        matched.close();
        matched
    }

    /// Whether anything matches a literal subject.
    pub(super) fn has_match(&self, subject: &[u8]) -> bool {
        !has_empty_token(subject)
            && visit(&self.root, Some(subject), &mut |node| {
                !node.plain.is_empty() || !node.queued.is_empty()
            })
    }
}

fn has_empty_token(subject: &[u8]) -> bool {
    subject.split(|byte| *byte == b'.').any(<[u8]>::is_empty)
}

/// The first token and what follows the dot after it.
fn split(subject: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'.', subject).and_then(|dot| subject.split_at_checked(dot)) {
        Some((token, rest)) => (token, rest.get(1..)),
        None => (subject, None),
    }
}

/// Visits the nodes that match until the visitor says stop; gives whether it did.
fn visit(node: &Node, rest: Option<&[u8]>, visitor: &mut dyn FnMut(&Node) -> bool) -> bool {
    let Some(rest) = rest else { return visitor(node) };
    if let Some(full) = &node.full
        && visitor(full)
    {
        return true;
    }
    let (token, next) = split(rest);
    if let Some(star) = &node.star
        && visit(star, next, visitor)
    {
        return true;
    }
    node.children.get(token).is_some_and(|child| visit(child, next, visitor))
}

fn remove(node: &mut Node, rest: Option<&[u8]>, subscription: &Arc<Subscription>) -> bool {
    let Some(rest) = rest else {
        let list = if subscription.queue.is_empty() { &mut node.plain } else { &mut node.queued };
        let at = list.iter().position(|have| Arc::ptr_eq(have, subscription));
        return at.map(|at| list.swap_remove(at)).is_some();
    };
    let (token, next) = split(rest);
    match token {
        b"*" | b">" => {
            let slot = if token == b"*" { &mut node.star } else { &mut node.full };
            let Some(child) = slot else { return false };
            let removed = remove(child, next, subscription);
            if child.is_empty() {
                *slot = None;
            }
            removed
        }
        _ => {
            let Some(child) = node.children.get_mut(token) else { return false };
            let removed = remove(child, next, subscription);
            if child.is_empty() {
                node.children.remove(token);
            }
            removed
        }
    }
}

#[cfg(test)]
#[path = "tree_test.rs"]
mod tests;
