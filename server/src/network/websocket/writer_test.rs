//! What is written as frames, over sockets that take little at a time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::control::NORMAL;
use super::super::deflate::Inflate;
use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncWriteExt, ReadBuf};

/// A socket that takes so many bytes at once.
#[derive(Debug)]
struct Narrow {
    taken: Vec<u8>,
    bytes_max: usize,
}

impl AsyncWrite for Narrow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = bytes.get(..bytes.len().min(self.bytes_max)).unwrap();
        self.taken.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn writer(bytes_max: usize, is_browser: bool, with_compression: bool) -> Writer<Narrow> {
    let link = Link::new(1, SocketAddr::from(([127, 0, 0, 1], 1)), 1000);
    let socket = Narrow { taken: Vec::new(), bytes_max };
    Writer::new(socket, is_browser, with_compression, Arc::new(Control::default()), link)
}

/// The frames of a server: first byte and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second {
            126 => (usize::from(u16::from_be_bytes(rest[..2].try_into().unwrap())), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            short => (usize::from(*short), rest),
        };
        found.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "whole frames");
    found
}

#[tokio::test]
async fn one_message_of_all_that_waits() {
    for bytes_max in [1, 3, 100, 1_000_000] {
        let mut writer = writer(bytes_max, false, false);
        writer.control.answer(b"1");
        writer.write_all(b"MSG").await.unwrap();
        writer.control.answer(b"2");
        writer.flush().await.unwrap();
        let large = vec![b'x'; 70_000];
        writer.write_all(&large).await.unwrap();
        writer.control.end(Some(NORMAL), "");
        writer.shutdown().await.unwrap();
        let expected = [
            (0x8a, b"1".to_vec()),
            (0x82, b"MSG".to_vec()),
            (0x8a, b"2".to_vec()),
            (0x82, large),
            (0x88, NORMAL.to_be_bytes().to_vec()),
        ];
        assert_eq!(frames(&writer.socket.taken), expected, "{bytes_max}");
    }
}

#[tokio::test]
async fn slices_are_one_message() {
    let mut writer = writer(1_000_000, false, false);
    let slices = [IoSlice::new(b"a"), IoSlice::new(b""), IoSlice::new(b"bc")];
    let written = writer.write_vectored(&slices).await.unwrap();
    // A socket without vectored writes takes the header first, and then what follows it.
    let rest = b"abc".get(written..).unwrap();
    writer.write_all(rest).await.unwrap();
    assert_eq!(frames(&writer.socket.taken), [(0x82, b"abc".to_vec())]);
}

#[tokio::test]
async fn a_last_word_never_stands_in_a_message() {
    let mut writer = writer(3, false, false);
    assert_eq!(writer.write(b"abcdef").await.unwrap(), 3);
    writer.control.answer(b"1");
    writer.flush().await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(writer.socket.taken, b"\x82\x06abc");
}

#[tokio::test]
async fn browsers_get_small_messages() {
    let mut writer = writer(1_000_000, true, false);
    writer.write_all(&[b'x'; 10_000]).await.unwrap();
    let lengths: Vec<_> = frames(&writer.socket.taken).iter().map(|(_, p)| p.len()).collect();
    assert_eq!(lengths, [4096, 4096, 1808]);
}

#[tokio::test]
async fn compressed_messages() {
    for bytes_max in [7, 1_000_000] {
        let mut writer = writer(bytes_max, false, true);
        let plain = b"MSG a 1 5\r\nhello\r\n".repeat(10_000);
        writer.write_all(b"PONG\r\n").await.unwrap();
        writer.write_all(&plain).await.unwrap();
        writer.flush().await.unwrap();
        let (mut inflate, mut found) = (Inflate::new(1 << 20), Vec::new());
        for (first, payload) in frames(&writer.socket.taken) {
            if first == 0x82 {
                found.extend_from_slice(&payload);
                continue;
            }
            assert_eq!(first, 0xc2);
            let mut buffer = vec![0; 1 << 20];
            let mut out = ReadBuf::new(&mut buffer);
            assert_eq!(inflate.piece(&payload, &mut out), Ok(payload.len()));
            assert_eq!(inflate.end(&mut out), Ok(true));
            found.extend_from_slice(out.filled());
        }
        assert!(found == [&b"PONG\r\n"[..], &plain].concat());
        assert!(writer.socket.taken.len() < plain.len() / 10);
    }
}
