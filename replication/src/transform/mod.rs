//! Subject transforms as NATS has them: a source pattern and a destination that may use the source's tokens.
//!
//! Facts about syntax, error texts and partition hashing were taken from the observed behaviour of nats-server 2.15.
//! Invariant: `apply` on a subject that matches never fails, because `new` checked every index.
//! Not here: parsing of one destination token (`function`), who uses a transform (`mirror`, `source`, the server).

mod function;
#[cfg(test)]
mod transform_test;

use crate::limits::TRANSFORM_BYTES_MAX;
use function::Function;
use headwater_storage::subject;
use std::fmt::Write as _;

/// Why a transform cannot be. Its text is the one nats-server gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// Source or destination is not a subject, or one has `>` and the other has not, or the destination has `*`.
    #[error("invalid subject")]
    Subject,
    /// A token of the destination cannot be; `token` may be empty.
    #[error("invalid mapping destination: {problem}{}{token}", if token.is_empty() { "" } else { " in " })]
    Destination {
        /// What is wrong with it.
        problem: DestinationProblem,
        /// The token, with the index where that is what is wrong.
        token: String,
    },
}

/// What is wrong with a destination token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationProblem {
    /// It is empty, holds white space, or stands behind `>`.
    Token,
    /// No function has that name and form.
    UnknownFunction,
    /// The function needs more arguments.
    TooFewArguments,
    /// The function takes fewer arguments.
    TooManyArguments,
    /// An argument is not what the function takes.
    InvalidArgument,
    /// The source has fewer wildcards.
    IndexOutOfRange,
}

impl std::fmt::Display for DestinationProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token => "invalid transform",
            Self::UnknownFunction => "unknown function",
            Self::TooFewArguments => "not enough arguments passed to the function",
            Self::TooManyArguments => "too many arguments passed to the function",
            Self::InvalidArgument => "function argument is invalid or in the wrong format",
            Self::IndexOutOfRange => "wildcard index out of range",
        })
    }
}

/// One token of a checked destination; wildcard numbers are resolved to positions in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Rest,
    Token(usize),
    Partition { buckets: u32, tokens: Vec<usize> },
    SplitFromLeft { token: usize, at: i32 },
    SplitFromRight { token: usize, at: i32 },
    SliceFromLeft { token: usize, size: i32 },
    SliceFromRight { token: usize, size: i32 },
    Split { token: usize, delimiter: String },
    Left { token: usize, length: i32 },
    Right { token: usize, length: i32 },
    Random { below: i32 },
}

/// A checked subject transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    source: String,
    destination: String,
    source_tokens: usize,
    /// Empty: the subject is kept.
    parts: Vec<Part>,
}

impl Transform {
    /// Checks a transform. An empty source stands for `>`; an empty destination keeps the subject.
    pub fn new(source: &str, destination: &str) -> Result<Self, TransformError> {
        if source.len() > TRANSFORM_BYTES_MAX || destination.len() > TRANSFORM_BYTES_MAX {
            return Err(TransformError::Subject);
        }
        let pattern = if source.is_empty() { ">" } else { source };
        let mut transform = Self {
            source: pattern.to_owned(),
            destination: destination.to_owned(),
            source_tokens: pattern.split('.').count(),
            parts: Vec::new(),
        };
        if destination.is_empty() {
            return if is_pattern(pattern) { Ok(transform) } else { Err(TransformError::Subject) };
        }
        check_destination_tokens(destination)?;
        if !is_pattern(pattern)
            || destination.split('.').any(|token| token == "*")
            || ends_full(pattern) != ends_full(destination)
        {
            return Err(TransformError::Subject);
        }
        if pattern == ">" && destination == ">" {
            return Ok(transform);
        }
        let tokens = pattern.split('.').enumerate();
        let wildcards: Vec<usize> =
            tokens.filter(|(_, token)| *token == "*").map(|(position, _)| position).collect();
        let has_wildcard = subject::has_wildcard(pattern);
        for token in destination.split('.') {
            transform.parts.push(resolve(token, &wildcards, has_wildcard)?);
        }
        Ok(transform)
    }

