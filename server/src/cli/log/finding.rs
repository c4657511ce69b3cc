//! What is wrong with a directory, as text and as JSON.
//! Not here: how it is found.

use super::stream_text;
use crate::cli::error::Result;
use crate::cli::{screen, size};
use headwater_storage::offline::{Finding, Survey, Verdict};
use serde_json::{Value, json};

/// Prints all findings: damage first, then what is torn, then what nothing depends on.
pub(super) fn print(survey: &Survey) -> Result<()> {
    let mut findings: Vec<_> = survey.findings.iter().collect();
    findings.sort_by_key(|finding| finding.verdict);
    findings.into_iter().try_for_each(|finding| screen::line(text(finding)))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Damage => "damage",
        Verdict::Torn => "torn",
        Verdict::Spare => "spare",
    }
}

/// A line for each place, and one for what is lost.
fn text(finding: &Finding) -> String {
    let word = word(finding.verdict);
    let place = |place: &headwater_storage::DamagedBytes| match place.bytes {
        0 => format!("{word}: {place}"),
        bytes => format!("{word}: {place} ({})", size::text(bytes)),
    };
    let mut lines: Vec<_> = finding.places.iter().map(place).collect();
    if let Some(stream) = &finding.stream {
        let stream = stream_text(stream);
        let lost = lost_text(&finding.lost, finding.end_is_unknown);
        match (finding.verdict, lost) {
            (Verdict::Damage, Some(lost)) => lines.push(format!("        {stream} lost {lost}")),
            (Verdict::Damage, None) => lines.push(format!("        {stream} lost no message")),
            _ => lines.push(format!("        of {stream}")),
        }
    }
    lines.join("\n")
}

/// Lost sequences in words; `None` for none.
pub(super) fn lost_text(lost: &[(u64, u64)], end_is_unknown: bool) -> Option<String> {
    let count: u64 = lost.iter().map(|(first, last)| last - first + 1).sum();
    let ranges = ranges_text(lost);
    match (count, end_is_unknown) {
        (0, false) => None,
        (0, true) => Some("an unknown number of messages".to_owned()),
        (1, false) => Some(format!("sequence {ranges}")),
        (_, false) => Some(format!("{} sequences: {ranges}", size::count_text(count))),
        (_, true) => Some(format!(
            "{} sequences and an unknown number behind them: {ranges}",
            size::count_text(count)
        )),
    }
}

/// Inclusive ranges in words.
pub(super) fn ranges_text(ranges: &[(u64, u64)]) -> String {
    let range = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}

/// What is after everything else: what was read, and the verdict.
pub(super) fn summary(survey: &Survey) -> String {
    let frames: u64 = survey.logs.iter().map(|log| log.frames).sum();
    let messages: u64 = survey.logs.iter().map(|log| log.messages).sum();
    let streams = survey.logs.iter().filter(|log| log.stream.is_some()).count();
    let count = |verdict| {
        let of_it = survey.findings.iter().filter(|finding| finding.verdict == verdict);
        of_it.map(|finding| finding.places.len()).sum::<usize>()
    };
    let (damage, torn, spare) =
        (count(Verdict::Damage), count(Verdict::Torn), count(Verdict::Spare));
    let verdict = match damage {
        0 => "no damage".to_owned(),
        1 => "1 damaged place".to_owned(),
        _ => format!("{damage} damaged places"),
    };
    let mut rest = String::new();
    if torn > 0 {
        rest.push_str(&format!(", {torn} torn (never acknowledged, cut at the next start)"));
    }
    if spare > 0 {
        rest.push_str(&format!(", {spare} spare (nothing depends on it)"));
    }
    let closed = if survey.is_closed { "closed" } else { "not closed" };
    format!(
        "read {} in {} files: {streams} streams, {messages} messages, {frames} frames; {closed}\n{verdict}{rest}",
        size::text(survey.bytes),
        survey.files,
    )
}

/// The findings as JSON.
pub(super) fn json(survey: &Survey) -> Value {
    let finding = |finding: &Finding| {
        let places: Vec<_> = finding
            .places
            .iter()
            .map(|place| {
                json!({
                    "file": place.path.display().to_string(),
                    "offset": place.offset,
                    "bytes": place.bytes,
                    "what": place.what,
                })
            })
            .collect();
        json!({
            "verdict": word(finding.verdict),
            "places": places,
            "stream": finding.stream.as_deref().map(stream_text),
            "lost": finding.lost,
            "end_is_unknown": finding.end_is_unknown,
        })
    };
    survey.findings.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_in_words() {
        for (lost, end_is_unknown, expected) in [
            (&[][..], false, None),
            (&[(5, 5)], false, Some("sequence 5")),
            (&[(5, 5), (8, 1009)], false, Some("1,003 sequences: 5, 8-1009")),
            (&[], true, Some("an unknown number of messages")),
            (&[(1, 2)], true, Some("2 sequences and an unknown number behind them: 1-2")),
        ] {
            assert_eq!(lost_text(lost, end_is_unknown).as_deref(), expected);
        }
    }
}
