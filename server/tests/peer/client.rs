//! A client that speaks the NATS protocol by hand over one blocking socket, so that replies are seen byte for byte.
//! Not here: what the bytes mean (`answer`).

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a connection may take to be greeted.
const GREETING: Duration = Duration::from_secs(10);

/// A message as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) reply: String,
    /// The whole header block; empty without headers.
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

enum Event {
    Message(Message),
    Pong,
    Error(String),
    Other,
}

/// A connection.
pub(crate) struct Client {
    socket: TcpStream,
    /// Start of the subjects of replies.
    inbox: String,
    buffer: Vec<u8>,
    requests: u64,
    subscriptions: u64,
    /// Messages that no request waits for.
    heard: VecDeque<Message>,
    /// Lines with which the server complained.
    pub(crate) errors: Vec<String>,
}

impl Client {
    /// Connects and says CONNECT. Its replies have a name of their own: servers that are linked pass them on.
    pub(crate) fn connect(address: &str, name: &str) -> std::io::Result<Self> {
        Self::connect_as(address, name, None)
    }
    /// The same with a user and a password.
    pub(crate) fn connect_as(
        address: &str,
        name: &str,
        user: Option<(&str, &str)>,
    ) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut client = Self {
            socket,
            inbox: format!("_INBOX.{name}."),
            buffer: Vec::new(),
            requests: 0,
            subscriptions: 0,
            heard: VecDeque::new(),
            errors: Vec::new(),
        };
        let options = "\"verbose\":false,\"pedantic\":false,\"echo\":true,\"headers\":true,\
            \"no_responders\":true,\"protocol\":1,\"lang\":\"peer\",\"version\":\"1\",\"name\":\"peer\"";
        let user = user.map(|(user, pass)| format!(",\"user\":\"{user}\",\"pass\":\"{pass}\""));
        let user = user.unwrap_or_default();
        write!(client.socket, "CONNECT {{{options}{user}}}\r\nSUB {}* 1\r\n", client.inbox)?;
        client.flush(GREETING)?;
        Ok(client)
    }
    /// Subscribes; what arrives is heard with [`Client::hear`].
    pub(crate) fn subscribe(&mut self, subject: &str) -> std::io::Result<()> {
        self.subscriptions += 1;
        write!(self.socket, "SUB {subject} {}\r\n", self.subscriptions + 1)?;
        self.flush(GREETING)
    }
    /// Publishes.
    pub(crate) fn publish(&mut self, message: &Message) -> std::io::Result<()> {
        let Message { subject, reply, headers, payload } = message;
        let total = headers.len() + payload.len();
        let mut bytes = match headers.is_empty() {
            true => format!("PUB {subject} {reply} {total}\r\n"),
            false => format!("HPUB {subject} {reply} {} {total}\r\n", headers.len()),
        }
        .into_bytes();
        bytes.extend_from_slice(headers);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.socket.write_all(&bytes)
    }
    /// Publishes with a fresh reply subject, which is given back.
    pub(crate) fn ask(&mut self, mut message: Message) -> std::io::Result<String> {
        self.requests += 1;
        message.reply = format!("{}{}", self.inbox, self.requests);
        self.publish(&message)?;
        Ok(message.reply)
    }
    /// The next reply on a subject, if it comes in time.
    pub(crate) fn reply(&mut self, subject: &str, wait: Duration) -> Option<Message> {
        let until = Instant::now() + wait;
        let kept = self.heard.iter().position(|message| message.subject == subject);
        if let Some(message) = kept.and_then(|at| self.heard.remove(at)) {
            return Some(message);
        }
        loop {
            let message = self.message(until)?;
            if message.subject == subject {
                return Some(message);
            }
            self.heard.push_back(message);
        }
    }
    /// Publishes and waits for one reply.
    pub(crate) fn request(&mut self, message: Message, wait: Duration) -> Option<Message> {
        let reply = self.ask(message).ok()?;
        self.reply(&reply, wait)
    }
    /// The next message that is not a reply, if it comes in time.
    pub(crate) fn hear(&mut self, wait: Duration) -> Option<Message> {
        let until = Instant::now() + wait;
        let inbox = self.inbox.clone();
        let is_reply = |message: &Message| message.subject.starts_with(&inbox);
        if let Some(at) = self.heard.iter().position(|message| !is_reply(message)) {
            return self.heard.remove(at);
        }
        loop {
            let message = self.message(until)?;
            if !is_reply(&message) {
                return Some(message);
            }
        }
    }
    /// Waits until the server has read everything sent so far.
    pub(crate) fn flush(&mut self, wait: Duration) -> std::io::Result<()> {
        self.socket.write_all(b"PING\r\n")?;
        let until = Instant::now() + wait;
        loop {
            match self.event(until)? {
                Some(Event::Pong) => return Ok(()),
                Some(Event::Message(message)) => self.heard.push_back(message),
                Some(Event::Error(line)) => self.errors.push(line),
                Some(Event::Other) => {}
                None => return Err(std::io::ErrorKind::TimedOut.into()),
            }
        }
    }
    fn message(&mut self, until: Instant) -> Option<Message> {
        loop {
            match self.event(until).ok()?? {
                Event::Message(message) => return Some(message),
                Event::Error(line) => self.errors.push(line),
                Event::Pong | Event::Other => {}
            }
        }
    }
    /// The next thing the server says; none when it says nothing in time.
    fn event(&mut self, until: Instant) -> std::io::Result<Option<Event>> {
        loop {
            if let Some((event, bytes)) = parse(&self.buffer) {
                self.buffer.drain(..bytes);
                return Ok(Some(event));
            }
            if let Some(rest) = self.buffer.strip_prefix(b"PING\r\n") {
                self.buffer = rest.to_vec();
                self.socket.write_all(b"PONG\r\n")?;
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut chunk = [0; 64 * 1024];
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.buffer.extend_from_slice(&chunk[..bytes]),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// The first event in a buffer, and how many bytes it takes. A PING is left to the caller.
fn parse(buffer: &[u8]) -> Option<(Event, usize)> {
    let end = buffer.windows(2).position(|two| two == b"\r\n")?;
    let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let body = end + 2;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().unwrap();
    let (headers, total, reply) = match words.as_slice() {
        ["PING"] => return None,
        ["PONG"] => return Some((Event::Pong, body)),
        ["-ERR", ..] => return Some((Event::Error(line), body)),
        ["MSG", _, _, total] => (0, number(total), ""),
        ["MSG", _, _, reply, total] => (0, number(total), *reply),
        ["HMSG", _, _, headers, total] => (number(headers), number(total), ""),
        ["HMSG", _, _, reply, headers, total] => (number(headers), number(total), *reply),
        _ => return Some((Event::Other, body)),
    };
    if buffer.len() < body + total + 2 {
        return None;
    }
    let message = Message {
        subject: words[1].to_owned(),
        reply: reply.to_owned(),
        headers: buffer[body..body + headers].to_vec(),
        payload: buffer[body + headers..body + total].to_vec(),
    };
    Some((Event::Message(message), body + total + 2))
}
