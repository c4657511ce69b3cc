//! Names, lists and infos: filters, pages, details, and bodies that are refused.
//! Not here: what is created.

use crate::run::check;
use crate::script::Script;
use serde_json::{Value, json};

fn lists() -> Script {
    let memory = |name: &str, subjects: &[&str]| json!({"name": name, "subjects": subjects, "storage": "memory"});
    let mut script = Script::new("listing/lists")
        .api("STREAM.NAMES", Value::Null)
        .api("STREAM.LIST", Value::Null)
        .api("STREAM.NAMES", json!({"subject": "a"}))
        .api("STREAM.INFO.NONE", Value::Null)
        .create(memory("B", &["b.*"]))
        .create(memory("A", &["a.>", "x"]))
        .create(memory("C", &["c.1.*"]))
        .create(json!({"name": "M", "mirror": {"name": "NONE"}, "storage": "memory"}))
        .create(json!({"name": "S", "sources": [{"name": "NONE"}], "storage": "memory"}))
        .publish("a.1", "one")
        .until("STREAM.INFO.M", Value::Null, "/mirror/error/err_code", json!(10059))
        .until("STREAM.INFO.S", Value::Null, "/sources/0/error/err_code", json!(10059));
    for endpoint in ["STREAM.NAMES", "STREAM.LIST"] {
        for body in [
            "",
            "{}",
            "null",
            "junk",
            "5",
            "{",
            "[]",
            " {} ",
            "{\"offset\":0}",
            "{\"offset\":1}",
            "{\"offset\":3}",
            "{\"offset\":5}",
            "{\"offset\":99}",
            "{\"offset\":-1}",
            "{\"offset\":\"1\"}",
            "{\"unknown\":1}",
            "{\"subject\":\"a.x\"}",
            "{\"subject\":\"a.*\"}",
            "{\"subject\":\">\"}",
            "{\"subject\":\"*.*\"}",
            "{\"subject\":\"zzz\"}",
            "{\"subject\":\"b.x\",\"offset\":0}",
            "{\"subject\":\"c.*.x\"}",
            "{\"subject\":\"x\"}",
            "{\"subject\":\"\"}",
            "{\"subject\":\"a..b\"}",
            "{\"subject\":\">\",\"offset\":1}",
            "{\"limit\":1}",
            "{\"consumer\":\"x\"}",
        ] {
            script = script.api(endpoint, body.into());
        }
    }
    script
}

fn infos() -> Script {
    let mut script = Script::new("listing/infos")
        .create(json!({"name": "A", "subjects": ["a.>"], "storage": "memory"}))
        .create(json!({"name": "E", "subjects": ["e"], "storage": "memory"}))
        .create(json!({"name": "FILE", "subjects": ["f"]}))
        .info("FILE");
    for number in 1..=10 {
        script = script.publish(&format!("a.{}.{}", number % 2, number % 3), "x");
    }
    script = script
        .api("STREAM.MSG.DELETE.A", json!({"seq": 3}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 4}))
        .api("STREAM.MSG.DELETE.A", json!({"seq": 8}));
    for name in ["A", "E", "NONE"] {
        for body in [
            "",
            "{}",
            "null",
            "junk",
            "5",
            "[]",
            "{\"deleted_details\":true}",
            "{\"deleted_details\":false}",
            "{\"deleted_details\":5}",
            "{\"unknown\":1}",
            "{\"subjects_filter\":\">\"}",
            "{\"subjects_filter\":\"a.1.*\"}",
            "{\"subjects_filter\":\"a.1.1\"}",
            "{\"subjects_filter\":\"zzz\"}",
            "{\"subjects_filter\":\"\"}",
            "{\"subjects_filter\":\"a..b\"}",
            "{\"subjects_filter\":\">\",\"offset\":2}",
            "{\"subjects_filter\":\">\",\"offset\":99}",
            "{\"offset\":2}",
            "{\"subjects_filter\":\">\",\"deleted_details\":true}",
        ] {
            script = script.api(format!("STREAM.INFO.{name}"), body.into());
        }
    }
    script
        .api("STREAM.DELETE.A", "junk".into())
        .api("STREAM.DELETE.A", json!({"x": 1}))
        .api("STREAM.DELETE.A", json!([]))
        .api("STREAM.DELETE.NONE", Value::Null)
        .api("STREAM.DELETE.A", json!({}))
        .api("STREAM.DELETE.A", Value::Null)
        .api("STREAM.NAMES", Value::Null)
}

fn many() -> Script {
    let mut script = Script::new("listing/many");
    for number in 0..260 {
        script = script.create(json!({"name": format!("S{number:03}"), "storage": "memory"}));
    }
    for offset in [0, 1, 255, 256, 259, 260, 300] {
        let body = json!({"offset": offset});
        script = script.api("STREAM.NAMES", body.clone()).api("STREAM.LIST", body);
    }
    script
}

#[test]
fn listing() {
    check(vec![lists(), infos(), many()]);
}
