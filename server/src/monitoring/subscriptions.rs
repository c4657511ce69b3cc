//! `/subsz`: how many subscriptions there are, and which.
//! Not here: HTTP.

use super::query::{Page, Query, QueryError};
use super::text;
use crate::routing::Subscription;
use crate::shared::Shared;
use headwater_storage::subject;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// Subscriptions in an answer that does not say how many it wants.
const LIMIT: usize = 1024;

/// The answer to a `/subsz` request.
pub fn view(shared: &Shared, query: &Query) -> Result<Value, QueryError> {
    let page = Page::of(query, LIMIT)?;
    let with_list = query.switch("subs")?;
    let tested = query.text("test");
    let wanted = query.text("acc");
    let accounts = [&shared.accounts.global, &shared.accounts.system];
    let accounts = accounts.into_iter().filter(|one| wanted.is_empty() || one.name() == wanted);
    let (mut count, mut list) = (0, Vec::new());
    for account in accounts {
        count += account.subscriptions();
        let matches = |one: &Subscription| {
            tested.is_empty() || subject::matches(&String::from_utf8_lossy(&one.subject), tested)
        };
        if with_list || !tested.is_empty() {
            let all = account.all_subscriptions();
            list.extend(all.iter().filter(|one| matches(one)).map(|one| {
                let mut detail = detail(one);
                if let Some(fields) = detail.as_object_mut() {
                    fields.insert("account".into(), account.name().into());
                }
                detail
            }));
        }
    }
    let total = if list.is_empty() && tested.is_empty() { count } else { list.len() };
    let mut answer = json!({
        "server_id": shared.info().server_id,
        "now": text::time(SystemTime::now()),
        "num_subscriptions": count,
        "total": total,
        "offset": page.offset,
        "limit": page.limit,
    });
    if let (true, Some(fields)) = (with_list || !tested.is_empty(), answer.as_object_mut()) {
        fields.insert("subscriptions_list".into(), page.select(list).into());
    }
    Ok(answer)
}

/// One subscription in full.
pub fn detail(subscription: &Subscription) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Map::new();
    fields.insert("subject".into(), text(&subscription.subject).into());
    if !subscription.queue.is_empty() {
        fields.insert("qgroup".into(), text(&subscription.queue).into());
    }
    fields.insert("sid".into(), text(&subscription.sid).into());
    fields.insert("msgs".into(), subscription.delivered().into());
    if subscription.deliveries_max() > 0 {
        fields.insert("max".into(), subscription.deliveries_max().into());
    }
    fields.insert("cid".into(), subscription.sink_id().unwrap_or(0).into());
    Value::Object(fields)
}
