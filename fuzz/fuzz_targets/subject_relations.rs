//! Subjects: validity, matching, collision and subset against definitions that are slow and plain.
#![no_main]

use headwater_storage::subject;
use libfuzzer_sys::fuzz_target;

/// Longest subject, in characters: the plain definitions try every way to match.
const CHARACTERS_MAX: usize = 24;

/// Text over an alphabet in which nearly everything is a subject.
fn text(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte % 9 {
        0 | 1 => 'a',
        2 => 'b',
        3..=5 => '.',
        6 => '*',
        7 => '>',
        _ => char::from(*byte),
    };
    bytes.iter().take(CHARACTERS_MAX).map(character).collect()
}

fn is_valid(subject: &str) -> bool {
    let tokens: Vec<&str> = subject.split('.').collect();
    tokens
        .iter()
        .all(|token| !token.is_empty() && !token.contains([' ', '\t', '\r', '\n', '\x0c', '\0']))
        && tokens.iter().rev().skip(1).all(|token| *token != ">")
}

fn matches(pattern: &[&str], tokens: &[&str]) -> bool {
    match (pattern, tokens) {
        ([], []) => true,
        ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, tokens @ ..]) => matches(pattern, tokens),
        ([want, pattern @ ..], [have, tokens @ ..]) => want == have && matches(pattern, tokens),
        _ => false,
    }
}

/// A literal subject that matches the pattern: `fill` for each wildcard, and so many of them for `>`.
fn instance(pattern: &str, fill: &str, rest: usize) -> String {
    let token = |token: &str| match token {
        "*" => fill.to_owned(),
        ">" => vec![fill; rest].join("."),
        token => token.to_owned(),
    };
    pattern.split('.').map(token).collect::<Vec<_>>().join(".")
}

/// A literal subject that matches both, if there is one.
fn witness(one: &[&str], other: &[&str]) -> Option<Vec<String>> {
    let fill = |tokens: &[&str]| {
        let wild = |token: &&str| {
            if matches!(*token, "*" | ">") { "z".to_owned() } else { (*token).to_owned() }
        };
        tokens.iter().map(wild).collect::<Vec<_>>()
    };
    match (one, other) {
        ([], []) => Some(Vec::new()),
        ([">"], rest @ [_, ..]) | (rest @ [_, ..], [">"]) => Some(fill(rest)),
        ([a, one @ ..], [b, other @ ..]) => {
            let first = match (*a, *b) {
                ("*", "*") => "z",
                ("*", token) | (token, "*") => token,
                (a, b) if a == b => a,
                _ => return None,
            };
            let mut tokens = witness(one, other)?;
            tokens.insert(0, first.to_owned());
            Some(tokens)
        }
        _ => None,
    }
}

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let [one, other, literal] = [text(input.0), text(input.1), text(input.2)];
    for each in [&one, &other, &literal] {
        assert_eq!(subject::is_valid(each), is_valid(each), "{each:?}");
        let is_literal =
            is_valid(each) && each.split('.').all(|token| token != "*" && token != ">");
        assert_eq!(subject::is_literal(each), is_literal, "{each:?}");
    }
    if !is_valid(&one) || !is_valid(&other) {
        return;
    }
    let tokens = |subject: &'_ str| subject.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (one_tokens, other_tokens) = (tokens(&one), tokens(&other));
    let one_tokens: Vec<&str> = one_tokens.iter().map(String::as_str).collect();
    let other_tokens: Vec<&str> = other_tokens.iter().map(String::as_str).collect();
    if subject::is_literal(&literal) {
        let literal_tokens: Vec<&str> = literal.split('.').collect();
        let expected = matches(&one_tokens, &literal_tokens);
        assert_eq!(subject::matches(&one, &literal), expected, "{one:?} {literal:?}");
    }
    let witness = witness(&one_tokens, &other_tokens).map(|tokens| tokens.join("."));
    assert_eq!(subject::collides(&one, &other), witness.is_some(), "{one:?} {other:?}");
    assert_eq!(subject::collides(&other, &one), witness.is_some(), "{other:?} {one:?}");
    if let Some(witness) = witness {
        assert!(subject::matches(&one, &witness), "{one:?} {witness:?}");
        assert!(subject::matches(&other, &witness), "{other:?} {witness:?}");
    }
    // A token that neither holds stands for all tokens; lengths beyond those of `other` are all alike.
    let is_subset = (1..=other_tokens.len() + 1).all(|rest| {
        let instance = instance(&one, "zz", rest);
        matches(&other_tokens, &instance.split('.').collect::<Vec<_>>())
    });
    assert_eq!(subject::is_subset(&one, &other), is_subset, "{one:?} {other:?}");
});
