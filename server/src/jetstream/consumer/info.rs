//! What replies say of a consumer: configuration, and how far it is.
//! Not here: which reply shows it (`api`).

use super::Consumer;
use super::config::PriorityPolicy;
use super::core::Way;
use super::state::Pair;
use crate::jetstream::info::config_json;
use crate::jetstream::text_time;
use headwater_storage::Timestamp;
use serde_json::{Map, Value, json};

impl Consumer {
    /// As replies show it. `has_dynamic_metadata`: the configuration names the server's version and level.
    pub(crate) fn info(&self, has_dynamic_metadata: bool) -> Map<String, Value> {
        let now = self.clock.now();
        let mut events = Vec::new();
        let mut core = self.lock();
        core.forget_removed(&mut events);
        let pending = core.pending();
        let config = core.config.clone();
        let state = core.machine.state();
        let redelivered = if config.max_deliver == 1 { 0 } else { state.redelivered.len() };
        let mut info = Map::new();
        let mut set = |name: &str, value: Value| drop(info.insert(name.to_owned(), value));
        set("stream_name", self.stream.as_str().into());
        set("name", self.name.as_str().into());
        set("created", text_time::text(self.created).into());
        set("config", config_json(&*config, has_dynamic_metadata));
        set("delivered", pair(state.delivered, core.last_delivery));
        set("ack_floor", pair(state.floor, core.last_ack));
        set("num_ack_pending", state.pending.len().into());
        set("num_redelivered", redelivered.into());
        set("num_pending", pending.into());
        let waiting = match &core.way {
            Way::Pull(queue) => queue.len(),
            Way::Push(push) => {
                if push.is_active {
                    set("push_bound", true.into());
                }
                0
            }
        };
        set("num_waiting", waiting.into());
        if let Some(until) = core.paused_until(now) {
            set("paused", true.into());
            set("pause_remaining", (until - now).into());
        }
        if let Way::Pull(queue) = &core.way
            && config.priority_policy != PriorityPolicy::None
        {
            let since = Some(queue.pin.since()).filter(|since| *since > 0).map(Timestamp);
            let mut group = Map::new();
            group.insert("group".into(), json!(config.priority_groups.first()));
            group.insert("pinned_ts".into(), text_time::text_or_zero(since).into());
            if !queue.pin.id().is_empty() {
                group.insert("pinned_client_id".into(), queue.pin.id().into());
            }
            set("priority_groups", json!([group]));
        }
        set("ts", text_time::now().into());
        drop(core);
        self.send(events);
        info
    }
}

fn pair(pair: Pair, last: Option<Timestamp>) -> Value {
    let mut value = Map::new();
    value.insert("consumer_seq".into(), pair.delivery.into());
    value.insert("stream_seq".into(), pair.sequence.into());
    if let Some(last) = last {
        value.insert("last_active".into(), text_time::text(last).into());
    }
    Value::Object(value)
}
