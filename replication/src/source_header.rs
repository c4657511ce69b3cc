//! The `Nats-Stream-Source` header, by which a copied message names the message it is a copy of.
//!
//! Written form, six fields: index name's stream part, sequence at the origin, subjects copied, what they become, subject at
//! the origin, identity of the origin. Readers accept the older ones of four, five and two fields, and the raw acknowledgement
//! subject of the oldest servers. Facts from nats-server's source, checked on a running 2.15.
//! Not here: which message is the newest of a source (`source`).

use crate::settings::SourceConfig;
use std::fmt::Write as _;

/// Name of the header.
pub const STREAM_SOURCE: &str = "Nats-Stream-Source";
/// Start of an acknowledgement subject.
const ACKNOWLEDGEMENT: &str = "$JS.ACK.";

/// Writes the headers of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceHeader {
    stream: String,
    subjects: String,
    destinations: String,
    name: String,
    external_name: Option<String>,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePosition {
    /// The stream part of the index name.
    pub stream: String,
    /// Subjects copied and what they become, where the header says so.
    pub subjects: Option<(String, String)>,
    /// Sequence at the origin.
    pub sequence: u64,
    /// Identity hash of the origin; empty where the header does not say it.
    pub identity: String,
}

impl SourceHeader {
    /// The header of a source. Fields of its index name that hold spaces are cut at the first, as nats-server does.
    pub fn new(config: &SourceConfig) -> Self {
        let index = config.index_name();
        let mut fields = index.split(' ').map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        let (stream, subjects, destinations) = (field(), field(), field());
        let external = config.api_prefix.as_deref();
        let external_name =
            external.map(|prefix| format!("{}:{}", config.name, crate::identity::hash8(prefix)));
        Self { stream, subjects, destinations, name: config.name.clone(), external_name }
    }

    /// Writes the value for one message into `out`.
    pub fn write(&self, sequence: u64, subject: &str, identity: &str, out: &mut String) {
        out.clear();
        let Self { stream, subjects, destinations, .. } = self;
        let _ = write!(out, "{stream} {sequence} {subjects} {destinations} {subject}");
        if !identity.is_empty() {
            out.push(' ');
            out.push_str(identity);
        }
    }

    /// Whether a message with this header was copied by this source. Forms without subjects fit every source of the stream.
    pub fn covers(&self, position: &SourcePosition) -> bool {
        match &position.subjects {
            Some((subjects, destinations)) => {
                position.stream == self.stream
                    && *subjects == self.subjects
                    && *destinations == self.destinations
            }
            None => {
                position.stream == self.name
                    || self.external_name.as_deref() == Some(&position.stream)
            }
        }
    }
}

impl SourcePosition {
    /// Reads a value in any known form; `None` for anything else.
    pub fn parse(value: &str) -> Option<Self> {
        if let Some(rest) = value.strip_prefix(ACKNOWLEDGEMENT) {
            return Self::parse_acknowledgement(rest);
        }
        let fields: Vec<&str> = value.split(' ').collect();
        let (stream, sequence, subjects, identity) = match *fields.as_slice() {
            [stream, sequence] => (stream, sequence, None, ""),
            [stream, sequence, subjects, destinations, ref rest @ ..] => {
                let identity = rest.get(1).copied().unwrap_or_default();
                (stream, sequence, Some((subjects.to_owned(), destinations.to_owned())), identity)
            }
            _ => return None,
        };
        let sequence = sequence.parse().ok()?;
        Some(Self { stream: stream.to_owned(), subjects, sequence, identity: identity.to_owned() })
    }

    /// Without or with domain and account in front of the stream's name.
    fn parse_acknowledgement(rest: &str) -> Option<Self> {
        let tokens: Vec<&str> = rest.split('.').collect();
        let at = match tokens.len() {
            7 => 0,
            9.. => 2,
            _ => return None,
        };
        let sequence = tokens.get(at + 3)?.parse().ok()?;
        let stream = (*tokens.get(at)?).to_owned();
        Some(Self { stream, subjects: None, sequence, identity: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transform;

    #[test]
    fn written_as_nats_server_writes_it() {
        let transforms = vec![
            Transform::new("o.*.v", "p.{{partition(7,1)}}.$1").expect("transform"),
            Transform::new("z.*", "").expect("transform"),
        ];
        let plain = SourceConfig { name: "O".into(), ..Default::default() };
        let filtered = SourceConfig { filter: Some("o.>".into()), ..plain.clone() };
        let mapped = SourceConfig { transforms, ..plain.clone() };
        for (config, expected) in [
            (plain, "O 5 > > o.k4.v d71u5aS5"),
            (filtered, "O 5 o.> > o.k4.v d71u5aS5"),
            (mapped, "O 5 o.*.v\x0cz.* p.{{partition(7,1)}}.$1\x0c> o.k4.v d71u5aS5"),
        ] {
            let header = SourceHeader::new(&config);
            let mut text = String::new();
            header.write(5, "o.k4.v", "d71u5aS5", &mut text);
            assert_eq!(text, expected);
            let position = SourcePosition::parse(&text).expect("parses");
            assert_eq!((position.sequence, position.identity.as_str()), (5, "d71u5aS5"));
            assert!(header.covers(&position));
        }
    }

    #[test]
    fn older_forms() {
        let header = SourceHeader::new(&SourceConfig { name: "O".into(), ..Default::default() });
        for (text, expected) in [
            ("$JS.ACK.O.cons.1.7.3.1234.0", Some((7, true))),
            ("$JS.ACK.hub.hash.O.cons.1.7.3.1234.0", Some((7, true))),
            ("$JS.ACK.hub.hash.O.cons.1.7.3.1234.0.tok", Some((7, true))),
            ("$JS.ACK.P.cons.1.7.3.1234.0", Some((7, false))),
            ("O 7", Some((7, true))),
            ("P 7", Some((7, false))),
            ("O 7 > >", Some((7, true))),
            ("O 7 a.* >", Some((7, false))),
            ("O 7 > > o.x", Some((7, true))),
            ("O 7 >", None),
            ("O seven > >", None),
            ("$JS.ACK.O.cons", None),
            ("", None),
        ] {
            let position = SourcePosition::parse(text);
            let got = position.map(|position| (position.sequence, header.covers(&position)));
            assert_eq!(got, expected, "{text}");
        }
    }
}
