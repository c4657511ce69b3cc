//! The head of an HTTP request, read with a bound on its bytes, and answers to requests that are refused.
//! Not here: how long it may take (`listener`), what has to be in it (`upgrade`).

use memchr::memmem;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a head. Browsers send all their cookies.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines.
const HEADERS_MAX: usize = 100;
/// Bytes read at once.
const READ_BYTES: usize = 1024;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Status code.
    pub(super) status: u16,
    /// A sentence without its end.
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
    /// The whole answer, after which the connection ends.
    pub(super) fn answer(&self) -> String {
        let Self { status, reason } = self;
        let name = match status {
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            505 => "HTTP Version Not Supported",
            _ => "Error",
        };
        let bytes = reason.len() + 1;
        format!(
            "HTTP/1.1 {status} {name}\r\nContent-Type: text/plain; charset=utf-8\r\nSec-WebSocket-Version: 13\r\n\
             Connection: close\r\nContent-Length: {bytes}\r\n\r\n{reason}\n"
        )
    }
}

/// The head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The method.
    pub(super) method: String,
    /// What is asked for, as it was sent.
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Parses a head; none where it is not whole. Gives the bytes it has too.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Refusal> {
        let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut lines);
        let status = request.parse(bytes).map_err(|error| match error {
            httparse::Error::Version => Refusal::new(505, "HTTP/1.1 expected"),
            httparse::Error::TooManyHeaders => Refusal::new(431, "too many headers"),
            error => Refusal::new(400, format!("malformed request: {error}")),
        })?;
        let httparse::Status::Complete(used) = status else { return Ok(None) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = request.headers.iter().map(|line| (line.name.to_owned(), text(line.value)));
        let head = Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            headers: headers.collect(),
        };
        Ok(Some((head, used)))
    }
    /// The values of a header, one for each of its lines.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str())
    }
    /// The first value of a header; empty without one.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> &'a str {
        self.values(name).next().unwrap_or_default()
    }
    /// Whether a value of a header, or an item of one that is a list, is this word in any case.
    pub(super) fn has_word(&self, name: &str, word: &str) -> bool {
        let mut items = self.values(name).flat_map(|value| value.split(','));
        items.any(|item| item.trim_matches([' ', '\t']).eq_ignore_ascii_case(word))
    }
}

/// Reads a head. Nothing may stand behind it, because nobody is asked for anything yet.
pub(super) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
) -> io::Result<Result<Head, Refusal>> {
    let mut bytes: Vec<u8> = Vec::with_capacity(READ_BYTES);
    loop {
        let seen = bytes.len();
        let most = READ_BYTES.min(HEAD_BYTES_MAX - seen);
        bytes.reserve(most);
        if (&mut *socket).take(most as u64).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Parsed only where an empty line is new, so that slow bytes do not cost more than fast ones.
        let new = bytes.get(seen.saturating_sub(2)..).unwrap_or_default();
        if memmem::find(new, b"\n\r\n").is_some() || memmem::find(new, b"\n\n").is_some() {
            match Head::parse(&bytes) {
                Err(refusal) => return Ok(Err(refusal)),
                Ok(Some((_, used))) if used < bytes.len() => {
                    return Ok(Err(Refusal::new(400, "data before the upgrade was answered")));
                }
                Ok(Some((head, _))) => return Ok(Ok(head)),
                Ok(None) => {}
            }
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Ok(Err(Refusal::new(431, "the head of the request is too long")));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    async fn read_all(mut bytes: &[u8]) -> Result<Result<Head, u16>, io::ErrorKind> {
        let read = read(&mut bytes).await;
        read.map(|head| head.map_err(|refusal| refusal.status)).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn heads() {
        let head = read_all(b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: x, Y ,z\r\na: w\r\n\r\n").await;
        let head = head.unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/a?b"));
        assert_eq!(head.values("a").collect::<Vec<_>>(), ["x, Y ,z", "w"]);
        assert_eq!((head.first("host"), head.first("none")), ("h", ""));
        assert!(head.has_word("A", "y") && head.has_word("a", "W") && !head.has_word("a", "x, y"));
        let many = "A: b\r\n".repeat(HEADERS_MAX + 1);
        let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(HEAD_BYTES_MAX));
        for (text, expected) in [
            ("", Err(io::ErrorKind::UnexpectedEof)),
            ("GET / HTTP/1.1\r\nHost: h\r\n", Err(io::ErrorKind::UnexpectedEof)),
            ("GET / HTTP/1.1\r\n\r\nx", Ok(400)),
            ("GET / HTTP/1.1\r\nno header\r\n\r\n", Ok(400)),
            ("CONNECT {}\r\nPING\r\n\r\n", Ok(400)),
            ("PRI * HTTP/2.0\r\n\r\n", Ok(505)),
            (&format!("GET / HTTP/1.1\r\n{many}\r\n"), Ok(431)),
            (&long, Ok(431)),
        ] {
            let found = read_all(text.as_bytes()).await.map(|head| head.unwrap_err());
            assert_eq!(found, expected, "{text:.60}");
        }
    }

    #[tokio::test]
    async fn a_head_in_pieces() {
        let (mut client, mut server) = tokio::io::duplex(1);
        let sent = b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let send = tokio::io::AsyncWriteExt::write_all(&mut client, sent);
        let (head, sent) = tokio::join!(read(&mut server), send);
        assert_eq!((head.unwrap().unwrap().first("host"), sent.is_ok()), ("h", true));
    }

    #[tokio::test]
    async fn pieces_do_not_make_a_head_shorter() {
        let (mut client, mut server) = tokio::io::duplex(1000);
        let sent = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX + 500));
        let send = tokio::io::AsyncWriteExt::write_all(&mut client, sent.as_bytes());
        let read = async {
            let verdict = read(&mut server).await.unwrap();
            drop(server);
            verdict
        };
        let (verdict, _) = tokio::join!(read, send);
        assert_eq!(verdict.unwrap_err().status, 431);
    }
}
