//! Reads everything in a data directory once: what is wrong, and how large it is.
//! Not here: one log (`log_walk`), rounds of the journal (`journal::survey`).

use super::{
    Finding, JournalFigures, LogFigures, LogKind, OfflineVolume, Progress, Verdict,
    log_walk::{WalkedLog, walk},
    lost::take_out,
    volume::{list, log_files},
};
use crate::{
    DamagedBytes, Result,
    catalogue::CATALOGUE_LOG,
    journal::{JOURNAL_DIRECTORY, JournalSurvey, survey},
    log::LogId,
    segment::{
        LOGS_DIRECTORY, REMOVED_SUFFIX, log_directory, parse_log_directory, parse_segment_name,
    },
    store::LOCK_FILE,
    stream::stored::StoredConfig,
    volume::{LogFacts, LogOwner},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What a data directory is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// Figures of every log, the catalogue's first.
    pub logs: Vec<LogFigures>,
    /// Figures of the journal.
    pub journal: JournalFigures,
    /// What the system could not read, in order of paths: files as a whole, and pieces of them. Each is among the findings.
    pub unread: Vec<DamagedBytes>,
    /// The volume was closed.
    pub is_closed: bool,
    /// Files there are.
    pub files: u64,
    /// Bytes that were read and checked.
    pub bytes: u64,
}

impl Survey {
    /// Whether anything is damaged.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Damage)
    }
}

/// A log and whose it is.
pub(super) struct SurveyedLog {
    pub(super) walked: WalkedLog,
    pub(super) owner: LogOwner,
}

impl OfflineVolume {
    /// Reads everything. `progress` is told now and then.
    pub fn survey(&self, progress: &mut dyn FnMut(Progress)) -> Result<Survey> {
        self.survey_logs(progress).map(|(survey, _)| survey)
    }

    /// Same, with what was learned of every log but the catalogue's.
    pub(super) fn survey_logs(
        &self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Survey, Vec<SurveyedLog>)> {
        let mut files: BTreeMap<PathBuf, Vec<(PathBuf, u64)>> = BTreeMap::new();
        let mut bytes_total = 0;
        for (path, bytes) in log_files(self.below.as_ref())? {
            bytes_total += bytes;
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            files.entry(directory).or_default().push((path, bytes));
        }
        bytes_total += self.journal_bytes()?;
        let mut bytes = 0;
        let mut examined = |more: u64| {
            bytes += more;
            progress(Progress { bytes: bytes.min(bytes_total), bytes_total });
        };
        let checkpoint = self.slots.checkpoint.as_ref();
        let is_closed = checkpoint.is_some_and(|checkpoint| checkpoint.closed);
        let mut survey = Survey { is_closed, ..Survey::default() };
        self.journal(&mut survey, &mut examined)?;
        let mut logs = Vec::new();
        for id in self.store.list_logs()? {
            let files = files.get(&log_directory(id)).map_or(&[][..], Vec::as_slice);
            let walked = walk(self, id, files, &mut examined)?;
            if id == CATALOGUE_LOG {
                self.catalogue(&mut survey, walked);
                continue;
            }
            logs.push(SurveyedLog { owner: self.owner(&walked), walked });
        }
        self.name(&mut survey, &mut logs);
        for entry in self.entries.iter().filter(|entry| logs.iter().all(|log| !log.is_of(entry))) {
            let path = log_directory(LogId(entry.incarnation().0));
            let what = "the directory of the stream's log is missing";
            let finding = Finding::at(Verdict::Damage, DamagedBytes::file(&path, what));
            let stream = Some(entry.name().to_owned());
            survey.findings.push(Finding { stream, end_is_unknown: true, ..finding });
        }
        self.count_files(&mut survey)?;
        self.explain_all(&mut survey.findings);
        survey.unread = self.unread_places();
        survey.bytes = bytes;
        Ok((survey, logs))
    }

