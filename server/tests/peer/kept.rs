//! Differences from nats-server that are kept on purpose. Each stands in docs/LIMITATIONS.md under 'Differences from
//! nats-server' in the same words, and each is seen by a script: one that is gone must leave the list.

use crate::difference::Difference;
use serde_json::Value;

/// Where a difference is seen.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In this script, in steps with this in their names, at places with this in them.
    At(&'static str, &'static str, &'static str),
    /// The same, depending on time.
    Perhaps(&'static str, &'static str, &'static str),
    /// In this script, where texts of both sides begin so.
    Texts(&'static str, &'static str),
}

use Place::{At, Perhaps, Texts};

const JSON: &str = "invalid JSON: ";

/// Lines of the page, and where each is seen.
const KEPT: &[(&str, &[Place])] = &[
    (
        "An error in the JSON of a request has the same code and says in other words what is wrong.",
        &[
            Texts("stream_create/bodies", JSON),
            Texts("stream_update/fields", JSON),
            Texts("origins/elsewhere", JSON),
            Texts("listing/lists", JSON),
            Texts("listing/infos", JSON),
            Texts("messages/get", JSON),
            Texts("messages/delete", JSON),
            Texts("messages/purge", JSON),
            Texts("consumer_config/verdicts", JSON),
            Texts("consumer_config/subjects", JSON),
            Texts("consumer_config/updates", JSON),
            Texts("consumers/requests", "NATS/1.0 400 Bad Request - "),
        ],
    ),
    (
        "Settings that are not built are refused with error 10052, which names the setting.",
        &[At("stream_create/unbuilt", "STREAM.CREATE.U", "")],
    ),
    (
        "A message that never expires stays in a stream with a limit on age when the server starts too; nats-server \
         removes such messages of file streams then.",
        &[Perhaps("lifetimes/age", "until STREAM.INFO.A /state/messages 2", "")],
    ),
    (
        "A restore whose subjects are those of another stream is refused when it is asked for; nats-server takes the \
         archive first.",
        &[At("backups/verdicts", "\"subjects\":[\"a.1\"]", "")],
    ),
    (
        "The advisory on a request does not say the client's round-trip time.",
        &[
            At("advisories/audits", "hear", "/client/rtt"),
            At("backups/advisories", "hear", "/client/rtt"),
        ],
    ),
    (
        "A file stream that never held a message has no deleted sequences; nats-server counts one where details are \
         asked for.",
        &[At("listing/infos", "STREAM.INFO.FILE", "deleted")],
    ),
    (
        "A purge of a stream that never held a message leaves its first sequence at 0; in nats-server it becomes 1.",
        &[At("messages/purge", "STREAM.INFO.E", "/json/state/first_seq")],
    ),
    (
        "A message that is not there cannot be deleted: error 10043. For file streams nats-server says 10057, with a \
         text that depends on why.",
        &[At("messages/delete_file", "STREAM.MSG.DELETE", "/json/error")],
    ),
    (
        "The status behind a batch without headers says how many messages are left; in nats-server how many there \
         were.",
        &[At("messages/direct", "\"batch\":2,\"no_hdr\":true", "/2/headers/1")],
    ),
    (
        "The last messages up to a sequence that is not there yet are those there are; nats-server finds none in a \
         file stream.",
        &[At("messages/direct_file", "\"up_to_seq\":99", "")],
    ),
    (
        "Ids of messages that were removed stay known for the whole window after a restart too; nats-server forgets \
         them.",
        &[
            At("publish/deduplication", "(\"Nats-Msg-Id\", \"i9\")", ""),
            At("publish/deduplication", "030 STREAM.INFO.A", ""),
        ],
    ),
    (
        "A message that was delivered as often as it may be is acknowledged for the floor of its consumer; in nats-server \
         the floor that is shown stays behind until the next acknowledgement.",
        &[At("consumers/redelivery", "CONSUMER.INFO.A.C", "/json/ack_floor/")],
    ),
    (
        "Deliveries and confirmed acknowledgements outlive a kill; nats-server forgets those it had not written yet.",
        &[
            At("consumers/killed", "CONSUMER.INFO.A.C", "/json/"),
            At("consumers/killed", "hear 2", "/reply"),
        ],
    ),
    (
        "A heartbeat says how far a consumer has looked, messages that do not match included; nats-server looks at them \
         when the next one comes that does.",
        &[At("consumers/ordered", "hear 1", "/0/message/headers/2")],
    ),
    (
        "A start time is shown in UTC; nats-server shows it in the zone it was given in.",
        &[At("origins/mirror", "+02:00", "/json/config/mirror/opt_start_time")],
    ),
    (
        "A copy that is to start beyond the end of its origin starts with the next message; nats-server waits for the \
         sequence.",
        &[At("mirrors/starts", "STREAM.MSG.GET.L {\"seq\":8}", "")],
    ),
    (
        "A mirror whose origin was deleted and created again says so and stops; nats-server adds what the new origin \
         has beyond the end of the old one.",
        &[
            At("mirrors/recreated", "until STREAM.INFO.M /state/last_seq 7", ""),
            At("mirrors/recreated", "022 STREAM.INFO.M", ""),
            At("mirrors/recreated", "STREAM.MSG.GET.M", ""),
        ],
    ),
    (
        "The position of a source is shown when it runs, and also where it comes from its start options; nats-server \
         shows it when the source is added again, and else from the first message on.",
        &[
            Perhaps("sources/changed", "", "/json/sources/0/seq"),
            Perhaps("sources/added_late", "", "/json/sources/0/seq"),
            Perhaps("sources/options", "", "/json/sources/0/seq"),
        ],
    ),
    (
        "A source whose message is refused says why, and how many messages wait; nats-server says neither.",
        &[
            Perhaps("sources/refused", "STREAM.INFO.S", "/json/sources/0/"),
            Perhaps("sources/too_large", "STREAM.INFO.S", "/json/sources/0/"),
        ],
    ),
    (
        "What a publisher says of the sources of a counter is left out; nats-server stores it, and the counter is broken \
         where it cannot be read.",
        &[At("counters/said", "a.1", "")],
    ),
    (
        "A path that ends in /leafnode is refused for an upgrade with status 404; nats-server without leaf nodes \
         upgrades, and closes.",
        &[At("websocket/upgrades", "/leafnode", "/"), At("websocket/origins", "/leafnode", "/")],
    ),
    (
        "A client over WebSocket that breaks the rules is always told so by a last word, and monitoring says what it \
         sent; nats-server may close without a word, and says that it could not read.",
        &[
            Perhaps("websocket/frames", "broken ", "/found/"),
            At("websocket/monitoring", "unknown", "/reason"),
        ],
    ),
];

impl Place {
    fn is_in(self, script: &str) -> bool {
        let (At(name, ..) | Perhaps(name, ..) | Texts(name, _)) = self;
        script.starts_with(name)
    }
    fn covers(self, step: &str, difference: &Difference) -> bool {
        match self {
            At(_, name, place) | Perhaps(_, name, place) => {
                step.contains(name) && difference.place.contains(place)
            }
            Texts(_, start) => [&difference.left, &difference.right].into_iter().all(|side| {
                side.as_ref().and_then(Value::as_str).is_some_and(|text| text.starts_with(start))
            }),
        }
    }
}

/// The differences that one script may show, and whether it did.
pub(crate) struct Kept {
    places: Vec<(Place, bool)>,
}

impl Kept {
    /// Those of a script.
    pub(crate) fn of(script: &str) -> Self {
        let places = KEPT.iter().flat_map(|(_, places)| *places);
        let own = places.filter(|place| place.is_in(script));
        Self { places: own.map(|place| (*place, false)).collect() }
    }
    /// Whether a difference is one of them.
    pub(crate) fn covers(&mut self, step: &str, difference: &Difference) -> bool {
        let mut is_covered = false;
        for (place, is_seen) in &mut self.places {
            if place.covers(step, difference) {
                *is_seen = true;
                is_covered = true;
            }
        }
        is_covered
    }
    /// Those that were not seen.
    pub(crate) fn unused(&self) -> Vec<String> {
        let is_missing = |place: &Place, is_seen: bool| !is_seen && !matches!(place, Perhaps(..));
        let unseen = self.places.iter().filter(|(place, is_seen)| is_missing(place, *is_seen));
        unseen.map(|(place, _)| format!("a difference is gone, take it off: {place:?}")).collect()
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
    let mut listed: Vec<String> = KEPT.iter().map(|(line, _)| (*line).to_owned()).collect();
    documented.sort();
    listed.sort();
    assert_eq!(documented, listed, "docs/LIMITATIONS.md and the list say the same");
}
