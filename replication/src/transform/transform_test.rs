//! Tables of transforms: verdicts and results, compared with what nats-server 2.15 was seen to do.

use super::Transform;

#[test]
fn verdicts() {
    const RANGE: &str = "invalid mapping destination: wildcard index out of range in ";
    const FEW: &str =
        "invalid mapping destination: not enough arguments passed to the function in ";
    const MANY: &str = "invalid mapping destination: too many arguments passed to the function in ";
    const FORM: &str =
        "invalid mapping destination: function argument is invalid or in the wrong format in ";
    const UNKNOWN: &str = "invalid mapping destination: unknown function in ";
    for (source, destination, expected) in [
        ("a.*", "b.{{wildcard(2)}}", format!("{RANGE}{{{{wildcard(2)}}}}: [2]")),
        ("a.*", "b.$2", format!("{RANGE}$2: [2]")),
        ("a", "b.{{wildcard(1)}}", format!("{RANGE}{{{{wildcard(1)}}}}")),
        ("a", "b.$1", format!("{RANGE}$1")),
        ("a.*", "b.{{partition(3,2)}}", format!("{RANGE}{{{{partition(3,2)}}}}: [2]")),
        ("a.*", "b.{{foo(1)}}", format!("{UNKNOWN}{{{{foo(1)}}}}")),
        ("a.*", "b.{{wildcard}}", format!("{UNKNOWN}{{{{wildcard}}}}")),
        ("a.*", "b.{{x wildcard(1)}}", format!("{UNKNOWN}{{{{x wildcard(1)}}}}")),
        ("a.*", "b.{{partition(3,1,}}", format!("{UNKNOWN}{{{{partition(3,1,}}}}")),
        ("a.*", "b.{{wildcard()}}", format!("{FEW}{{{{wildcard()}}}}")),
        ("a.*", "b.{{split(1)}}", format!("{FEW}{{{{split(1)}}}}")),
        ("a.*", "b.{{splitfromleft(1)}}", format!("{FEW}{{{{splitfromleft(1)}}}}")),
        ("a.*", "b.{{wildcard(1,2)}}", format!("{MANY}{{{{wildcard(1,2)}}}}")),
        ("a.*", "b.{{split(1,-,2)}}", format!("{MANY}{{{{split(1,-,2)}}}}")),
        ("a.*", "b.{{wildcard(x)}}", format!("{FORM}{{{{wildcard(x)}}}}")),
        ("a.*", "b.{{partition(x,1)}}", format!("{FORM}{{{{partition(x,1)}}}}")),
        ("a.*", "b.{{partition()}}", format!("{FORM}{{{{partition()}}}}")),
        (
            "a.*",
            "b.{{partition(99999999999,1)}}",
            format!("{FORM}{{{{partition(99999999999,1)}}}}"),
        ),
        ("a.*", "b.{{splitfromleft(1,x)}}", format!("{FORM}{{{{splitfromleft(1,x)}}}}")),
        ("a.*", "b.*", "invalid subject".into()),
        ("a.>", "b", "invalid subject".into()),
        ("a", "b.>", "invalid subject".into()),
        ("", "b", "invalid subject".into()),
        ("a..b", "c", "invalid subject".into()),
        ("a.*", "b..c", "invalid mapping destination: invalid transform".into()),
        ("a.*", "b c", "invalid mapping destination: invalid transform".into()),
        ("a.*", "b.>.c", "invalid mapping destination: invalid transform in c".into()),
    ] {
        let error = Transform::new(source, destination).map(|_| ()).map_err(|e| e.to_string());
        assert_eq!(error, Err(expected), "{source} -> {destination}");
    }
}