    fn journal_bytes(&self) -> Result<u64> {
        let directory = Path::new(JOURNAL_DIRECTORY);
        let mut bytes = 0;
        for name in list(self.below.as_ref(), directory)? {
            let file = self.below.open(&directory.join(name), crate::disk::OpenMode::Read);
            bytes += file.and_then(|file| file.len()).unwrap_or(0);
        }
        Ok(bytes)
    }

    fn journal(&self, result: &mut Survey, examined: &mut dyn FnMut(u64)) -> Result<()> {
        let damage = &self.report.damage;
        let found = match list(self.below.as_ref(), Path::new(JOURNAL_DIRECTORY))?.is_empty() {
            true => JournalSurvey::default(),
            false => survey(&self.below, &self.slots, self.report.journal_end, examined)?,
        };
        let JournalSurvey { files, bytes, rounds, needed_rounds, needed_bytes, torn, spare } =
            found;
        result.journal = JournalFigures { files, bytes, rounds, needed_rounds, needed_bytes };
        let is_named = |place: &DamagedBytes| {
            damage.iter().any(|d| (&d.path, d.offset) == (&place.path, place.offset))
        };
        let findings = |verdict, places: Vec<DamagedBytes>| {
            let rest = places.into_iter().filter(move |place| !is_named(place));
            rest.map(move |place| Finding::at(verdict, place)).collect::<Vec<_>>()
        };
        let of_damage = damage.iter().cloned();
        result.findings.extend(of_damage.map(|place| Finding::at(Verdict::Damage, place)));
        result.findings.extend(findings(Verdict::Torn, torn.into_iter().collect()));
        let broken_slots = self.slots.broken.clone();
        result.findings.extend(findings(Verdict::Spare, broken_slots));
        result.findings.extend(findings(Verdict::Spare, spare));
        Ok(())
    }

    fn catalogue(&self, survey: &mut Survey, walked: WalkedLog) {
        let WalkedLog { mut figures, findings, .. } = walked;
        figures.kind = LogKind::Catalogue;
        survey.logs.push(figures);
        let is_torn = |finding: &Finding| finding.verdict != Verdict::Damage;
        survey.findings.extend(findings.into_iter().filter(is_torn));
        let damage = self.catalogue_damage.iter().cloned();
        survey.findings.extend(damage.map(|place| Finding::at(Verdict::Damage, place)));
    }

    fn owner(&self, walked: &WalkedLog) -> LogOwner {
        let facts = LogFacts {
            entry: self.entries.iter().find(|entry| entry.incarnation().0 == walked.id.0),
            catalogue_is_whole: self.catalogue_damage.is_empty(),
            was_removed: self.removed.contains(&walked.id),
            own: walked.config.as_ref(),
            is_whole: walked.is_whole() && !self.is_unread(&log_directory(walked.id)),
            is_empty: walked.is_empty,
        };
        facts.owner()
    }

