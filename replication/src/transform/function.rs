//! One token of a transform's destination: a literal, `$n`, or a function in double braces.
//! Not here: whether an index exists in the source (`transform`).

use super::DestinationProblem;

/// A parsed function; tokens are wildcard numbers as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Function {
    Wildcard { token: i64 },
    Partition { buckets: u32, tokens: Vec<i64> },
    SplitFromLeft { token: i64, at: i32 },
    SplitFromRight { token: i64, at: i32 },
    SliceFromLeft { token: i64, size: i32 },
    SliceFromRight { token: i64, size: i32 },
    Split { token: i64, delimiter: String },
    Left { token: i64, length: i32 },
    Right { token: i64, length: i32 },
    Random { below: i32 },
}

/// Names in the order in which they are tried. The first letter and those written large may be of either case.
const NAMES: [&str; 10] = [
    "wildcard",
    "partition",
    "splitFromLeft",
    "splitFromRight",
    "sliceFromLeft",
    "sliceFromRight",
    "right",
    "left",
    "split",
    "random",
];

/// Whether a token stands in double braces.
pub(super) fn looks_like_one(token: &str) -> bool {
    token.len() > 4 && token.starts_with("{{") && token.ends_with("}}")
}

/// Whether a token in double braces has the form of a known function, whatever its arguments.
pub(super) fn is_known(token: &str) -> bool {
    NAMES.iter().any(|name| arguments(token, name).is_some())
}

/// What a token stands for; `None` for a literal.
pub(super) fn parse(token: &str) -> Result<Option<Function>, DestinationProblem> {
    if let Some(number) = token.strip_prefix('$') {
        // Subjects that merely start with a dollar sign are common and stay literal.
        return Ok(number.parse().ok().map(|token| Function::Wildcard { token }));
    }
    if !looks_like_one(token) {
        return Ok(None);
    }
    for name in NAMES {
        if let Some(list) = arguments(token, name) {
            let arguments: Vec<&str> = split_arguments(list);
            return build(name, &arguments).map(Some);
        }
    }
    Err(DestinationProblem::UnknownFunction)
}

fn build(name: &str, arguments: &[&str]) -> Result<Function, DestinationProblem> {
    use DestinationProblem::{InvalidArgument, TooFewArguments, TooManyArguments};
    match (name, arguments) {
        ("wildcard", [""]) => Err(TooFewArguments),
        ("wildcard", [token]) => Ok(Function::Wildcard { token: number(token)? }),
        ("wildcard", _) => Err(TooManyArguments),
        ("partition", [buckets, tokens @ ..]) => Ok(Function::Partition {
            buckets: small(buckets)?.cast_unsigned(),
            tokens: tokens.iter().map(|token| number(token)).collect::<Result<_, _>>()?,
        }),
        ("random", [below]) => Ok(Function::Random { below: small(below)? }),
        ("random" | "partition", _) | (_, [] | [_]) => Err(TooFewArguments),
        (_, [_, _, _, ..]) => Err(TooManyArguments),
        ("split", [token, delimiter]) => {
            let token = number(token)?;
            if delimiter.contains([' ', '.']) {
                return Err(InvalidArgument);
            }
            Ok(Function::Split { token, delimiter: (*delimiter).to_owned() })
        }
        (name, [token, length]) => {
            let token = number(token)?;
            let length: i32 = length.trim_matches(' ').parse().map_err(|_| InvalidArgument)?;
            Ok(match name {
                "splitFromLeft" => Function::SplitFromLeft { token, at: length },
                "splitFromRight" => Function::SplitFromRight { token, at: length },
                "sliceFromLeft" => Function::SliceFromLeft { token, size: length },
                "sliceFromRight" => Function::SliceFromRight { token, size: length },
                "left" => Function::Left { token, length },
                _ => Function::Right { token, length },
            })
        }
    }
}

fn number(text: &str) -> Result<i64, DestinationProblem> {
    text.trim_matches(' ').parse().map_err(|_| DestinationProblem::InvalidArgument)
}

/// A number up to 2^31-1. Smaller ones than 32 bits hold wrap, as they do in nats-server.
#[expect(clippy::cast_possible_truncation, reason = "the wrap is what nats-server does")]
fn small(text: &str) -> Result<i32, DestinationProblem> {
    let number = number(text)?;
    if number > i64::from(i32::MAX) {
        return Err(DestinationProblem::InvalidArgument);
    }
    Ok(number as i32)
}

/// Arguments are separated by a comma and any white space behind it.
fn split_arguments(list: &str) -> Vec<&str> {
    list.split(',')
        .enumerate()
        .map(|(index, argument)| if index > 0 { argument.trim_ascii_start() } else { argument })
        .collect()
}

/// What stands between the parentheses where the token holds `{{ name ( … ) }}`.
fn arguments<'a>(token: &'a str, name: &str) -> Option<&'a str> {
    token.match_indices("{{").find_map(|(at, braces)| {
        let rest = token.get(at + braces.len()..)?.trim_ascii_start();
        let rest = strip_name(rest, name)?.trim_ascii_start().strip_prefix('(')?;
        let close = rest.rmatch_indices(')').find(|(close, _)| {
            rest.get(close + 1..).is_some_and(|after| after.trim_ascii_start().starts_with("}}"))
        })?;
        rest.get(..close.0).filter(|list| !list.contains('\n'))
    })
}

fn strip_name<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(name.len())?;
    let fits = head.chars().zip(name.chars()).enumerate().all(|(index, (have, want))| {
        if index == 0 || want.is_ascii_uppercase() {
            have.eq_ignore_ascii_case(&want)
        } else {
            have == want
        }
    });
    fits.then_some(rest)
}
