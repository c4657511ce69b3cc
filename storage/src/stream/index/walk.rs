//! One walk over the tree of tokens, for one filter.
//!
//! The stack has one frame for each token on the way down, whatever the breadth: no recursion, no list of all nodes.
//! Not here: the tree's upkeep (`tree`).

use super::{
    SubjectId,
    tree::{Node, ROOT, TokenTree},
};

/// A node all of whose branches are gone through.
struct Frame<'a> {
    node: &'a Node,
    /// The next branch.
    next: usize,
    /// Bytes of the path that lead to this node.
    path_bytes: usize,
    /// The filter from the token after the branches' own on.
    rest: &'a str,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    tree: &'a TokenTree,
    /// Finds a whole subject: a filter that ends in a literal token asks for it and does not search leaves.
    find: &'a dyn Fn(&[u8]) -> Option<SubjectId>,
    visit: &'a mut dyn FnMut(SubjectId),
    stack: Vec<Frame<'a>>,
    /// Tokens down to the node that is looked at, each with a dot after it.
    path: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        tree: &'a TokenTree,
        find: &'a dyn Fn(&[u8]) -> Option<SubjectId>,
        visit: &'a mut dyn FnMut(SubjectId),
    ) -> Self {
        Self { tree, find, visit, stack: Vec::new(), path: Vec::new() }
    }

    /// Visits all subjects that match.
    pub(super) fn run(mut self, filter: &'a str) {
        self.enter(ROOT, filter);
        while let Some(frame) = self.stack.last_mut() {
            let Some(branch) = frame.node.branches.get(frame.next).copied() else {
                self.stack.pop();
                continue;
            };
            frame.next += 1;
            let (path_bytes, rest) = (frame.path_bytes, frame.rest);
            self.path.truncate(path_bytes);
            self.push_token_of(branch);
            self.enter(branch, rest);
        }
    }

    /// Looks at a node that the path leads to: `filter` is what the tokens below it have to match.
    fn enter(&mut self, number: u32, mut filter: &'a str) {
        let mut number = number;
        while let Some(node) = self.tree.node(number) {
            match filter.split_once('.') {
                _ if filter == ">" || filter.starts_with(">.") => {
                    self.visit_leaves(node);
                    return self.go_through_branches(node, ">");
                }
                None if filter == "*" => return self.visit_leaves(node),
                None => {
                    self.path.extend_from_slice(filter.as_bytes());
                    if let Some(id) = (self.find)(&self.path) {
                        (self.visit)(id);
                    }
                    return;
                }
                Some(("*", rest)) => return self.go_through_branches(node, rest),
                Some((token, rest)) => {
                    let Some(branch) = self.tree.branch(number, token.as_bytes()) else { return };
                    self.push_token_of(branch);
                    (number, filter) = (branch, rest);
                }
            }
        }
    }

    fn visit_leaves(&mut self, node: &Node) {
        for id in &node.leaves {
            (self.visit)(SubjectId(*id));
        }
    }

    fn go_through_branches(&mut self, node: &'a Node, rest: &'a str) {
        if !node.branches.is_empty() {
            self.stack.push(Frame { node, next: 0, path_bytes: self.path.len(), rest });
        }
    }

    fn push_token_of(&mut self, number: u32) {
        if let Some(node) = self.tree.node(number) {
            self.path.extend_from_slice(&node.token);
            self.path.push(b'.');
        }
    }
}
