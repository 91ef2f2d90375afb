//! Runs a test body in all the ways a command can travel: alone, in a batch with other clients' commands, inside MULTI and
//! EXEC; each in RESP2 and in RESP3.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::client::{Client, Protocol};
use super::server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Alone,
    Batched,
    Multi,
}

/// Runs `body` once for each case, with a client on an empty logical database.
pub fn matrix(body: impl Fn(&mut Client)) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for mode in [Mode::Alone, Mode::Batched, Mode::Multi] {
            run(mode, protocol, &body);
        }
    }
}

/// One case; also for tests that must leave some out, which say why.
pub fn run(mode: Mode, protocol: Protocol, body: impl Fn(&mut Client)) {
    let _case = Case(mode, protocol);
    let (db, company) = (next_database(), next_database());
    let mut client = client_of(protocol, db);
    client.in_multi = mode == Mode::Multi;
    if mode != Mode::Batched {
        return body(&mut client);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for call in ["INCR counter", "GET counter", "SET other v"] {
            let done = &done;
            scope.spawn(move || keep_busy(client_of(protocol, company), call, done));
        }
        let _end = SetOnDrop(&done);
        body(&mut client);
    });
}

/// A client of the shared server.
pub fn client_of(protocol: Protocol, db: u32) -> Client {
    let mut client = Client::connect(server::shared().socket, protocol);
    client.select(db);
    client
}

/// The number of a logical database of the shared server that nobody else uses.
pub fn next_database() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let db = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(db < server::DATABASES, "the shared server needs more logical databases");
    db
}

/// Keeps the lane working on other keys, so that the test's commands meet company there.
fn keep_busy(mut client: Client, call: &str, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        assert!(!client.plain(call).is_error());
    }
}

/// Says in which case a test failed.
struct Case(Mode, Protocol);

impl Drop for Case {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("failed: {:?}, {:?}", self.0, self.1);
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
