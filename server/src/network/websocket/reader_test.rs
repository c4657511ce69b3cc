//! Frames as a stream of bytes, cut in every way, and what the other side is told to say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::deflate::deflate;
use super::*;
use std::io::IoSlice;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;

/// A socket that gives its bytes in pieces of one size.
struct Pieces<'a>(Vec<&'a [u8]>);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.first_mut() {
            let bytes = piece.len().min(out.remaining());
            out.put_slice(piece.split_off(..bytes).unwrap());
            if piece.is_empty() {
                self.0.remove(0);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A frame with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [7, 11, 13, 17];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        middle @ 126..65536 => {
            bytes.push(0xfe);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

struct Found {
    bytes: Vec<u8>,
    error: Option<io::ErrorKind>,
    control: Arc<Control>,
    link: Arc<Link>,
}

async fn read(input: &[u8], piece: usize, with_compression: bool) -> Found {
    let (control, link) =
        (Arc::new(Control::default()), Link::new(1, SocketAddr::from(([127, 0, 0, 1], 1)), 1000));
    let inflate = with_compression.then(|| Inflate::new(1 << 20));
    let socket = Pieces(input.chunks(piece).collect());
    let mut reader = Reader::new(socket, inflate, control.clone(), link.clone());
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    Found { bytes, error, control, link }
}

const PIECES: [usize; 6] = [1, 2, 7, 4096, 5000, 1_000_000];

#[tokio::test]
async fn operations_over_frames() {
    let long: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
    let input = [
        frame(0x82, b"CONN"),
        frame(0x01, b"ECT"),
        frame(0x89, b"one"),
        frame(0x00, b""),
        frame(0x80, b" {}\r\n"),
        frame(0x8a, b"unasked"),
        frame(0x89, b"two"),
        frame(0x82, &long),
        frame(0x81, &[b'x'; 300]),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x82, b"nobody reads this"),
    ]
    .concat();
    let expected = [&b"CONNECT {}\r\n"[..], &long, &[b'x'; 300]].concat();
    for piece in PIECES {
        let found = read(&input, piece, false).await;
        assert!(found.bytes == expected, "pieces of {piece}");
        assert_eq!((found.error, found.link.reason()), (None, None));
        assert_eq!(found.control.take_pong().as_deref(), Some(&b"\x8a\x03two"[..]));
        assert_eq!(found.control.take_last(None), b"\x88\x05\x03\xe8bye");
    }
}

#[tokio::test]
async fn broken_frames() {
    for (last, status) in [
        (vec![0x82, 1, b'a'], 1002u16),
        (frame(0x83, b""), 1002),
        (frame(0xc2, b""), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x88, b"\x03\xed"), 1002),
    ] {
        let input = [frame(0x82, b"PING\r\n"), last].concat();
        for piece in PIECES {
            let found = read(&input, piece, false).await;
            assert_eq!(found.bytes, b"PING\r\n");
            assert_eq!(found.error, Some(io::ErrorKind::InvalidData));
            assert_eq!(found.link.reason(), Some(Close::Framing));
            let word = found.control.take_last(None);
            assert_eq!(word.get(2..4), Some(&status.to_be_bytes()[..]), "{input:?}");
        }
    }
}

#[tokio::test]
async fn compressed_messages() {
    let plain = b"PUB a 5\r\nhello\r\n".repeat(2000);
    let mut payload = bytes::BytesMut::new();
    deflate(&[IoSlice::new(&plain)], &mut payload).unwrap();
    let (one, two) = payload.split_at(payload.len() / 2);
    let input = [
        frame(0x42, one),
        frame(0x89, b"p"),
        frame(0x80, two),
        frame(0x82, b"PING\r\n"),
        frame(0xc2, &payload),
        frame(0x42, &payload),
        frame(0x80, b""),
    ]
    .concat();
    let expected = [&plain[..], b"PING\r\n", &plain, &plain].concat();
    for piece in PIECES {
        let found = read(&input, piece, true).await;
        assert!(found.bytes == expected && found.error.is_none(), "pieces of {piece}");
        assert!(found.control.take_pong().is_some());
    }
    let mut bomb = bytes::BytesMut::new();
    let mut input = Vec::new();
    for part in 0..20 {
        bomb.clear();
        deflate(&[IoSlice::new(&[0; 65536])], &mut bomb).unwrap();
        bomb.extend_from_slice(&[0, 0, 0xff, 0xff]);
        input.extend(frame(if part == 0 { 0x42 } else { 0x00 }, &bomb));
    }
    let found = read(&input, 4096, true).await;
    assert_eq!(found.error, Some(io::ErrorKind::InvalidData));
    assert!(found.bytes.len() <= (1 << 20) + 65536);
    assert_eq!(found.control.take_last(None).get(2..4), Some(&1009u16.to_be_bytes()[..]));
}

/// However little is read at once, what a frame inflates to comes before what stands behind the frame.
#[tokio::test]
async fn inflated_bytes_before_the_last_word() {
    let plain = b"PUB a 5\r\nhello\r\n".repeat(500);
    let mut payload = bytes::BytesMut::new();
    deflate(&[IoSlice::new(&plain)], &mut payload).unwrap();
    payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
    let input = [frame(0x42, &payload), frame(0x88, b"")].concat();
    for room in [1, 16, 4096, 100_000] {
        let link = Link::new(1, SocketAddr::from(([127, 0, 0, 1], 1)), 1000);
        let (inflate, control) = (Some(Inflate::new(1 << 20)), Arc::new(Control::default()));
        let mut reader = Reader::new(Pieces(vec![&input]), inflate, control, link);
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; room]);
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                read => bytes.extend_from_slice(buffer.get(..read).unwrap()),
            }
        }
        assert!(bytes == plain, "room for {room}: {} of {} bytes", bytes.len(), plain.len());
    }
}

