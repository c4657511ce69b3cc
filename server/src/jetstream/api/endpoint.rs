//! Which endpoint a subject stands for, the type of its replies, and its handler.
//! Not here: direct reads, whose replies are messages (`direct_get`).

use super::{Reply, Request};
use super::{
    account_info, consumer_change, consumer_list, messages, stream_backup, stream_change,
    stream_info, stream_list, stream_purge, unbuilt,
};
use crate::jetstream::{errors, text_time};
use serde_json::{Map, Value, json};

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    AccountInfo,
    StreamCreate,
    StreamUpdate,
    StreamNames,
    StreamList,
    StreamInfo,
    StreamDelete,
    StreamPurge,
    MessageGet,
    MessageDelete,
    StreamSnapshot,
    StreamRestore,
    StreamStepdown,
    PeerRemove,
    PeerEvacuate,
    MoveCancel,
    ConsumerCreate,
    ConsumerCreateDurable,
    ConsumerNames,
    ConsumerList,
    ConsumerInfo,
    ConsumerDelete,
    ConsumerPause,
    ConsumerReset,
    ConsumerUnpin,
    ConsumerStepdown,
    ConsumerEvacuate,
}

/// How many tokens follow the words of a subject.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Exactly(usize),
    AtLeast(usize),
}

use Tail::{AtLeast, Exactly};

const TABLE: &[(&str, Tail, Endpoint)] = &[
    ("INFO", Exactly(0), Endpoint::AccountInfo),
    ("STREAM.CREATE", Exactly(1), Endpoint::StreamCreate),
    ("STREAM.UPDATE", Exactly(1), Endpoint::StreamUpdate),
    ("STREAM.NAMES", Exactly(0), Endpoint::StreamNames),
    ("STREAM.LIST", Exactly(0), Endpoint::StreamList),
    ("STREAM.INFO", Exactly(1), Endpoint::StreamInfo),
    ("STREAM.DELETE", Exactly(1), Endpoint::StreamDelete),
    ("STREAM.PURGE", Exactly(1), Endpoint::StreamPurge),
    ("STREAM.MSG.GET", Exactly(1), Endpoint::MessageGet),
    ("STREAM.MSG.DELETE", Exactly(1), Endpoint::MessageDelete),
    ("STREAM.SNAPSHOT", Exactly(1), Endpoint::StreamSnapshot),
    ("STREAM.RESTORE", Exactly(1), Endpoint::StreamRestore),
    ("STREAM.LEADER.STEPDOWN", Exactly(1), Endpoint::StreamStepdown),
    ("STREAM.PEER.REMOVE", Exactly(1), Endpoint::PeerRemove),
    ("STREAM.PEER.EVACUATE", Exactly(1), Endpoint::PeerEvacuate),
    ("STREAM.CANCEL_MOVE", Exactly(1), Endpoint::MoveCancel),
    ("CONSUMER.CREATE", AtLeast(1), Endpoint::ConsumerCreate),
    ("CONSUMER.DURABLE.CREATE", Exactly(2), Endpoint::ConsumerCreateDurable),
    ("CONSUMER.NAMES", Exactly(1), Endpoint::ConsumerNames),
    ("CONSUMER.LIST", Exactly(1), Endpoint::ConsumerList),
    ("CONSUMER.INFO", Exactly(2), Endpoint::ConsumerInfo),
    ("CONSUMER.DELETE", Exactly(2), Endpoint::ConsumerDelete),
    ("CONSUMER.PAUSE", Exactly(2), Endpoint::ConsumerPause),
    ("CONSUMER.RESET", Exactly(2), Endpoint::ConsumerReset),
    ("CONSUMER.UNPIN", Exactly(2), Endpoint::ConsumerUnpin),
    ("CONSUMER.LEADER.STEPDOWN", Exactly(2), Endpoint::ConsumerStepdown),
    ("CONSUMER.PEER.EVACUATE", Exactly(2), Endpoint::ConsumerEvacuate),
];

