//! JetStream on streams in memory and on a simulated disk, in one process without sockets, and somebody who asks it.
//! Not here: what is asked (the targets).

use bytes::Bytes;
use headwater_server::{
    jetstream::{Identity, JetStream, JetStreamOptions},
    routing::{Account, Handler, InternalSubscription, Message, Origin},
};
use headwater_storage::{Volume, VolumeOptions, testing::SimulatedMachine};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How often other tasks get their turn before an answer is missed.
const TURNS_MAX: usize = 1000;
/// How long a thread of the runtime may take for what it does on the side.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps what is sent to the inbox.
#[derive(Default)]
struct Inbox(Mutex<Vec<Message>>);

impl Handler for Inbox {
    fn deliver(&self, _: &Arc<Account>, message: &Message, _: &Arc<Origin>) {
        self.0.lock().expect("no panic").push(message.clone());
    }
}

/// JetStream on a simulated machine, and somebody who asks.
pub struct Server {
    runtime: Runtime,
    volume: Arc<Volume>,
    jetstream: Arc<JetStream>,
    account: Arc<Account>,
    origin: Arc<Origin>,
    inbox: Arc<Inbox>,
    _subscription: InternalSubscription,
    asked: u64,
}

impl Server {
    /// A server that has no stream.
    pub fn start(is_strict: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let options =
            VolumeOptions { journal_bytes_max: 256 * 1024, ..VolumeOptions::new("unused") };
        let volume = SimulatedMachine::new(3).open(&options).expect("a fresh volume");
        let volume = Arc::new(volume);
        let options = JetStreamOptions {
            memory_bytes_max: Some(1 << 30),
            file_bytes_max: Some(1 << 30),
            is_strict,
            domain: String::new(),
            directory: "unused".into(),
        };
        let (account, inbox) = (Account::new("$G"), Arc::new(Inbox::default()));
        let entered = runtime.enter();
        let jetstream = JetStream::start(volume.clone(), Identity::default(), options);
        jetstream.attach(&account);
        drop(entered);
        let subscription = account.subscribe("_INBOX.>", inbox.clone());
        let origin = Arc::new(Origin { client_id: 1, ..Origin::default() });
        Self {
            runtime,
            volume,
            jetstream,
            account,
            origin,
            inbox,
            _subscription: subscription,
            asked: 0,
        }
    }

    /// Lets everything else have its turn until so many answers are there, or nothing more is expected.
    pub fn turn(&self, wanted: usize) {
        for _ in 0..TURNS_MAX {
            self.runtime.block_on(tokio::task::yield_now());
            SimulatedMachine::commit(&self.volume);
            if self.inbox.0.lock().expect("no panic").len() >= wanted {
                return;
            }
        }
    }

    /// Lets threads of the runtime come to an end too, until so many answers are there.
    fn wait(&self, wanted: usize) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            self.turn(wanted);
            if self.inbox.0.lock().expect("no panic").len() >= wanted {
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Asks, and gives what comes to the inbox that is only for this.
    pub fn ask(
        &mut self,
        subject: &str,
        headers: Bytes,
        payload: Bytes,
        wanted: usize,
    ) -> Vec<Message> {
        let reply = self.say(subject, headers, payload);
        self.turn(wanted);
        self.heard(&reply)
    }

    /// Asks for something that takes its time, and gives what is answered.
    pub fn ask_and_wait(&mut self, subject: &str, payload: Bytes) -> Vec<Message> {
        let reply = self.say(subject, Bytes::new(), payload);
        self.wait(1);
        self.heard(&reply)
    }

    /// Asks a consumer, and gives what comes, which has the subjects of its messages.
    pub fn pull(&mut self, subject: &str, payload: Bytes) -> Vec<Message> {
        self.say(subject, Bytes::new(), payload);
        self.turn(1);
        std::mem::take(&mut *self.inbox.0.lock().expect("no panic"))
    }

    fn say(&mut self, subject: &str, headers: Bytes, payload: Bytes) -> Bytes {
        self.asked += 1;
        let reply = Bytes::from(format!("_INBOX.{}", self.asked));
        let subject = subject.to_owned().into();
        self.send(Message { subject, reply: reply.clone(), headers, payload });
        reply
    }

    fn heard(&self, reply: &Bytes) -> Vec<Message> {
        let mut answers = std::mem::take(&mut *self.inbox.0.lock().expect("no panic"));
        answers.retain(|answer| answer.subject == *reply);
        answers
    }

    /// Publishes a message.
    pub fn send(&self, message: Message) {
        let _entered = self.runtime.enter();
        self.account.publish(&message, &self.origin);
    }

    /// Every stream is what it says of itself, and JetStream comes to an end.
    pub fn finish(self) {
        for stream in self.volume.streams() {
            let (state, mut held) = (stream.state(), 0);
            let mut tail = stream.tail(0, Vec::new());
            while let Ok(Some(batch)) = tail.try_next(100, 1 << 20) {
                held += batch.messages.len() as u64;
            }
            assert_eq!(held, state.messages, "{state:?}");
        }
        // What it stores before it ends waits for the disk, which is written in turns.
        let jetstream = self.jetstream.clone();
        let stopping = self.runtime.spawn(async move { jetstream.stop().await });
        while !stopping.is_finished() {
            self.runtime.block_on(tokio::task::yield_now());
            SimulatedMachine::commit(&self.volume);
        }
        self.volume.close().expect("a clean close");
    }
}