/// A socket with empty frames without end.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let frame = frame(0x82, b"");
        let room = out.remaining() / frame.len();
        out.put_slice(&frame.repeat(room));
        Poll::Ready(Ok(()))
    }
}

/// A client that sends without end what brings nothing does not keep timers from their turn.
#[tokio::test]
async fn fruitless_frames() {
    let link = Link::new(1, SocketAddr::from(([127, 0, 0, 1], 1)), 1000);
    let mut reader = Reader::new(Endless, None, Arc::new(Control::default()), link);
    let turn = std::future::poll_fn(|context| {
        let mut buffer = [0; 100];
        let polled = Pin::new(&mut reader).poll_read(context, &mut ReadBuf::new(&mut buffer));
        Poll::Ready(polled.is_pending())
    });
    assert!(turn.await);
}

proptest::proptest! {
    /// Whatever a client sends, what comes of it does not depend on how the network cuts it.
    #[test]
    fn pieces_do_not_matter(
        rows in proptest::collection::vec(
            (proptest::sample::select(vec![0x82u8, 0x81, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88, 0xc2, 0x42]), 0..300usize),
            0..12,
        ),
        change in proptest::option::of((0..2000usize, proptest::num::u8::ANY)),
        piece in 1..200usize,
        with_compression in proptest::bool::ANY,
    ) {
        let payload = |bytes: usize| (0..bytes).map(|at| (at * 7) as u8).collect::<Vec<_>>();
        let mut input: Vec<u8> =
            rows.iter().flat_map(|(first, bytes)| frame(*first, &payload(*bytes))).collect();
        if let Some((at, byte)) = change && let Some(slot) = input.get_mut(at) {
            *slot = byte;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let once = runtime.block_on(read(&input, input.len().max(1), with_compression));
        let cut = runtime.block_on(read(&input, piece, with_compression));
        proptest::prop_assert_eq!(once.error, cut.error);
        if once.error.is_none() || !with_compression {
            proptest::prop_assert_eq!(once.bytes, cut.bytes);
        }
        proptest::prop_assert_eq!(once.control.take_pong(), cut.control.take_pong());
        proptest::prop_assert_eq!(once.control.take_last(None), cut.control.take_last(None));
    }
}
