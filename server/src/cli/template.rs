//! Placeholders in the messages of `pub` and `req`: `{{Count}}`, `{{Time}}`, `{{Random 3 8}}` and others.
//! A text is read once and filled in for each message.
//! Not here: sending them.

use rand::RngExt;

const RANDOM_LENGTH_MAX: usize = 1024 * 1024;
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A text with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Count,
    Time,
    TimeStamp,
    Unix,
    UnixNano,
    Id,
    Random(usize, usize),
}

impl Template {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inside, behind) =
                behind.split_once("}}").ok_or_else(|| format!("{{{{ without }}}} in {text:?}"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::parse(inside)?);
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// A text in which nothing is filled in.
    pub(super) fn literal(text: &str) -> Self {
        Self(vec![Part::Text(text.to_owned())])
    }

    /// The text of one message; they are counted from 1.
    pub(super) fn fill(&self, count: u64) -> String {
        self.0.iter().map(|part| part.fill(count)).collect()
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |word: &str| word.trim_end_matches(',').parse::<usize>().ok();
        let words: Vec<_> = text.split([' ', '(', ')']).filter(|word| !word.is_empty()).collect();
        let name = words.first().map(|name| name.trim_start_matches('.'));
        match (name, words.get(1..).unwrap_or_default()) {
            (Some("Count"), []) => Ok(Self::Count),
            (Some("Time"), []) => Ok(Self::Time),
            (Some("TimeStamp"), []) => Ok(Self::TimeStamp),
            (Some("Unix"), []) => Ok(Self::Unix),
            (Some("UnixNano"), []) => Ok(Self::UnixNano),
            (Some("ID"), []) => Ok(Self::Id),
            (Some("Random"), [min, max]) => match (number(min), number(max)) {
                (Some(min), Some(max)) if min <= max && max <= RANDOM_LENGTH_MAX => {
                    Ok(Self::Random(min, max))
                }
                _ => Err(format!("{{{{{text}}}}}: two lengths are needed, the shorter one first")),
            },
            _ => Err(format!(
                "{{{{{text}}}}} is unknown; there are Count, Time, TimeStamp, Unix, UnixNano, ID and Random MIN MAX"
            )),
        }
    }

    fn fill(&self, count: u64) -> String {
        let now = jiff::Timestamp::now;
        match self {
            Self::Text(text) => text.clone(),
            Self::Count => count.to_string(),
            Self::Time => jiff::Zoned::now().strftime("%-I:%M%p").to_string(),
            Self::TimeStamp => jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Self::Unix => now().as_second().to_string(),
            Self::UnixNano => now().as_nanosecond().to_string(),
            Self::Id => nuid::next().to_string(),
            Self::Random(min, max) => random_text(*min, *max),
        }
    }
}

fn random_text(min: usize, max: usize) -> String {
    let mut random = rand::rng();
    let length = random.random_range(min..=max);
    let letter = |_| LETTERS.get(random.random_range(0..LETTERS.len())).copied();
    (0..length).filter_map(letter).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        for (text, expected) in [
            ("ORDER {{Count}}", "ORDER 7"),
            ("{{ Count }}/{{.Count}}!", "7/7!"),
            ("plain } {", "plain } {"),
            ("", ""),
            ("{{Random 0 0}}", ""),
        ] {
            assert_eq!(Template::parse(text).unwrap().fill(7), expected);
        }
        assert_eq!(Template::literal("{{Count}}").fill(1), "{{Count}}");
        for text in ["{{Random 3 8}}", "{{ Random(3, 8) }}"] {
            let length = Template::parse(text).unwrap().fill(1).len();
            assert!((3..=8).contains(&length), "{length}");
        }
        for text in ["{{Time}}", "{{TimeStamp}}", "{{Unix}}", "{{UnixNano}}", "{{ID}}"] {
            let filled = Template::parse(text).unwrap().fill(1);
            assert!(!filled.is_empty() && !filled.contains('{'), "{filled}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        for text in ["{{Count", "{{Foo}}", "{{}}", "{{Random 8 3}}", "{{Random 1}}", "{{Count 1}}"]
        {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
