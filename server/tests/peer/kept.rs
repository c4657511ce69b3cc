//! Differences from nats-server that are kept on purpose. Each stands in docs/LIMITATIONS.md under 'Differences from
//! nats-server' in the same words, and each is seen by a script: one that is gone must leave the list.

use crate::difference::Difference;
use crate::script::Step;
use serde_json::Value;

/// A difference, where it is seen, and why it is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The line of the page.
    line: &'static str,
    /// Scripts it is seen in, by the beginning of their names; in each at least once.
    scripts: &'static [&'static str],
    /// A part of the step's name.
    step: &'static str,
    /// A part of the place in the answer.
    place: &'static str,
    /// What both texts begin with.
    start: &'static str,
    /// Whether it is always seen: otherwise it is a matter of time.
    is_certain: bool,
}

const fn kept(
    line: &'static str,
    scripts: &'static [&'static str],
    step: &'static str,
    place: &'static str,
) -> Entry {
    Entry { line, scripts, step, place, start: "", is_certain: true }
}

const KEPT: &[Entry] = &[
    Entry {
        start: "invalid JSON: ",
        ..kept(
            "An error in the JSON of a request has the same code and says in other words what is wrong.",
            &[
                "stream_create/bodies",
                "stream_update/fields",
                "origins/elsewhere",
                "listing/lists",
                "listing/infos",
                "messages/get",
                "messages/delete",
                "messages/purge",
            ],
            "",
            "/json/error/description",
        )
    },
    kept(
        "Settings that are not built are refused with error 10052, which names the setting.",
        &["stream_create/unbuilt"],
        "STREAM.CREATE.U",
        "",
    ),
    kept(
        "A mirror or source with a consumer of its own, or in another domain or account, is refused with error 10052.",
        &["origins/elsewhere"],
        "STREAM.CREATE.OWN",
        "",
    ),
    kept(
        "A mirror or source with a consumer of its own, or in another domain or account, is refused with error 10052.",
        &["origins/elsewhere"],
        "STREAM.CREATE.FAR",
        "",
    ),
    kept(
        "Requests for consumers, snapshots and restores are answered with error 10039.",
        &["account/consumers"],
        "CONSUMER.INFO",
        "",
    ),
    kept(
        "Requests for consumers, snapshots and restores are answered with error 10039.",
        &["account/consumers"],
        "CONSUMER.DURABLE.CREATE",
        "",
    ),
    kept(
        "Requests for consumers, snapshots and restores are answered with error 10039.",
        &["account/consumers"],
        "STREAM.SNAPSHOT",
        "",
    ),
    kept(
        "The advisory on a request does not say the client's round-trip time.",
        &["advisories/audits"],
        "hear",
        "/client/rtt",
    ),
    kept(
        "A file stream that never held a message has no deleted sequences; nats-server counts one where details are asked \
         for.",
        &["listing/infos"],
        "STREAM.INFO.FILE",
        "deleted",
    ),
    kept(
        "A purge of a stream that never held a message leaves its first sequence at 0; in nats-server it becomes 1.",
        &["messages/purge"],
        "STREAM.INFO.E",
        "/json/state/first_seq",
    ),
    kept(
        "A message that is not there cannot be deleted: error 10043. For file streams nats-server says 10057, with a text \
         that depends on why.",
        &["messages/delete_file"],
        "STREAM.MSG.DELETE",
        "/json/error",
    ),
    kept(
        "The status behind a batch without headers says how many messages are left; in nats-server how many there were.",
        &["messages/direct"],
        "\"batch\":2,\"no_hdr\":true",
        "/2/headers/1",
    ),
    kept(
        "The last messages up to a sequence that is not there yet are those there are; nats-server finds none in a file \
         stream.",
        &["messages/direct_file"],
        "\"up_to_seq\":99",
        "",
    ),
    kept(
        "Ids of messages that were removed stay known for the whole window after a restart too; nats-server forgets them.",
        &["publish/deduplication"],
        "(\"Nats-Msg-Id\", \"i9\")",
        "",
    ),
    kept(
        "Ids of messages that were removed stay known for the whole window after a restart too; nats-server forgets them.",
        &["publish/deduplication"],
        "030 STREAM.INFO.A",
        "",
    ),
    kept(
        "Lower limits apply at once to a stream that refuses new messages at a limit; nats-server leaves what is stored.",
        &["stream_update/trimming"],
        "STREAM.UPDATE.A {\"discard\":\"new\"",
        "/json/state",
    ),
    kept(
        "Lower limits apply at once to a stream that refuses new messages at a limit; nats-server leaves what is stored.",
        &["stream_update/trimming"],
        "STREAM.INFO.A",
        "/json/",
    ),
    kept(
        "A start time is shown in UTC; nats-server shows it in the zone it was given in.",
        &["origins/mirror"],
        "+02:00",
        "/json/config/mirror/opt_start_time",
    ),
    kept(
        "A copy that is to start beyond the end of its origin starts with the next message; nats-server waits for the \
         sequence.",
        &["mirrors/starts"],
        "STREAM.MSG.GET.L {\"seq\":8}",
        "",
    ),
    kept(
        "A mirror whose origin was deleted and created again says so and stops; nats-server adds what the new origin has \
         beyond the end of the old one.",
        &["mirrors/recreated"],
        "reaches M 7",
        "",
    ),
    kept(
        "A mirror whose origin was deleted and created again says so and stops; nats-server adds what the new origin has \
         beyond the end of the old one.",
        &["mirrors/recreated"],
        "022 STREAM.INFO.M",
        "",
    ),
    kept(
        "A mirror whose origin was deleted and created again says so and stops; nats-server adds what the new origin has \
         beyond the end of the old one.",
        &["mirrors/recreated"],
        "STREAM.MSG.GET.M",
        "",
    ),
    Entry {
        is_certain: false,
        ..kept(
            "The position of a source is shown when it runs, and also where it comes from its start options; nats-server \
             shows it when the source is added again, and else from the first message on.",
            &["sources/changed", "sources/added_late", "sources/options"],
            "",
            "/json/sources/0/seq",
        )
    },
    Entry {
        is_certain: false,
        ..kept(
            "A source whose message is refused says why, and how many messages wait; nats-server says neither.",
            &["sources/refused", "sources/too_large"],
            "STREAM.INFO.S",
            "/json/sources/0/",
        )
    },
];

