//! What a check found: a status, the reasons for it, and numbers, all on one line.
//! The layout is the one of Nagios plugins: `CRITICAL ORDERS Crit:5 messages | messages=5;100;50`.
//! Not here: what is found (`stream`, `consumer`, `connect`, `jetstream`).

use std::fmt::{self, Display};
use std::process::ExitCode;
use std::time::Duration;

/// Exit status of a check that could not be made.
pub(in crate::cli) const UNKNOWN: u8 = 3;

/// A number, with the thresholds that it was held against. Zero stands for none.
#[derive(Debug, Default)]
pub(super) struct Measure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) warning: f64,
    pub(super) critical: f64,
}

/// The findings.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    subject: String,
    unknowns: Vec<String>,
    criticals: Vec<String>,
    warnings: Vec<String>,
    oks: Vec<String>,
    measures: Vec<Measure>,
}

impl Verdict {
    /// None so far.
    pub(super) fn new(subject: String) -> Self {
        Self { subject, ..Self::default() }
    }

    /// Adds why the check could not be made.
    pub(super) fn unknown(&mut self, reason: impl Display) {
        self.unknowns.push(one_line(reason));
    }

    /// Adds what is bad.
    pub(super) fn critical(&mut self, reason: impl Display) {
        self.criticals.push(one_line(reason));
    }

    /// Adds what is not good.
    pub(super) fn warn(&mut self, reason: impl Display) {
        self.warnings.push(one_line(reason));
    }

    /// Adds what is good.
    pub(super) fn ok(&mut self, reason: impl Display) {
        self.oks.push(one_line(reason));
    }

    /// Adds a number without thresholds.
    pub(super) fn count(&mut self, name: &str, value: u64) {
        self.measure(Measure { value: value as f64, ..Measure::named(name) });
    }

    /// Adds a number.
    pub(super) fn measure(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    /// The worst that was found.
    fn status(&self) -> (&'static str, u8) {
        let is_there = |reasons: &Vec<String>| !reasons.is_empty();
        match () {
            () if is_there(&self.criticals) => ("CRITICAL", 2),
            () if is_there(&self.unknowns) => ("UNKNOWN", UNKNOWN),
            () if is_there(&self.warnings) => ("WARNING", 1),
            () => ("OK", 0),
        }
    }

    /// The same for the system.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status().1)
    }
}

impl Measure {
    /// One that has a name only.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// A count.
    pub(super) fn count(
        name: &str,
        value: u64,
        warning: Option<u64>,
        critical: Option<u64>,
    ) -> Self {
        let (warning, critical) = (warning.unwrap_or(0) as f64, critical.unwrap_or(0) as f64);
        Self { value: value as f64, warning, critical, ..Self::named(name) }
    }

    /// A time, in seconds.
    pub(super) fn time(
        name: &str,
        value: Duration,
        warning: Option<Duration>,
        critical: Option<Duration>,
    ) -> Self {
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        let (warning, critical) = (seconds(warning), seconds(critical));
        Self { value: value.as_secs_f64(), unit: "s", warning, critical, ..Self::named(name) }
    }
}

/// A line stays a line, and its numbers stand behind the only bar.
fn one_line(reason: impl Display) -> String {
    reason.to_string().replace(|letter: char| letter.is_control() || letter == '|', " ")
}

impl Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, warning, critical } = self;
        let digits = if *unit == "s" { 4 } else { 0 };
        write!(f, "{name}={value:.digits$}{unit}")?;
        match (*warning != 0.0, *critical != 0.0) {
            (true, true) => write!(f, ";{warning:.digits$};{critical:.digits$}"),
            (true, false) => write!(f, ";{warning:.digits$}"),
            (false, true) => write!(f, ";;{critical:.digits$}"),
            (false, false) => Ok(()),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status().0, self.subject)?;
        for (label, reasons) in [
            ("Crit", &self.criticals),
            ("Unknown", &self.unknowns),
            ("Warn", &self.warnings),
            ("OK", &self.oks),
        ] {
            reasons.iter().try_for_each(|reason| write!(f, " {label}:{reason}"))?;
        }
        if !self.measures.is_empty() {
            f.write_str(" |")?;
        }
        self.measures.iter().try_for_each(|measure| write!(f, " {measure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_nats_command_line() {
        let mut verdict = Verdict::new("ORDERS".to_owned());
        assert_eq!((verdict.to_string(), verdict.status().1), ("OK ORDERS".to_owned(), 0));
        verdict.ok("0 sources");
        verdict.measure(Measure::count("sources", 0, Some(1), None));
        assert_eq!(verdict.to_string(), "OK ORDERS OK:0 sources | sources=0;1");
        verdict.warn("few");
        assert_eq!(verdict.status().1, 1);
        verdict.unknown("what?");
        assert_eq!(verdict.status(), ("UNKNOWN", 3));
        verdict.critical("a\nb|c");
        verdict.measure(Measure::time(
            "rtt",
            Duration::from_micros(1540),
            None,
            Some(Duration::from_secs(1)),
        ));
        let expected = "CRITICAL ORDERS Crit:a b c Unknown:what? Warn:few OK:0 sources \
                        | sources=0;1 rtt=0.0015s;;1.0000";
        assert_eq!((verdict.to_string().as_str(), verdict.status().1), (expected, 2));
    }

    #[test]
    fn thresholds_of_measures() {
        for (warning, critical, expected) in [
            (None, None, "n=5"),
            (Some(7), None, "n=5;7"),
            (None, Some(9), "n=5;;9"),
            (Some(7), Some(9), "n=5;7;9"),
        ] {
            assert_eq!(Measure::count("n", 5, warning, critical).to_string(), expected);
        }
    }
}
