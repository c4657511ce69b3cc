//! Opens the streams of a volume: those that the catalogue has, and those that only their own logs speak of.
//!
//! Invariants: nothing is removed because the catalogue is damaged; what cannot be opened keeps its name and its files.
//! Not here: the store below, which is recovered before (`store`).

use super::{LogFacts, LogOwner, RecoveryReport, names::Named};
use crate::{
    Error, Result, Stream, StreamConfig,
    catalogue::CATALOGUE_LOG,
    log::LogId,
    stream::{environment::Environment, log_options, replay::Rebuild, stored::StoredConfig},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// Opens all streams there are.
pub(super) fn open_streams(
    environment: &Arc<Environment>,
    catalogue_is_whole: bool,
    report: &mut RecoveryReport,
) -> Result<BTreeMap<String, Named>> {
    let mut names = BTreeMap::new();
    let logs: HashSet<_> = environment.store.list_logs()?.into_iter().collect();
    for stored in environment.catalogue.streams() {
        let id = LogId(stored.incarnation().0);
        let named = match logs.contains(&id) {
            true => open_known(environment, &stored, catalogue_is_whole, report),
            false => {
                let place = format!("{:032x}", id.0);
                let what = "the directory of the stream's log is missing".into();
                let name = stored.name().to_owned();
                report.unreadable_streams.push((name, Error::Damaged { place, what }));
                Named::Unreadable(id)
            }
        };
        names.insert(stored.name().to_owned(), named);
    }
    take_up_strays(environment, &mut names, report)?;
    Ok(names)
}

/// Opens a stream that the catalogue has. One that cannot be opened keeps its name and its files.
fn open_known(
    environment: &Arc<Environment>,
    stored: &StoredConfig,
    catalogue_is_whole: bool,
    report: &mut RecoveryReport,
) -> Named {
    let mut stored = stored.clone();
    // What damage took may have been the newest configuration, and an older one may have limits that remove messages.
    if !catalogue_is_whole && let Some(newer) = config_in_log(environment, &stored) {
        report.damage.push(format!(
            "{}: its configuration is the one of its log, the catalogue has another",
            stored.name()
        ));
        if let Err(error) = environment.catalogue.put(newer.clone()) {
            report.damage.push(format!("{}: {error}", stored.name()));
        }
        stored = newer;
    }
    open_stream(environment, &stored, report)
}

/// The configuration that an undamaged log has, where it is not the one given.
fn config_in_log(environment: &Arc<Environment>, stored: &StoredConfig) -> Option<StoredConfig> {
    let id = LogId(stored.incarnation().0);
    let options = log_options(&stored.config(), environment.sync, environment.segment_bytes);
    let mut rebuild = Rebuild::new(Duration::ZERO, environment.now());
    let log = environment.store.open_log(id, options, &mut |event| rebuild.event(event)).ok()?;
    drop(log);
    let is_whole = rebuild.damage().is_empty();
    let facts = LogFacts {
        entry: Some(stored),
        catalogue_is_whole: false,
        was_removed: false,
        own: rebuild.config(),
        is_whole,
        is_empty: false,
    };
    match facts.owner() {
        LogOwner::Newer(found) => Some(found),
        _ => None,
    }
}

fn open_stream(
    environment: &Arc<Environment>,
    stored: &StoredConfig,
    report: &mut RecoveryReport,
) -> Named {
    let config = stored.config();
    let now = environment.now();
    let mut rebuild = Rebuild::new(config.dedup_window, now);
    let options = log_options(&config, environment.sync, environment.segment_bytes);
    let id = LogId(stored.incarnation().0);
    let opened = environment.store.open_log(id, options, &mut |event| rebuild.event(event));
    let is_noted = rebuild.config() == Some(stored);
    let damage = rebuild.damage();
    report.damage.extend(damage.into_iter().map(|what| format!("{}: {what}", config.name)));
    let name = config.name.clone();
    let opened = opened.and_then(|log| {
        let core = rebuild.finish(config, stored.incarnation(), stored.created(), log);
        let stream = Stream::new(environment, core);
        stream.begin(now)?;
        if !is_noted {
            // A crash came between the catalogue and the log, or damage took what the log knew: should the catalogue be
            // damaged, the log knows it too.
            stream.note_config()?;
        }
        Ok(stream)
    });
    match opened {
        Ok(stream) => Named::Stream(stream),
        Err(error) => {
            report.unreadable_streams.push((name, error));
            Named::Unreadable(id)
        }
    }
}

/// Looks at logs that no entry of the catalogue speaks of: one whose stream was removed goes, and so does one that never
/// held anything; one that says which stream it is is taken up again; any other is kept and reported.
fn take_up_strays(
    environment: &Arc<Environment>,
    names: &mut BTreeMap<String, Named>,
    report: &mut RecoveryReport,
) -> Result<()> {
    let known: HashSet<LogId> =
        environment.catalogue.streams().iter().map(|s| LogId(s.incarnation().0)).collect();
    for id in environment.store.list_logs()? {
        if id == CATALOGUE_LOG || known.contains(&id) {
            continue;
        }
        if environment.catalogue.was_removed(id) {
            environment.store.remove_log(id)?;
            environment.catalogue.forget(id);
            continue;
        }
        let Some(stored) = stray_config(environment, id, report)? else { continue };
        let name = stored.name().to_owned();
        if names.contains_key(&name) {
            report
                .damage
                .push(format!("{name}: log {:032x} is of another stream of that name", id.0));
            continue;
        }
        report.damage.push(format!("{name}: taken up from its log, the catalogue lacks it"));
        let named = open_stream(environment, &stored, report);
        names.insert(name, named);
        environment.catalogue.put(stored)?;
    }
    environment.catalogue.forget_all_but(&environment.store.list_logs()?);
    Ok(())
}

/// What the log of a stray says of its stream. A log that never held a record is removed: its stream was not acknowledged.
fn stray_config(
    environment: &Arc<Environment>,
    id: LogId,
    report: &mut RecoveryReport,
) -> Result<Option<StoredConfig>> {
    let options =
        log_options(&StreamConfig::default(), environment.sync, environment.segment_bytes);
    let mut rebuild = Rebuild::new(Duration::ZERO, environment.now());
    let opened = environment.store.open_log(id, options, &mut |event| rebuild.event(event));
    let name = format!("log {:032x}", id.0);
    let log = match opened {
        Ok(log) => log,
        Err(error) => {
            report.unreadable_streams.push((name, error));
            return Ok(None);
        }
    };
    let is_whole = rebuild.damage().is_empty();
    let facts = LogFacts {
        entry: None,
        catalogue_is_whole: false,
        was_removed: false,
        own: rebuild.config().filter(|config| config.incarnation().0 == id.0),
        is_whole,
        is_empty: log.committed().0 == 0,
    };
    drop(log);
    match facts.owner() {
        LogOwner::Stray(config) => Ok(Some(config)),
        LogOwner::Nobody => {
            environment.store.remove_log(id)?;
            Ok(None)
        }
        _ => {
            let what = "no entry of the catalogue and no record in it says which stream it is";
            report
                .unreadable_streams
                .push((name.clone(), Error::Damaged { place: name, what: what.into() }));
            Ok(None)
        }
    }
}