impl Endpoint {
    /// The endpoint of a subject without `$JS.API.`, the stream it names, and what follows.
    pub(super) fn find(path: &str) -> Option<(Self, &str, &str)> {
        TABLE.iter().find_map(|(words, tail, endpoint)| {
            let rest = path.strip_prefix(words)?;
            let tokens = match rest.strip_prefix('.') {
                Some(tokens) => tokens,
                None if rest.is_empty() => "",
                None => return None,
            };
            let count = if rest.is_empty() { 0 } else { tokens.split('.').count() };
            let fits = match tail {
                Exactly(wanted) => count == *wanted,
                AtLeast(wanted) => count >= *wanted,
            };
            let (stream, rest) = tokens.split_once('.').unwrap_or((tokens, ""));
            fits.then_some((*endpoint, stream, rest))
        })
    }
    /// The last part of the type of its replies.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::AccountInfo => "account_info_response",
            Self::StreamCreate => "stream_create_response",
            Self::StreamUpdate => "stream_update_response",
            Self::StreamNames => "stream_names_response",
            Self::StreamList => "stream_list_response",
            Self::StreamInfo => "stream_info_response",
            Self::StreamDelete => "stream_delete_response",
            Self::StreamPurge => "stream_purge_response",
            Self::MessageGet => "stream_msg_get_response",
            Self::MessageDelete => "stream_msg_delete_response",
            Self::StreamSnapshot => "stream_snapshot_response",
            Self::StreamRestore => "stream_restore_response",
            Self::StreamStepdown => "stream_leader_stepdown_response",
            Self::PeerRemove => "stream_remove_peer_response",
            Self::PeerEvacuate => "stream_evacuate_peer_response",
            Self::MoveCancel => "stream_cancel_move_response",
            Self::ConsumerCreate | Self::ConsumerCreateDurable => "consumer_create_response",
            Self::ConsumerNames => "consumer_names_response",
            Self::ConsumerList => "consumer_list_response",
            Self::ConsumerInfo => "consumer_info_response",
            Self::ConsumerDelete => "consumer_delete_response",
            Self::ConsumerPause => "consumer_pause_response",
            Self::ConsumerReset => "consumer_reset_response",
            Self::ConsumerUnpin => "consumer_unpin_response",
            Self::ConsumerStepdown => "consumer_leader_stepdown_response",
            Self::ConsumerEvacuate => "consumer_evacuate_peer_response",
        }
    }
    /// Whether an answer counts as a request, and as one that failed, in the account's numbers. nats-server sends the
    /// messages it reads past its counters, and does not take it for a failure when a message to delete is not there.
    pub(super) fn counts(self, result: &Reply) -> (bool, bool) {
        match (self, result) {
            (Self::MessageGet, Ok(_)) => (false, false),
            (Self::MessageDelete, Err(error)) if error.err_code == errors::SEQUENCE_NOT_FOUND => {
                (true, false)
            }
            (_, result) => (true, result.is_err()),
        }
    }
    /// What stands beside the error in a failed reply.
    pub(super) fn empty_reply(self) -> Map<String, Value> {
        let value = match self {
            Self::StreamInfo => json!({"total": 0, "offset": 0, "limit": 0}),
            Self::StreamRestore => json!({"deliver_subject": ""}),
            Self::StreamNames => json!({"total": 0, "offset": 0, "limit": 0, "streams": null}),
            Self::StreamList => json!({"total": 0, "offset": 0, "limit": 0, "streams": []}),
            Self::ConsumerNames | Self::ConsumerList => {
                json!({"total": 0, "offset": 0, "limit": 0, "consumers": []})
            }
            Self::StreamPurge => json!({"purged": 0}),
            Self::ConsumerPause => json!({"paused": false, "pause_until": text_time::ZERO}),
            Self::ConsumerReset => json!({"reset_seq": 0}),
            _ => json!({}),
        };
        object(value)
    }
    /// Does what the request asks for.
    pub(super) async fn handle(self, request: &Request<'_>) -> Reply {
        match self {
            Self::AccountInfo => account_info::handle(request),
            Self::StreamCreate => stream_change::create(request).await,
            Self::StreamUpdate => stream_change::update(request).await,
            Self::StreamDelete => stream_change::delete(request).await,
            Self::StreamNames => stream_list::names(request),
            Self::StreamList => stream_list::list(request),
            Self::StreamInfo => stream_info::handle(request),
            Self::StreamPurge => stream_purge::handle(request).await,
            Self::MessageGet => messages::get(request),
            Self::MessageDelete => messages::delete(request).await,
            Self::StreamSnapshot => stream_backup::snapshot(request),
            Self::StreamRestore => stream_backup::restore(request).await,
            Self::StreamStepdown
            | Self::PeerRemove
            | Self::PeerEvacuate
            | Self::MoveCancel
            | Self::ConsumerStepdown
            | Self::ConsumerEvacuate => unbuilt::clusters(),
            Self::ConsumerCreate => consumer_change::create(request).await,
            Self::ConsumerCreateDurable => consumer_change::create_durable(request).await,
            Self::ConsumerDelete => consumer_change::delete(request).await,
            Self::ConsumerPause => consumer_change::pause(request).await,
            Self::ConsumerUnpin => consumer_change::unpin(request),
            Self::ConsumerNames => consumer_list::names(request),
            Self::ConsumerList => consumer_list::list(request),
            Self::ConsumerInfo => consumer_list::info(request),
            Self::ConsumerReset => consumer_list::reset(request),
        }
    }
}

/// The fields of an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_find_their_endpoint() {
        for (path, expected) in [
            ("INFO", Some((Endpoint::AccountInfo, "", ""))),
            ("INFO.A", None),
            ("INFOX", None),
            ("STREAM.CREATE.A", Some((Endpoint::StreamCreate, "A", ""))),
            ("STREAM.CREATE", None),
            ("STREAM.CREATE.A.B", None),
            ("STREAM.NAMES", Some((Endpoint::StreamNames, "", ""))),
            ("STREAM.MSG.GET.A", Some((Endpoint::MessageGet, "A", ""))),
            ("STREAM.FOO.A", None),
            ("CONSUMER.CREATE.A", Some((Endpoint::ConsumerCreate, "A", ""))),
            ("CONSUMER.CREATE.A.c.f.>", Some((Endpoint::ConsumerCreate, "A", "c.f.>"))),
            ("CONSUMER.DURABLE.CREATE.A.c", Some((Endpoint::ConsumerCreateDurable, "A", "c"))),
            ("CONSUMER.FOO.A", None),
            ("META.LEADER.STEPDOWN", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::find(path), expected, "{path}");
        }
    }

    #[test]
    fn every_endpoint_has_a_type_of_its_own() {
        let mut kinds: Vec<_> = TABLE.iter().map(|(_, _, endpoint)| endpoint.kind()).collect();
        kinds.sort_unstable();
        let count = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len() + 1, count, "two subjects create consumers");
    }
}
