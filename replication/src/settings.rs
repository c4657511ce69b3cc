//! What a mirror and a source are told to copy, and the name under which a source's position is kept.
//! Not here: the JSON form of the JetStream API and its verdicts (the server).

use crate::identity::hash8;
use crate::transform::Transform;
use headwater_storage::Timestamp;

/// One origin, copied with its sequences and times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorConfig {
    /// Name of the origin.
    pub name: String,
    /// First sequence to copy. Looked at only while the mirror never held anything; goes before `start_time`.
    pub start_sequence: Option<u64>,
    /// Copy messages stored at or after this time. Looked at only while the mirror never held anything.
    pub start_time: Option<Timestamp>,
    /// Copy only subjects that match.
    pub filter: Option<String>,
    /// Copy only subjects that match one of these, and rename them. Not together with `filter`.
    pub transforms: Vec<Transform>,
    /// The transform of the mirroring stream itself, applied last.
    pub stream_transform: Option<Transform>,
}

/// One of the origins of a stream, copied with sequences and times of the copying stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceConfig {
    /// Name of the origin.
    pub name: String,
    /// API prefix of another domain or account; part of the index name.
    pub api_prefix: Option<String>,
    /// Name of a consumer made for it beforehand; part of the index name.
    pub consumer: Option<String>,
    /// First sequence to copy. Looked at only while no position is known; goes before `start_time`.
    pub start_sequence: Option<u64>,
    /// Copy messages stored at or after this time. Looked at only while no position is known.
    pub start_time: Option<Timestamp>,
    /// Copy only subjects that match.
    pub filter: Option<String>,
    /// Copy only subjects that match one of these, and rename them. Not together with `filter`.
    pub transforms: Vec<Transform>,
    /// The transform of the copying stream itself, applied last.
    pub stream_transform: Option<Transform>,
}

impl SourceConfig {
    /// The name by which a source is told from the others of its stream. It stands in `Nats-Stream-Source` and keys the
    /// stored progress. Where to start is not part of it.
    pub fn index_name(&self) -> String {
        let pairs = self.transforms.iter().map(|each| (each.source(), each.destination()));
        index_name(
            &self.name,
            self.api_prefix.as_deref(),
            self.consumer.as_deref(),
            self.filter.as_deref().unwrap_or_default(),
            pairs,
        )
    }
}

/// Composes an index name: name, hashes of API prefix and consumer where given, then the subjects copied and what they
/// become. Lists are joined with form feeds; what is left out stands as `>`. Two sources of one stream with equal
/// index names are duplicates.
pub fn index_name<'a>(
    name: &str,
    api_prefix: Option<&str>,
    consumer: Option<&str>,
    filter: &str,
    transforms: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let or_all = |text: &'a str| if text.is_empty() { ">" } else { text };
    let (sources, destinations): (Vec<&str>, Vec<&str>) = transforms
        .into_iter()
        .map(|(source, destination)| (or_all(source), or_all(destination)))
        .unzip();
    let mut text = name.to_owned();
    if let Some(prefix) = api_prefix {
        text.push(':');
        text.push_str(&hash8(prefix));
    }
    if let Some(consumer) = consumer {
        text.push_str(":C=");
        text.push_str(&hash8(consumer));
    }
    if sources.is_empty() {
        let filter = if filter.is_empty() { ">" } else { filter };
        format!("{text} {filter} >")
    } else {
        format!("{text} {} {}", sources.join("\x0c"), destinations.join("\x0c"))
    }
}

/// The subjects to ask the origin for; empty for all.
pub(crate) fn filters(filter: Option<&str>, transforms: &[Transform]) -> Vec<String> {
    if transforms.is_empty() {
        return filter
            .filter(|f| !f.is_empty() && *f != ">")
            .map(str::to_owned)
            .into_iter()
            .collect();
    }
    if transforms.iter().any(|each| each.source() == ">") {
        return Vec::new();
    }
    transforms.iter().map(|each| each.source().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_names() {
        for (prefix, consumer, filter, transforms, expected) in [
            (None, None, "", vec![], "O > >"),
            (None, None, "o.*", vec![], "O o.* >"),
            (None, None, "", vec![("a.*", "b.$1"), ("z.*", "")], "O a.*\x0cz.* b.$1\x0c>"),
            (None, None, "", vec![("", "b.>")], "O > b.>"),
            (Some("$JS.hub.API"), None, "", vec![], &format!("O:{} > >", hash8("$JS.hub.API"))),
            (None, Some("dur"), "", vec![], &format!("O:C={} > >", hash8("dur"))),
        ] {
            assert_eq!(index_name("O", prefix, consumer, filter, transforms), expected);
        }
    }
}
