//! Whole runs against a server that misbehaves on purpose: each mistake must be found, and a good server must pass.

use super::*;
use crate::bench::load::Storage;
use crate::protocol::{Limits, Operation, Parsed, parse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMITS: Limits = Limits { control_line_bytes_max: 4096, payload_bytes_max: 1 << 20 };
const COUNT: u64 = 100;

/// What the server does with the tenth publish.
#[derive(Clone, Copy, Debug)]
enum Tenth {
    Acknowledge,
    AcknowledgeTwice,
    Drop,
    Refuse,
    Nonsense,
    Duplicate,
    SameSequence,
    OtherStream,
    AcknowledgeUnstored,
    Hang,
    Err,
}

fn message(subject: &str, body: &str) -> String {
    format!("MSG {subject} 1 {}\r\n{body}\r\n", body.len())
}

impl Tenth {
    fn answer(self, reply: &str, sequence: u64) -> String {
        let good = format!("{{\"stream\":\"BENCH_1\",\"seq\":{sequence}}}");
        let body = match self {
            Self::Drop | Self::Hang => return String::new(),
            Self::Err => return "-ERR 'No'\r\n".to_owned(),
            Self::AcknowledgeTwice => return message(reply, &good).repeat(2),
            Self::Acknowledge | Self::SameSequence | Self::AcknowledgeUnstored => good,
            Self::Refuse => {
                "{\"error\":{\"code\":400,\"err_code\":10077,\"description\":\"full\"},\"seq\":0}"
                    .to_owned()
            }
            Self::Nonsense => "{\"stream\":\"BENCH_1\"}".to_owned(),
            Self::Duplicate => good.replace('}', ",\"duplicate\":true}"),
            Self::OtherStream => good.replace("BENCH_1", "BENCH_2"),
        };
        message(reply, &body)
    }
}

/// Answers one connection. Only one connection publishes, so the counters need not be shared.
async fn serve(mut socket: TcpStream, tenth: Tenth, stored: Arc<std::sync::atomic::AtomicU64>) {
    use std::sync::atomic::Ordering::Relaxed;
    let info = "INFO {\"version\":\"0\",\"max_payload\":1048576,\"jetstream\":true}\r\n";
    socket.write_all(info.as_bytes()).await.expect("written");
    let (mut input, mut publishes, mut sequence) = (Vec::new(), 0, 0u64);
    loop {
        let mut taken = 0;
        let mut out = String::new();
        while let Ok(Parsed::Complete { bytes, operation }) = parse(&input[taken..], LIMITS) {
            let text = |span: crate::protocol::Span| {
                String::from_utf8_lossy(span.of(&input[taken..])).into_owned()
            };
            match operation {
                Operation::Ping => out += "PONG\r\n",
                Operation::Publish { subject, reply, .. } if text(subject).starts_with('$') => {
                    let state = stored.load(Relaxed);
                    let body =
                        format!("{{\"state\":{{\"messages\":{state},\"last_seq\":{state}}}}}");
                    out += &message(&text(reply), &body);
                }
                Operation::Publish { reply, .. } => {
                    publishes += 1;
                    sequence += 1;
                    stored.fetch_add(1, Relaxed);
                    let reply = text(reply);
                    let now = if publishes == 10 { tenth } else { Tenth::Acknowledge };
                    match now {
                        Tenth::Hang => return,
                        Tenth::SameSequence => sequence -= 1,
                        Tenth::AcknowledgeUnstored => drop(stored.fetch_sub(1, Relaxed)),
                        _ => {}
                    }
                    out += &now.answer(&reply, sequence);
                }
                _ => {}
            }
            taken += bytes;
        }
        input.drain(..taken);
        if socket.write_all(out.as_bytes()).await.is_err()
            || !matches!(socket.read_buf(&mut input).await, Ok(count) if count > 0)
        {
            return;
        }
    }
}

async fn check(tenth: Tenth, inflight: usize) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let stored = Arc::default();
    let server = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, tenth, Arc::clone(&stored)));
        }
    });
    let load = Load {
        mode: Mode::Publish,
        clients: 1,
        subscribers: 0,
        streams: 1,
        storage: Storage::File,
        keeps_streams: false,
        inflight,
        payload_bytes: 16,
        count: Some(COUNT),
        duration: None,
        silence_max: Duration::from_millis(200),
    };
    let address = Address { host_port: address, user: None, password: None };
    let report = run(&address, &load, &Progress::new(false)).await.expect("a report");
    server.abort();
    report
}

#[tokio::test]
async fn every_mistake_of_a_server_is_found() {
    for (tenth, expected) in [
        (Tenth::Acknowledge, "100 good"),
        (Tenth::AcknowledgeTwice, "100 good, 1 repeated"),
        (Tenth::Drop, " good, 1 missing, failed: client 1: no answer within 200ms"),
        (Tenth::Refuse, "99 good, 1 refused, failed: BENCH_1: its acknowledgements"),
        (Tenth::Nonsense, "99 good, 1 malformed, failed: BENCH_1: its acknowledgements"),
        (Tenth::Duplicate, "99 good, 1 duplicate, failed: BENCH_1: its acknowledgements"),
        (Tenth::SameSequence, "100 good, failed: BENCH_1: its acknowledgements"),
        (Tenth::OtherStream, "99 good, 1 malformed, failed: BENCH_1: its acknowledgements"),
        (Tenth::AcknowledgeUnstored, "100 good, failed: BENCH_1: 100 messages acknowledged, 99"),
        (Tenth::Hang, "missing, failed: client 1: "),
        (Tenth::Err, "missing, failed: client 1: the server refuses: 'No'"),
    ] {
        for inflight in [1, 7, 500] {
            let report = check(tenth, inflight).await;
            let found = report.summary();
            assert!(found.contains(expected), "{tenth:?}, {inflight} in flight: {found}");
            assert_eq!(report.is_clean, found == "100 good", "{found}");
        }
    }
}
