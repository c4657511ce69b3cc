//! Compressed messages, there and back, with small room and hostile input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::from(&b"head"[..]);
    let (one, two) = plain.split_at(plain.len() / 3);
    let used = deflate(&[IoSlice::new(one), IoSlice::new(two)], &mut out).unwrap();
    assert_eq!(used, plain.len().min(MESSAGE_BYTES_MAX));
    out.get(4..).unwrap().to_vec()
}

/// Inflates a message that comes in pieces, into room of some size.
fn inflated(
    inflate: &mut Inflate,
    message: &[u8],
    piece: usize,
    room: usize,
) -> Result<Vec<u8>, Violation> {
    let mut found = Vec::new();
    let mut buffer = vec![0; room];
    for mut piece in message.chunks(piece) {
        while !piece.is_empty() {
            let mut out = ReadBuf::new(&mut buffer);
            let used = inflate.piece(piece, &mut out)?;
            assert!(used > 0 || !out.filled().is_empty(), "it goes on");
            piece = piece.get(used..).unwrap();
            found.extend_from_slice(out.filled());
        }
    }
    loop {
        let mut out = ReadBuf::new(&mut buffer);
        let is_over = inflate.end(&mut out)?;
        found.extend_from_slice(out.filled());
        if is_over {
            return Ok(found);
        }
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rand::random::<u8>()).collect()
}

#[test]
fn there_and_back() {
    let mut inflate = Inflate::new(1 << 20);
    let rows = [
        Vec::new(),
        b"PUB a 5\r\nhello\r\n".to_vec(),
        b"PING\r\n".repeat(5000),
        noise(4096),
        noise(MESSAGE_BYTES_MAX),
        vec![b'x'; MESSAGE_BYTES_MAX],
    ];
    for (row, plain) in rows.iter().enumerate() {
        let message = deflated(plain);
        for (piece, room) in [(1, 100_000), (100_000, 1), (7, 13), (100_000, 100_000), (512, 4096)]
        {
            let found = inflated(&mut inflate, &message, piece, room).unwrap();
            assert!(found == *plain, "row {row} in pieces of {piece} into {room}");
        }
    }
    assert_eq!(
        deflate(&[IoSlice::new(&noise(100_000))], &mut BytesMut::new()).unwrap(),
        MESSAGE_BYTES_MAX
    );
}

#[test]
fn hostile_input() {
    let mut inflate = Inflate::new(1000);
    let message = deflated(&[0; 1001]);
    assert_eq!(inflated(&mut inflate, &message, 100, 64), Err(BOMB));
    assert_eq!(inflated(&mut Inflate::new(1001), &message, 100, 64).unwrap().len(), 1001);
    assert_eq!(inflated(&mut Inflate::new(1000), &[0xff; 50], 100, 64), Err(BROKEN));
    // Cut in the middle, the tail is not what ends it.
    let mut inflate = Inflate::new(1 << 20);
    let message = deflated(&noise(500));
    let cut = inflated(&mut inflate, message.get(..100).unwrap(), 100, 64);
    assert!(cut.is_err() || cut.unwrap().len() < 500);
}

#[test]
fn a_last_block_ends_the_message() {
    let mut stream = Compress::new(Compression::fast(), false);
    let mut message = Vec::with_capacity(100);
    stream.compress_vec(b"PING\r\n", &mut message, FlushCompress::Finish).unwrap();
    message.extend_from_slice(b"anything");
    let mut inflate = Inflate::new(100);
    for _ in 0..2 {
        assert_eq!(inflated(&mut inflate, &message, 3, 4).unwrap(), b"PING\r\n");
    }
}