/// The differences that one script may show.
pub(crate) struct Kept {
    entries: Vec<(Entry, bool)>,
}

impl Kept {
    /// Those of a script.
    pub(crate) fn of(script: &str) -> Self {
        let is_seen = |entry: &&Entry| entry.scripts.iter().any(|name| script.starts_with(name));
        Self { entries: KEPT.iter().filter(is_seen).map(|entry| (*entry, false)).collect() }
    }
    /// Whether a difference is one of them.
    pub(crate) fn covers(&mut self, step: &Step, difference: &Difference) -> bool {
        let starts = |side: &Option<Value>, start: &str| {
            start.is_empty()
                || side.as_ref().and_then(Value::as_str).is_some_and(|text| text.starts_with(start))
        };
        let mut is_covered = false;
        for (entry, is_seen) in &mut self.entries {
            if step.name.contains(entry.step)
                && difference.place.contains(entry.place)
                && starts(&difference.left, entry.start)
                && starts(&difference.right, entry.start)
            {
                *is_seen = true;
                is_covered = true;
            }
        }
        is_covered
    }
    /// Those that were not seen.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unseen = self.entries.iter().filter(|(entry, is_seen)| entry.is_certain && !is_seen);
        unseen.map(|(entry, _)| format!("a difference is gone, take it off: {entry:?}")).collect()
    }
}

/// The lines of the section, each in one piece.
fn lines(page: &str) -> Vec<String> {
    let (_, section) = page.split_once("\n## Differences from nats-server\n").unwrap();
    let section = section.split("\n## ").next().unwrap_or_default();
    let items = section.split("\n- ").skip(1);
    items.map(|item| item.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn kept_differences_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITATIONS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut documented = lines(&page);
    let mut listed: Vec<String> = KEPT.iter().map(|entry| entry.line.to_owned()).collect();
    documented.sort();
    listed.sort();
    listed.dedup();
    assert_eq!(documented, listed, "docs/LIMITATIONS.md and the list say the same");
}
