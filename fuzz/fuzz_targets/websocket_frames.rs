//! A connection over WebSocket: what a session reads is what a plain reading of the frames gives, however the network cuts them and
//! however much it reads at once, in bounded memory; what the server writes arrives, with answers to pings and one last word.
#![no_main]

use headwater_fuzz::{
    websocket_input::{Connection, Step},
    websocket_model::{End, Expected, INFLATED_BEYOND_MAX, RawFrame, TAIL, expect, inflate},
    wire::{Sizes, Wire, soon},
    within_memory,
};
use headwater_server::{
    config::options::WebSocketOptions,
    network::{
        Close, Link, Transport,
        websocket_testing::{Granted, hand_shake},
    },
};
use libfuzzer_sys::fuzz_target;
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, LazyLock},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest payload of a connection, and what a compressed message may inflate to.
const PAYLOAD_BYTES_MAX: usize = 2048;
const INFLATED_BYTES_MAX: usize = 8 * PAYLOAD_BYTES_MAX;
/// Bytes that a reader holds: what was read and not looked at, and what inflates.
const READER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a message for a browser.
const BROWSER_BYTES_MAX: usize = 4096;

/// An upgrade for other clients and for browsers, without and with compression.
static GRANTED: LazyLock<[Granted; 4]> =
    LazyLock::new(|| [(false, false), (false, true), (true, false), (true, true)].map(granted));

fn granted((is_browser, is_compressed): (bool, bool)) -> Granted {
    let agent = if is_browser { "Mozilla/5.0" } else { "x" };
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nUser-Agent: {agent}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    let options = WebSocketOptions { compression: is_compressed, ..WebSocketOptions::default() };
    let mut wire = Wire::new(request.as_bytes(), &[], &[]);
    let granted = soon(hand_shake(&mut wire, &options));
    granted.expect("a socket that works").expect("a good request")
}

fn link() -> Arc<Link> {
    Link::over(
        Transport::WebSocket { forwarded_for: None },
        1,
        SocketAddr::from(([127, 0, 0, 1], 1)),
        1 << 20,
    )
}

/// How far a session has read.
struct Session<'a> {
    expected: &'a Expected,
    rooms: Sizes<'a>,
    buffer: Vec<u8>,
    read: usize,
    end: Option<Result<(), io::ErrorKind>>,
}

impl<'a> Session<'a> {
    fn new(expected: &'a Expected, rooms: &'a [u8]) -> Self {
        Self { expected, rooms: Sizes::new(rooms), buffer: vec![0; 8192], read: 0, end: None }
    }

    /// Reads once, and looks whether that is what should be there.
    fn read(&mut self, reader: &mut (impl AsyncRead + Unpin)) {
        let size = self.rooms.next_size().unwrap_or(1).min(self.buffer.len());
        let mut room = ReadBuf::new(&mut self.buffer[..size]);
        let result = soon(poll_fn(|context| Pin::new(&mut *reader).poll_read(context, &mut room)));
        let found = room.filled();
        match result {
            Ok(()) if found.is_empty() => self.end = Some(Ok(())),
            Ok(()) => assert!(self.end.is_none(), "bytes behind the end"),
            Err(error) => self.end = Some(Err(error.kind())),
        }
        let wanted = self.expected.bytes.get(self.read..).unwrap_or_default();
        let both = found.len().min(wanted.len());
        assert_eq!(found[..both], wanted[..both], "at {}", self.read);
        self.read += found.len();
        match self.expected.inexact_from {
            None => assert!(self.read <= self.expected.bytes.len(), "more than was sent"),
            Some(from) => {
                let most = from + INFLATED_BYTES_MAX + INFLATED_BEYOND_MAX;
                assert!(self.read <= most, "{} bytes, {most} at most", self.read);
            }
        }
    }

    fn read_to_end(&mut self, reader: &mut (impl AsyncRead + Unpin)) {
        while self.end.is_none() {
            self.read(reader);
        }
        self.read(reader);
        let is_broken = matches!(self.expected.end, End::Broken(_));
        let end = if is_broken { Err(io::ErrorKind::InvalidData) } else { Ok(()) };
        assert_eq!(self.end, Some(end), "{:?}", self.expected.end);
        let exact = self.expected.inexact_from.unwrap_or(self.expected.bytes.len());
        assert!(self.read >= exact, "{} of {exact} bytes", self.read);
    }
}