#[test]
fn results() {
    for (source, destination, subject, expected) in [
        ("a.*", "b.{{wildcard(1)}}", "a.x", Some("b.x")),
        ("a.*", "b.{{ Wildcard( 1 ) }}", "a.x", Some("b.x")),
        ("a.*", "b.$1", "a.x", Some("b.x")),
        ("a.*", "b.$x", "a.y", Some("b.$x")),
        ("a.*", "b.{{wildcard(0)}}", "a.x", Some("b.a")),
        ("a.*", "b.{{wildcard(-1)}}", "a.x", Some("b.a")),
        ("a.*", "b.x{{wildcard(1)}}", "a.y", Some("b.x{{wildcard(1)}}")),
        ("a.*", "b.{{split(1,.)}}", "a.y", Some("b.{{split(1,.)}}")),
        ("*.*", "{{wildcard(2)}}.$1", "a.x", Some("x.a")),
        ("a.*", "b.{{wildcard(1)}}", "c.x", None),
        ("a.*", "b.{{wildcard(1)}}", "a", None),
        ("a.>", "b.>", "a.x.y", Some("b.x.y")),
        ("a.>", "b.c.>", "a.x", Some("b.c.x")),
        ("a.*.>", "b.$1.>", "a.x.y.z", Some("b.x.y.z")),
        ("", "b.>", "a.x", Some("b.a.x")),
        (">", ">", "a.x", Some("a.x")),
        ("", "", "a.x", Some("a.x")),
        ("a.*", "", "a.x", Some("a.x")),
        ("a.*", "", "b.x", None),
        ("a", "b", "a", Some("b")),
        ("a.*", "b.{{partition(0,1)}}", "a.x", Some("b.0")),
        ("o.*.v", "p.{{partition(7,1)}}.{{partition(5)}}.$1", "o.k0.v", Some("p.1.4.k0")),
        ("o.*.v", "p.{{partition(7,1)}}.{{partition(5)}}.$1", "o.k2.v", Some("p.5.2.k2")),
        ("o.*.v", "p.{{partition(7,1)}}.{{partition(5)}}.$1", "o.k4.v", Some("p.0.2.k4")),
        ("a", "b.{{partition(3)}}", "a", Some("b.1")),
        ("*", "{{splitfromleft(1,3)}}", "12345", Some("123.45")),
        ("*", "{{SplitFromRight(1,3)}}", "12345", Some("12.345")),
        ("*", "{{splitFromRight(1,5)}}", "12345", Some("12345")),
        ("*", "{{slicefromleft(1,3)}}", "1234567890", Some("123.456.789.0")),
        ("*", "{{SliceFromLeft(1,5)}}", "1234567890", Some("12345.67890")),
        ("*", "{{slicefromright(1,3)}}", "1234567890", Some("1.234.567.890")),
        ("*", "{{slicefromright(1,-3)}}", "1234", Some("1234")),
        ("*", "{{split(1,-)}}", "-abc-def--ghi-", Some("abc.def.ghi")),
        ("*", "{{split(1,-)}}", "abc", Some("abc")),
        ("*", "{{left(1, 2)}}", "abc", Some("ab")),
        ("*", "{{right(1,2)}}", "abc", Some("bc")),
        ("*", "{{right(1,9)}}", "abc", Some("abc")),
        ("*", "{{left(1,2)}}", "aéb", Some("a")),
        ("*", "a.{{left(1,2)}}", "䜄b", Some("a.䜄")),
        ("*", "{{splitfromleft(1,1)}}", "éa", Some("éa")),
        ("*", "{{random(1)}}", "x", Some("0")),
    ] {
        let transform = Transform::new(source, destination).expect(destination);
        let result = transform.apply(subject);
        assert_eq!(result.as_deref(), expected, "{source} -> {destination} of {subject}");
    }
}

#[test]
fn function_names_take_only_the_known_spellings() {
    for (destination, known) in [
        ("{{Partition(2,1)}}", true),
        ("{{PARTITION(2,1)}}", false),
        ("{{splitFromleft(1,2)}}", true),
        ("{{splitfromLEFT(1,2)}}", false),
        ("{{Left(1,2)}}", true),
        ("{{ slice from left(1,2)}}", false),
    ] {
        assert_eq!(Transform::new("*", destination).is_ok(), known, "{destination}");
    }
}
