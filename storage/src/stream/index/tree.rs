//! The tree of tokens that subjects share, for filters with wildcards.
//!
//! A node stands for the tokens before the last one of at least one subject; subjects themselves are leaves, numbers in
//! the list of their node. A child is found by (node, token) in one hash table for all nodes. Lists have no order; each
//! member knows its slot, so that it goes without a search.
//! Invariants: every node but the root has a branch or a leaf; the root is there as soon as anything is.
//! Not here: the bytes of whole subjects and which subjects there are (`SubjectIndex`).

use super::{
    SubjectId,
    slab::Slab,
    table::{self, HashedNumbers},
    walk::Walk,
};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

/// The node of no token at all: the first that was made, and never removed.
pub(super) const ROOT: u32 = 0;

/// Two numbers fit without a heap allocation.
type Numbers = SmallVec<[u32; 2]>;

/// Where the tree has a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    node: u32,
    slot: u32,
}

/// Tokens that subjects begin with, other than the last one.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The last of them.
    pub(super) token: Box<[u8]>,
    parent: u32,
    /// Where the parent has it.
    slot: u32,
    /// Nodes with one token more.
    pub(super) branches: Numbers,
    /// Subjects with one token more.
    pub(super) leaves: Numbers,
}

/// Tokens shared by subjects.
#[derive(Debug, Default)]
pub(super) struct TokenTree {
    nodes: Slab<Node>,
    by_token: HashedNumbers,
    hashing: RandomState,
}

impl TokenTree {
    /// Adds a subject that is not there.
    pub(super) fn insert(&mut self, subject: &[u8], id: SubjectId) -> Place {
        if self.nodes.len() == 0 {
            assert_eq!(self.nodes.insert(Node::default()), ROOT, "the root is the first node");
        }
        let mut node = ROOT;
        let mut tokens = subject.split(|byte| *byte == b'.').peekable();
        while let Some(token) = tokens.next()
            && tokens.peek().is_some()
        {
            node = self.branch(node, token).unwrap_or_else(|| self.add_branch(node, token));
        }
        let leaves = self.nodes.get_mut(node).map(|node| &mut node.leaves);
        Place { node, slot: leaves.map_or(0, |leaves| push(leaves, id.0)) }
    }

    /// Removes a subject. Another one may have moved into its place.
    pub(super) fn remove(&mut self, place: Place) -> Option<(SubjectId, Place)> {
        let node = self.nodes.get_mut(place.node)?;
        let moved = take(&mut node.leaves, place.slot);
        self.prune(place.node);
        moved.map(|id| (SubjectId(id), place))
    }

    /// Visits each subject that matches a filter with wildcards.
    pub(super) fn walk(
        &self,
        filter: &str,
        find: &dyn Fn(&[u8]) -> Option<SubjectId>,
        visit: &mut dyn FnMut(SubjectId),
    ) {
        Walk::new(self, find, visit).run(filter);
    }

    pub(super) fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number)
    }

    /// The node with one token more.
    pub(super) fn branch(&self, parent: u32, token: &[u8]) -> Option<u32> {
        let is_it = |number| {
            self.nodes
                .get(number)
                .is_some_and(|node| node.parent == parent && *node.token == *token)
        };
        self.by_token.find(table::hash(&self.hashing, parent, token), is_it)
    }

    fn add_branch(&mut self, parent: u32, token: &[u8]) -> u32 {
        let node = Node { token: token.into(), parent, ..Node::default() };
        let number = self.nodes.insert(node);
        self.by_token.insert(table::hash(&self.hashing, parent, token), number);
        let branches = self.nodes.get_mut(parent).map(|parent| &mut parent.branches);
        let slot = branches.map_or(0, |branches| push(branches, number));
        self.set_slot(number, slot);
        number
    }

    /// Removes a node that has nothing left, and those above it that have nothing else.
    fn prune(&mut self, mut number: u32) {
        while number != ROOT
            && let Some(node) = self.nodes.get(number)
            && node.branches.is_empty()
            && node.leaves.is_empty()
            && let Some(node) = self.nodes.remove(number)
        {
            self.by_token.remove(table::hash(&self.hashing, node.parent, &node.token), number);
            let parent = self.nodes.get_mut(node.parent);
            if let Some(moved) = parent.and_then(|parent| take(&mut parent.branches, node.slot)) {
                self.set_slot(moved, node.slot);
            }
            number = node.parent;
        }
    }

    fn set_slot(&mut self, number: u32, slot: u32) {
        if let Some(node) = self.nodes.get_mut(number) {
            node.slot = slot;
        }
    }
}

/// Adds a number and gives its slot.
fn push(numbers: &mut Numbers, number: u32) -> u32 {
    numbers.push(number);
    (numbers.len() - 1) as u32
}

/// Takes a number out. The last one moves into its slot; gives that one, if it is another.
fn take(numbers: &mut Numbers, slot: u32) -> Option<u32> {
    let slot = slot as usize;
    assert!(slot < numbers.len(), "a member knows its slot");
    numbers.swap_remove(slot);
    if numbers.spilled() && numbers.len() * 4 <= numbers.capacity() {
        numbers.shrink_to_fit();
    }
    numbers.get(slot).copied()
}