/// The whole connection: reads and writes as it should, and then ends. Gives what was written, and how that arrived.
fn converse(
    input: &Connection<'_>,
    wire: &[u8],
    expected: &Expected,
    granted: &Granted,
) -> (Vec<u8>, Vec<u8>) {
    let (link, mut written) = (link(), Vec::new());
    let incoming = Wire::new(wire, input.reads, &[]);
    let mut outgoing = Wire::new(&[], &[], input.writes);
    let (mut reader, mut writer) =
        granted.frames(incoming, &mut outgoing, &link, PAYLOAD_BYTES_MAX);
    let mut session = Session::new(expected, input.rooms);
    for step in &input.steps {
        match step {
            Step::Read => session.read(&mut reader),
            Step::Write(one, two) => {
                let chunks = [one.bytes(), two.bytes()];
                write(&mut writer, &chunks);
                written.extend(chunks.concat());
            }
            Step::Flush => flush(&mut writer),
        }
    }
    session.read_to_end(&mut reader);
    let is_broken = matches!(expected.end, End::Broken(_));
    assert_eq!(link.reason(), is_broken.then_some(Close::Framing));
    flush(&mut writer);
    let shut = soon(poll_fn(|context| Pin::new(&mut writer).poll_shutdown(context)));
    assert!(shut.is_ok());
    drop((reader, writer));
    (written, outgoing.outgoing)
}

fn flush(writer: &mut (impl AsyncWrite + Unpin)) {
    assert!(soon(poll_fn(|context| Pin::new(&mut *writer).poll_flush(context))).is_ok());
}

fn write(writer: &mut (impl AsyncWrite + Unpin), chunks: &[Vec<u8>]) {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut left: &mut [IoSlice<'_>] = &mut slices;
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let result =
            soon(poll_fn(|context| Pin::new(&mut *writer).poll_write_vectored(context, left)));
        let bytes = result.expect("a socket that works");
        assert!(bytes > 0, "a write that writes nothing");
        IoSlice::advance_slices(&mut left, bytes);
    }
}

/// What a client makes of what it got.
fn check_written(input: &Connection<'_>, written: &[u8], mut wire: &[u8], expected: &Expected) {
    let (mut plain, mut pings) = (Vec::new(), expected.pings.iter());
    let (mut newest, mut last) = (None, None);
    while let Some(frame) = RawFrame::read(wire) {
        assert!(last.is_none(), "a frame behind the last word");
        assert!(frame.key.is_none() && frame.is_whole() && !frame.is_long_winded, "{frame:?}");
        match frame.first {
            0x82 => {
                let is_small = frame.payload.len() <= BROWSER_BYTES_MAX;
                assert!(is_small || !input.is_browser, "too much for a browser");
                plain.extend_from_slice(&frame.payload);
            }
            0xc2 => {
                assert!(input.is_compressed, "compression was not agreed on");
                let (inflated, is_bad) = inflate(&[&frame.payload[..], &TAIL].concat(), 1 << 20);
                assert_eq!(is_bad, None);
                plain.extend(inflated);
            }
            0x8a => {
                let found = pings.find(|ping| **ping == frame.payload);
                assert!(found.is_some(), "no ping is answered by {frame:?}");
                newest = Some(frame.payload);
            }
            0x88 => last = Some(frame.payload),
            first => panic!("{first:x}"),
        }
        wire = frame.rest;
    }
    assert!(wire.is_empty(), "half a frame");
    assert!(plain == written, "what was written arrives");
    assert_eq!(newest.as_ref(), expected.pings.last(), "the newest ping is answered");
    check_last(&last.expect("a last word"), expected);
}

fn check_last(word: &[u8], expected: &Expected) {
    assert!(word.len() <= 125, "{word:?}");
    let (status, text) = match word {
        [] => (None, &[][..]),
        [high, low, text @ ..] => (Some(u16::from_be_bytes([*high, *low])), text),
        [_] => panic!("half a status"),
    };
    assert!(std::str::from_utf8(text).is_ok(), "{text:?}");
    match &expected.end {
        End::Silent => assert_eq!(status, Some(1000)),
        End::Closed(wanted, wanted_text) => assert_eq!((status, text), (*wanted, &wanted_text[..])),
        End::Broken(statuses) => {
            assert!(
                status.is_some_and(|status| statuses.contains(&status)),
                "{status:?} {statuses:?}"
            );
        }
    }
}

fuzz_target!(|input: Connection<'_>| {
    let sent = input.sent();
    let expected = expect(&sent.wire, input.is_compressed, INFLATED_BYTES_MAX);
    if !sent.is_any && sent.longest <= INFLATED_BYTES_MAX {
        // Who keeps to the rules is read as it was meant, which also says that the plain reading is right.
        assert!(sent.plain == expected.bytes, "what was sent is read");
        assert_eq!(sent.pings, expected.pings);
        let end = sent.last.map(|(status, text)| End::Closed(Some(status), text));
        assert_eq!(expected.end, end.unwrap_or_default());
    }
    let granted = &GRANTED[usize::from(input.is_browser) * 2 + usize::from(input.is_compressed)];
    assert_eq!(granted.is_compressed(), input.is_compressed);

    // With everything at once.
    let mut session = Session::new(&expected, &[]);
    within_memory(READER_BYTES_MAX, || {
        let (incoming, outgoing) = (Wire::new(&sent.wire, &[], &[]), Wire::new(&[], &[], &[]));
        let (mut reader, _writer) = granted.frames(incoming, outgoing, &link(), PAYLOAD_BYTES_MAX);
        session.read_to_end(&mut reader);
    });
    let (written, wire) = converse(&input, &sent.wire, &expected, granted);
    check_written(&input, &written, &wire, &expected);
});