    /// The source pattern.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The destination as it was given.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The subject that `subject` (a literal one) becomes; `None` where the source does not match it.
    pub fn apply(&self, subject: &str) -> Option<String> {
        if self.parts.is_empty() && self.source == ">" {
            return Some(subject.to_owned());
        }
        if !subject::is_literal(subject) || !subject::matches(&self.source, subject) {
            return None;
        }
        if self.parts.is_empty() {
            return Some(subject.to_owned());
        }
        let tokens: Vec<&str> = subject.split('.').collect();
        let mut out = String::with_capacity(self.destination.len() + subject.len());
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                out.push('.');
            }
            self.write_part(part, subject, &tokens, &mut out);
        }
        Some(out)
    }

    fn write_part(&self, part: &Part, subject: &str, tokens: &[&str], out: &mut String) {
        let token = |position: &usize| tokens.get(*position).copied().unwrap_or_default();
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Rest => {
                let rest = tokens.get(self.source_tokens - 1..).unwrap_or_default();
                for (index, text) in rest.iter().enumerate() {
                    out.push_str(if index > 0 { "." } else { "" });
                    out.push_str(text);
                }
            }
            Part::Token(position) => out.push_str(token(position)),
            Part::Partition { buckets, tokens: positions } => {
                let hash = if positions.is_empty() {
                    fnv1a([subject])
                } else {
                    fnv1a(positions.iter().map(token))
                };
                let bucket = hash.checked_rem(*buckets).unwrap_or(0);
                let _ = write!(out, "{bucket}");
            }
            Part::SplitFromLeft { token: position, at } => {
                let text = token(position);
                push_halves(text, inside(text, *at), out);
            }
            Part::SplitFromRight { token: position, at } => {
                let text = token(position);
                push_halves(text, inside(text, *at).map(|at| text.len() - at), out);
            }
            Part::SliceFromLeft { token: position, size } => {
                push_slices(token(position), *size, false, out);
            }
            Part::SliceFromRight { token: position, size } => {
                push_slices(token(position), *size, true, out);
            }
            Part::Split { token: position, delimiter } => {
                push_split(token(position), delimiter, out);
            }
            Part::Left { token: position, length } => {
                let text = token(position);
                let end = inside(text, *length).map_or(text.len(), |at| boundary(text, at));
                // A first character longer than that stays whole: nothing would be left of the token.
                let end = end.max(text.chars().next().map_or(0, char::len_utf8));
                out.push_str(text.get(..end).unwrap_or(text));
            }
            Part::Right { token: position, length } => {
                let text = token(position);
                let start = inside(text, *length).map_or(0, |at| boundary(text, text.len() - at));
                out.push_str(text.get(start..).unwrap_or(text));
            }
            Part::Random { below } => {
                let number = i64::from(rand::random::<u32>() >> 1);
                let _ = write!(out, "{}", number.checked_rem(i64::from(*below)).unwrap_or(0));
            }
        }
    }
}

/// The first of `transforms` whose source matches decides; where none does the subject is kept.
pub fn apply_first(transforms: &[Transform], subject: &str) -> Option<String> {
    transforms.iter().find_map(|transform| transform.apply(subject))
}

fn is_pattern(subject: &str) -> bool {
    let mut full = false;
    subject.split('.').all(|token| {
        let good = !token.is_empty() && !full;
        full = token == ">";
        good
    })
}

fn ends_full(subject: &str) -> bool {
    subject == ">" || subject.ends_with(".>")
}

fn fail(problem: DestinationProblem, token: impl Into<String>) -> TransformError {
    TransformError::Destination { problem, token: token.into() }
}

/// The checks that look at destination tokens alone; they come before all others.
fn check_destination_tokens(destination: &str) -> Result<(), TransformError> {
    let mut full = false;
    for token in destination.split('.') {
        if token.is_empty() || full {
            return Err(fail(DestinationProblem::Token, token));
        }
        if function::looks_like_one(token) {
            if !function::is_known(token) {
                return Err(fail(DestinationProblem::UnknownFunction, token));
            }
            continue;
        }
        full = token == ">";
        if token.contains(['\t', '\n', '\x0c', '\r', ' ']) {
            return Err(fail(DestinationProblem::Token, ""));
        }
    }
    Ok(())
}

