//! JetStream's part of monitoring: `/jsz`, and the block in `/varz`.
//! Not here: HTTP and the parameters of a request (`monitoring`).

use super::consumer::Consumer;
use super::info::{self, Details};
use super::tenant::{Tenant, Usage};
use super::{JetStream, text_time};
use crate::monitoring::{JetStreamView, Missing, Query, QueryError};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Accounts shown where no limit is asked for.
const ACCOUNTS_DEFAULT: usize = 1024;

impl JetStream {
    fn config(&self) -> Value {
        let context = &self.context;
        json!({
            "max_memory": context.bounds.memory,
            "max_storage": context.bounds.file,
            "store_dir": context.options.directory.display().to_string(),
            "strict": context.options.is_strict,
        })
    }
    fn totals(&self) -> (Usage, u64, u64, usize) {
        let mut sum = (Usage::default(), 0, 0, 0);
        for tenant in self.tenants() {
            let usage = tenant.usage();
            sum.0.memory += usage.memory;
            sum.0.file += usage.file;
            sum.0.reserved_memory += usage.reserved_memory;
            sum.0.reserved_file += usage.reserved_file;
            sum.0.messages += usage.messages;
            sum.0.consumers += usage.consumers;
            sum.1 += tenant.requests.load(Ordering::Relaxed);
            sum.2 += tenant.errors.load(Ordering::Relaxed);
            sum.3 += tenant.entries().len();
        }
        sum
    }
}

fn numbers(usage: Usage, total: u64, errors: u64) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("memory".into(), usage.memory.into());
    value.insert("storage".into(), usage.file.into());
    value.insert("reserved_memory".into(), usage.reserved_memory.into());
    value.insert("reserved_storage".into(), usage.reserved_file.into());
    value.insert(
        "api".into(),
        json!({"level": crate::protocol::API_LEVEL, "total": total, "errors": errors}),
    );
    value
}

/// How much of an account is shown.
struct Shown {
    streams: bool,
    consumers: bool,
    config: bool,
}

impl Shown {
    fn of(query: &Query) -> Result<Self, QueryError> {
        // `consumer` in a body, `consumers` in a URL.
        let consumers = query.switch("consumers")? || query.switch("consumer")?;
        let config = query.switch("config")?;
        let streams = query.switch("streams")? || consumers || config;
        Ok(Self { streams, consumers, config })
    }
}

/// A consumer without what is not asked for.
fn consumer(consumer: &Consumer, shown: &Shown) -> Value {
    let mut info = consumer.info(false);
    if !shown.config {
        info.remove("config");
    }
    Value::Object(info)
}

fn account(tenant: &Arc<Tenant>, shown: &Shown) -> Value {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let mut value = numbers(tenant.usage(), load(&tenant.requests), load(&tenant.errors));
    let name = tenant.account.name();
    value.insert("name".into(), name.into());
    value.insert("id".into(), name.into());
    value.insert("accounts".into(), 0.into());
    value.insert("ha_assets".into(), 0.into());
    if shown.streams {
        let details = tenant.entries().into_iter().map(|entry| {
            let config = entry.config();
            let mut stream = info::stream(&entry, &Details::default());
            stream.insert("name".into(), config.name.as_str().into());
            stream.remove("ts");
            if !shown.config {
                stream.remove("config");
            }
            if shown.consumers {
                let all = entry.consumers.listed();
                let all: Vec<Value> = all.iter().map(|one| consumer(one, shown)).collect();
                stream.insert("consumer_detail".into(), all.into());
            }
            let leader = tenant.context.identity.name.as_str();
            stream.insert("cluster".into(), json!({"leader": leader}));
            Value::Object(stream)
        });
        value.insert("stream_detail".into(), details.collect());
    }
    Value::Object(value)
}

impl JetStreamView for JetStream {
    fn jsz(&self, query: &Query) -> Result<Value, QueryError> {
        let shown = Shown::of(query)?;
        let (usage, total, errors, streams) = self.totals();
        let mut value = numbers(usage, total, errors);
        let tenants = self.tenants();
        value.insert("config".into(), self.config());
        value.insert("limits".into(), json!({}));
        value.insert("ha_assets".into(), 0.into());
        value.insert("streams".into(), streams.into());
        value.insert("consumers".into(), usage.consumers.into());
        value.insert("messages".into(), usage.messages.into());
        value.insert("bytes".into(), usage.memory.saturating_add(usage.file).into());
        value.insert("accounts".into(), tenants.len().into());
        value.insert("total".into(), tenants.len().into());
        let wanted = query.text("acc");
        if query.switch("accounts")? || shown.streams {
            let offset = query.integer("offset")?.unwrap_or(0);
            let limit = query.integer("limit")?.unwrap_or(ACCOUNTS_DEFAULT);
            let selected = tenants
                .iter()
                .filter(|tenant| wanted.is_empty() || tenant.account.name() == wanted)
                .skip(offset)
                .take(limit);
            let details = selected.map(|tenant| account(tenant, &shown)).collect();
            value.insert("account_details".into(), details);
        }
        Ok(Value::Object(value))
    }
    fn missing(&self, account: &str, stream: &str, consumer: &str) -> Option<Missing> {
        if account.is_empty() {
            return None;
        }
        let found = self.tenants().into_iter().find(|tenant| tenant.account.name() == account);
        let Some(tenant) = found else { return Some(Missing::Account) };
        if stream.is_empty() {
            return None;
        }
        let Some(entry) = tenant.entry(stream) else { return Some(Missing::Stream) };
        let is_there = consumer.is_empty() || entry.consumers.find(consumer).is_some();
        (!is_there).then_some(Missing::Consumer)
    }
    fn summary(&self) -> Value {
        let (usage, total, errors, streams) = self.totals();
        let mut stats = numbers(usage, total, errors);
        stats.insert("accounts".into(), self.tenants().len().into());
        stats.insert("ha_assets".into(), 0.into());
        stats.insert("streams".into(), streams.into());
        json!({
            "config": self.config(),
            "stats": stats,
            "limits": {},
            "start": text_time::text(self.context.started),
        })
    }
    fn failure(&self) -> Option<String> {
        if let Some(error) = self.context.volume.failure() {
            return Some(error.to_string());
        }
        let entries = self.tenants().into_iter().flat_map(|tenant| tenant.entries());
        let mut failures = entries.filter_map(|entry| {
            let name = entry.config().name.clone();
            entry.stream.failure().map(|error| format!("stream {name:?}: {error}"))
        });
        failures.next()
    }
}
