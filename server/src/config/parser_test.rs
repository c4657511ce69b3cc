//! The configuration syntax as tables: what text reads as, and where and why text is refused.

use super::*;
use proptest::prelude::*;

fn show(node: &Node) -> String {
    match node {
        Node::String(text) => format!("{text:?}"),
        Node::Integer(number, _) => number.to_string(),
        Node::Float(number) => format!("{number:?}"),
        Node::Boolean(boolean) => boolean.to_string(),
        Node::List(list) => {
            format!("[{}]", list.iter().map(|v| show(&v.node)).collect::<Vec<_>>().join(","))
        }
        Node::Map(map) => show_map(map),
    }
}

fn show_map(map: &Map) -> String {
    let entries: Vec<_> =
        map.entries.iter().map(|e| format!("{}={}", e.key, show(&e.value.node))).collect();
    format!("{{{}}}", entries.join(","))
}

fn environment(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("4333".to_owned()),
        "LIST" => Some("[a, 2]".to_owned()),
        "LOOP" => Some("$LOOP".to_owned()),
        _ => None,
    }
}

fn check(text: &str, expected: &str) {
    let found = match parse_text(text, Path::new("t.conf"), &environment) {
        Ok(map) => show_map(&map),
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn values() {
    for (text, expected) in [
        ("", "{}"),
        ("a: 1\nb = 2\nc 3\nd\t4", "{a=1,b=2,c=3,d=4}"),
        ("a: 1, b: 2; c: 3", "{a=1,b=2,c=3}"),
        ("\"a b\": 'c\\d'", "{a b=\"c\\\\d\"}"),
        ("a: \"x\\ty\\x41\\\"\"", "{a=\"x\\tyA\\\"\"}"),
        ("a {b {c: yes}}", "{a={b={c=true}}}"),
        ("a: {\n b: off # no\n // nothing\n c: On }", "{a={b=false,c=true}}"),
        ("a: [1, x y\n 'z' {b: 1}]", "{a=[1,\"x\",\"y\",\"z\",{b=1}]}"),
        ("a: 127.0.0.1:4222", "{a=\"127.0.0.1:4222\"}"),
        ("a: 1.5\nb: -1\nc: 1KB\nd: 2m", "{a=1.5,b=-1,c=1024,d=2000000}"),
        ("a: 1\na: 2", "{a=2}"),
        ("a: 1\nb: $a\nc { a: 2, d: $a }", "{a=1,b=1,c={a=2,d=2}}"),
        ("p: $PORT\nl: $LIST", "{p=4333,l=[\"a\",2]}"),
        ("a: $2a$11$abc", "{a=\"$2a$11$abc\"}"),
        ("a: (\n x y\n  z\n)\nb: 1", "{a=\" x y\\n  z\",b=1}"),
        ("a:\n  1", "{a=1}"),
        ("url: nats://a:4222", "{url=\"nats://a:4222\"}"),
    ] {
        check(text, expected);
    }
}

#[test]
fn refusals() {
    let deep = format!("a: {}", "[".repeat(100));
    for (text, expected) in [
        ("a: \"x", "t.conf:1:4: a quote is not closed"),
        ("a {\n b: 1", "t.conf:2:6: unexpected end, '}' expected"),
        ("a: [1", "t.conf:1:6: a value expected"),
        ("b: 1\n }", "t.conf:2:2: a key expected"),
        ("a: ,", "t.conf:1:4: a value expected"),
        ("a: $NOPE", "t.conf:1:4: variable \"NOPE\" is not defined"),
        ("a: \"\\q\"", "t.conf:1:6: unknown escape"),
        ("a: \"\\xz1\"", "t.conf:1:6: two hexadecimal digits expected"),
        ("a: (\n x )", "t.conf:1:4: a parenthesis is not closed on a line of its own"),
        (&deep, "t.conf:1:69: nested too deeply"),
    ] {
        check(text, expected);
    }
    let looping = parse_text("a: $LOOP", Path::new("t.conf"), &environment);
    assert!(looping.is_err_and(|refusal| refusal.reason.ends_with("nested too deeply")));
}

#[test]
fn includes() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("a.conf"), "x: 1\ninner { include 'b.conf' }\ny: 3").unwrap();
    std::fs::write(path("b.conf"), "z: $x\n").unwrap();
    std::fs::write(path("loop.conf"), "include ./loop.conf\n").unwrap();
    std::fs::write(path("missing.conf"), "\n include nope\n").unwrap();
    let read = |name: &str| parse_file(&path(name), &environment);
    assert_eq!(show_map(&read("a.conf").unwrap()), "{x=1,inner={z=1},y=3}");
    assert!(read("loop.conf").unwrap_err().reason.ends_with("nested too deeply"));
    let missing = read("missing.conf").unwrap_err();
    assert_eq!((missing.place.line, missing.place.column), (2, 10));
    assert!(read("none.conf").is_err());
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text in "[a-c{}\\[\\]():=,;#/$\"'\\\\ \\n0-9]{0,200}") {
        let _ = parse_text(&text, Path::new("t.conf"), &environment);
    }
}