/// Turns a destination token into a part. Without wildcards in the source only `partition` and `random` can be used.
fn resolve(token: &str, wildcards: &[usize], has_wildcard: bool) -> Result<Part, TransformError> {
    let parsed = match function::parse(token) {
        Ok(Some(function)) => function,
        Ok(None) if token == ">" => return Ok(Part::Rest),
        Ok(None) => return Ok(Part::Literal(token.to_owned())),
        Err(problem) => return Err(fail(problem, token)),
    };
    if !has_wildcard {
        return match parsed {
            Function::Partition { buckets, .. } => {
                Ok(Part::Partition { buckets, tokens: Vec::new() })
            }
            Function::Random { below } => Ok(Part::Random { below }),
            _ => Err(fail(DestinationProblem::IndexOutOfRange, token)),
        };
    }
    // Numbers below one stand for the first token of the subject, as in nats-server.
    let position = |number: i64| match usize::try_from(number) {
        Ok(0) | Err(_) => Ok(0),
        Ok(number) => wildcards.get(number - 1).copied().ok_or_else(|| {
            fail(DestinationProblem::IndexOutOfRange, format!("{token}: [{number}]"))
        }),
    };
    Ok(match parsed {
        Function::Wildcard { token } => Part::Token(position(token)?),
        Function::Partition { buckets, tokens } => Part::Partition {
            buckets,
            tokens: tokens.into_iter().map(position).collect::<Result<_, _>>()?,
        },
        Function::SplitFromLeft { token, at } => {
            Part::SplitFromLeft { token: position(token)?, at }
        }
        Function::SplitFromRight { token, at } => {
            Part::SplitFromRight { token: position(token)?, at }
        }
        Function::SliceFromLeft { token, size } => {
            Part::SliceFromLeft { token: position(token)?, size }
        }
        Function::SliceFromRight { token, size } => {
            Part::SliceFromRight { token: position(token)?, size }
        }
        Function::Split { token, delimiter } => Part::Split { token: position(token)?, delimiter },
        Function::Left { token, length } => Part::Left { token: position(token)?, length },
        Function::Right { token, length } => Part::Right { token: position(token)?, length },
        Function::Random { below } => Part::Random { below },
    })
}

/// FNV-1a, 32 bits, over the concatenation.
fn fnv1a<'a>(parts: impl IntoIterator<Item = &'a str>) -> u32 {
    parts
        .into_iter()
        .flat_map(str::bytes)
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// `at` where it lies strictly inside the text.
fn inside(text: &str, at: i32) -> Option<usize> {
    usize::try_from(at).ok().filter(|at| *at > 0 && *at < text.len())
}

/// The nearest character boundary at or below `at`: a subject stays valid UTF-8.
fn boundary(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn push_halves(text: &str, at: Option<usize>, out: &mut String) {
    match text.split_at_checked(boundary(text, at.unwrap_or(0))) {
        Some((left, right)) if !left.is_empty() => {
            out.push_str(left);
            out.push('.');
            out.push_str(right);
        }
        _ => out.push_str(text),
    }
}

/// Pieces of `size` bytes; a shorter one stands last, or first where counted `from_right`.
fn push_slices(text: &str, size: i32, from_right: bool, out: &mut String) {
    let Some(size) = inside(text, size) else {
        out.push_str(text);
        return;
    };
    let mut start = 0;
    let first =
        if from_right && !text.len().is_multiple_of(size) { text.len() % size } else { size };
    let mut end = first;
    while start < text.len() {
        let (from, to) = (boundary(text, start), boundary(text, end.min(text.len())));
        if to > from {
            out.push_str(if from > 0 { "." } else { "" });
            out.push_str(text.get(from..to).unwrap_or_default());
        }
        start = end;
        end += size;
    }
}

/// Splits at a delimiter; empty pieces give no empty tokens.
fn push_split(text: &str, delimiter: &str, out: &mut String) {
    let mut pieces: Vec<&str> = text.split(delimiter).collect();
    if delimiter.is_empty() {
        // An empty delimiter separates characters; `str::split` also gives the empty ends.
        pieces.retain(|piece| !piece.is_empty());
    }
    for (index, piece) in pieces.iter().enumerate() {
        out.push_str(piece);
        let is_before_one = pieces.get(index + 1).is_some_and(|next| !next.is_empty());
        if is_before_one && (index > 0 || !piece.is_empty()) {
            out.push('.');
        }
    }
}