    /// Says of each log whose it is, and gives its findings the name of the stream.
    fn name(&self, survey: &mut Survey, logs: &mut [SurveyedLog]) {
        let known = self.entries.iter().map(|entry| entry.name().to_owned());
        let mut names: BTreeSet<String> = known.collect();
        for log in logs {
            let directory = log_directory(log.walked.id);
            let mut note = |verdict, what: String| {
                let place = DamagedBytes::file(&directory, what);
                log.walked.findings.push(Finding::at(verdict, place));
            };
            let (kind, config) = match &log.owner {
                LogOwner::Known(config) | LogOwner::Newer(config) => {
                    (LogKind::Stream, Some(config))
                }
                LogOwner::Stray(config) if !names.insert(config.name().to_owned()) => {
                    let name = config.name();
                    note(Verdict::Damage, format!("the log is of another stream named {name}"));
                    log.owner = LogOwner::Unknown;
                    (LogKind::Unknown, None)
                }
                LogOwner::Stray(config) => {
                    // Where the catalogue is whole, it never had it: its creation was not acknowledged.
                    let what = "the catalogue lacks the stream; it is taken up from its log";
                    note(Verdict::Spare, what.into());
                    (LogKind::Stray, Some(config))
                }
                LogOwner::Removed => {
                    note(Verdict::Torn, "the stream was removed; its files are left".into());
                    (LogKind::Removed, None)
                }
                LogOwner::Nobody => {
                    note(Verdict::Torn, "the stream's creation was never acknowledged".into());
                    (LogKind::Nobody, None)
                }
                LogOwner::Unknown => {
                    note(Verdict::Damage, "nothing says which stream the log is of".into());
                    (LogKind::Unknown, None)
                }
            };
            log.walked.figures.kind = kind;
            log.walked.figures.stream = config.map(|config| config.name().to_owned());
            let least = config.map_or(1, |config| config.config().first_sequence.max(1));
            for finding in &mut log.walked.findings {
                finding.stream.clone_from(&log.walked.figures.stream);
                take_out(&mut finding.lost, (0, least - 1));
                if kind == LogKind::Removed && finding.verdict == Verdict::Damage {
                    // Nothing that anybody wants.
                    finding.verdict = Verdict::Spare;
                    finding.lost.clear();
                }
            }
            survey.logs.push(log.walked.figures.clone());
            survey.findings.extend(log.walked.findings.iter().cloned());
        }
    }

    /// Counts all files, and names what a crash left and what is none of ours.
    fn count_files(&self, survey: &mut Survey) -> Result<()> {
        let mut note = |verdict, path: &Path, what: &str| {
            survey.findings.push(Finding::at(verdict, DamagedBytes::file(path, what)));
        };
        let mut files = 0;
        let journal = Path::new(JOURNAL_DIRECTORY);
        for name in list(self.below.as_ref(), Path::new(""))? {
            match name.as_str() {
                JOURNAL_DIRECTORY | LOGS_DIRECTORY => {}
                "checkpoint.0" | "checkpoint.1" | LOCK_FILE => files += 1,
                _ => note(Verdict::Spare, Path::new(&name), "no file of a volume"),
            }
        }
        for name in list(self.below.as_ref(), journal)? {
            files += 1;
            if is_of_journal(&name, ".new") {
                note(Verdict::Torn, &journal.join(&name), "a journal file that was being made");
            } else if !is_of_journal(&name, ".jnl") {
                note(Verdict::Spare, &journal.join(&name), "no file of a volume");
            }
        }
        let logs = Path::new(LOGS_DIRECTORY);
        for name in list(self.below.as_ref(), logs)? {
            let directory = logs.join(&name);
            let names = list(self.below.as_ref(), &directory)?;
            files += names.len() as u64;
            if name.strip_suffix(REMOVED_SUFFIX).and_then(parse_log_directory).is_some() {
                note(Verdict::Torn, &directory, "a log that was being removed");
                continue;
            }
            if parse_log_directory(&name).is_none() {
                note(Verdict::Spare, &directory, "no file of a volume");
                continue;
            }
            for name in names {
                let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
                let is_numbered = parse_segment_name(&format!("{stem}.seg")).is_some();
                match name.get(stem.len()..).filter(|_| is_numbered) {
                    Some(".seg" | ".idx") => {}
                    Some(".new") => {
                        let what = "a segment that was being written again";
                        note(Verdict::Torn, &directory.join(&name), what);
                    }
                    _ => note(Verdict::Spare, &directory.join(&name), "no file of a volume"),
                }
            }
        }
        survey.files = files;
        Ok(())
    }
}

impl SurveyedLog {
    fn is_of(&self, entry: &StoredConfig) -> bool {
        self.walked.id.0 == entry.incarnation().0
    }
}

/// Whether a file has the name of a journal file with this ending.
pub(super) fn is_of_journal(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|number| number.parse::<u32>().is_ok())
}
