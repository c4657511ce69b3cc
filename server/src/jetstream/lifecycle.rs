//! Creating, changing and deleting streams: verdicts, then the engine, then what captures and copies.
//! Invariant: one change at a time in an account, so that verdicts hold until they are acted on.
//! Not here: requests, replies and advisories (`api`), verdicts (`validate`).

use super::config::{ConfigRequest, StreamConfig};
use super::consumer::{Event, Status, ledger::Ledger};
use super::copies;
use super::entry::Entry;
use super::errors::{self, ApiError};
use super::tenant::Tenant;
use super::{consumers, validate};
use headwater_storage::Error as StorageError;
use std::sync::Arc;

/// Error code of a stream that the engine cannot create.
const CREATE_FAILED: u16 = 10049;
/// Error code of an update that the engine refuses.
const UPDATE_FAILED: u16 = 10069;
/// Error code of a delete that the engine refuses.
const DELETE_FAILED: u16 = 10067;

/// Creates a stream, or finds that it is there with the same configuration; gives whether it was created, and how
/// `show` saw it before anything was copied.
pub(crate) async fn create<T>(
    tenant: &Arc<Tenant>,
    name: &str,
    request: &ConfigRequest,
    show: impl FnOnce(&Entry) -> T,
) -> Result<(T, bool), ApiError> {
    validate::before_create(name, &request.config)?;
    let _changing = tenant.changing.lock().await;
    let config = validate::check(request, &|name| tenant.config(name))?;
    validate::replicas(&config)?;
    if let Some(entry) = tenant.entry(name) {
        let is_same = *entry.config() == config;
        return if is_same { Ok((show(&entry), false)) } else { Err(errors::STREAM_NAME_EXISTS) };
    }
    fits(tenant, &config)?;
    validate::unusable_filters(&config)?;
    validate::refuse_unbuilt(&config)?;
    let stored = config.engine(tenant.stored_name(name));
    let created = tenant.context.volume.create_stream(stored).await;
    let stream = created.map_err(|error| match error {
        StorageError::StreamExists(_) => errors::STREAM_NAME_EXISTS,
        other => ApiError::of_storage(&other, CREATE_FAILED),
    })?;
    let entry = Entry::new(stream, Arc::new(config), &tenant.context);
    let shown = show(&entry);
    entry.keep(tenant);
    entry.capture(&tenant.account);
    tenant.insert(name, entry.clone());
    copies::follow_config(tenant.clone(), entry).await;
    Ok((shown, true))
}

/// The configuration of a stream that is to be restored, checked as that of one that is created.
pub(crate) fn check_restore(
    tenant: &Tenant,
    name: &str,
    request: &ConfigRequest,
) -> Result<StreamConfig, ApiError> {
    if name != request.config.name {
        return Err(errors::STREAM_MISMATCH);
    }
    if name.contains(['/', '\\']) {
        return Err(errors::STREAM_NAME_PATH);
    }
    let config = validate::check(request, &|name| tenant.config(name))?;
    validate::replicas(&config)?;
    fits(tenant, &config)?;
    if tenant.entry(name).is_some() {
        return Err(errors::STREAM_NAME_EXISTS_RESTORE);
    }
    validate::unusable_filters(&config)?;
    validate::refuse_unbuilt(&config)?;
    Ok(config)
}

/// Changes a stream's configuration; gives how `show` saw it before copies that are new began.
pub(crate) async fn update<T>(
    tenant: &Arc<Tenant>,
    name: &str,
    request: &ConfigRequest,
    show: impl FnOnce(&Entry) -> T,
) -> Result<T, ApiError> {
    let _changing = tenant.changing.lock().await;
    let config = validate::check(request, &|name| tenant.config(name))?;
    if config.name != name {
        return Err(errors::STREAM_MISMATCH);
    }
    let entry = tenant.entry(name).ok_or(errors::STREAM_NOT_FOUND)?;
    validate::replicas(&config)?;
    let old = entry.config();
    let config = validate::updated(&old, config)?;
    consumers::within_limits(&entry, &old, &config)?;
    fits(tenant, &config)?;
    validate::unusable_filters(&config)?;
    validate::refuse_unbuilt(&config)?;
    let mut stored = config.engine(tenant.stored_name(name));
    stored.first_sequence = entry.stream.config().first_sequence;
    let updated = entry.stream.update(stored).await;
    updated.map_err(|error| ApiError::of_storage(&error, UPDATE_FAILED))?;
    let is_kept_otherwise = old.retention != config.retention;
    entry.set_config(Arc::new(config));
    tenant.note_configured();
    if is_kept_otherwise {
        entry.keep(tenant);
    }
    let shown = show(&entry);
    copies::follow_config(tenant.clone(), entry.clone()).await;
    entry.capture(&tenant.account);
    Ok(shown)
}

/// Deletes a stream.
pub(crate) async fn delete(tenant: &Arc<Tenant>, name: &str) -> Result<(), ApiError> {
    let _changing = tenant.changing.lock().await;
    let entry = tenant.entry(name).ok_or(errors::STREAM_NOT_FOUND)?;
    entry.release();
    entry.copies.lock().await.stop().await;
    let stopped = entry.consumers.all();
    entry.consumers.stop(Status::new(409, "Consumer Deleted")).await;
    let deleted = tenant.context.volume.delete_stream(&tenant.stored_name(name)).await;
    if let Err(error) = deleted {
        entry.capture(&tenant.account);
        consumers::load(tenant, &entry);
        entry.keep(tenant);
        copies::follow_config(tenant.clone(), entry).await;
        return Err(ApiError::of_storage(&error, DELETE_FAILED));
    }
    tenant.remove(name);
    stopped.iter().for_each(|consumer| consumer.publish(&Event::Deleted));
    copies::Copies::forget(&entry.config(), &entry.stream, tenant);
    let forgotten = Ledger::delete(&tenant.context.volume, tenant.account.name(), name).await;
    if let Err(error) = forgotten {
        tracing::warn!(stream = name, %error, "the consumers of a deleted stream are still stored");
    }
    Ok(())
}

/// Whether a stream can stand beside the others: bytes set aside, and subjects.
fn fits(tenant: &Tenant, config: &StreamConfig) -> Result<(), ApiError> {
    let others = tenant.other_configs(&config.name);
    tenant.context.bounds.check(config, others.iter().map(AsRef::as_ref))?;
    let is_taken =
        |other: &Arc<StreamConfig>| validate::overlaps_others(&config.subjects, &other.subjects);
    if others.iter().any(is_taken) { Err(errors::SUBJECT_OVERLAP) } else { Ok(()) }
}
