//! Publish/subscribe: the commands, several processes, SQL, and the traps of LISTEN and NOTIFY.

mod bus;
mod commands;
mod keyspace;
mod processes;
mod sql;
mod traps;

use std::time::{Duration, Instant};

use crate::support::client::{Client, Value};

/// What a subscriber receives, an array in RESP2 and a push in RESP3.
fn pushed(client: &mut Client) -> Vec<Value> {
    match client.read() {
        Value::Array(parts) | Value::Push(parts) => parts,
        other => panic!("nothing pushed: {other:?}"),
    }
}

/// Asks until the answer is right.
fn becomes(client: &mut Client, call: &str, wanted: &Value) -> Duration {
    let begun = Instant::now();
    loop {
        let got = client.plain(call);
        if got == *wanted {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{call}: {got:?} instead of {wanted:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn parts(parts: impl IntoIterator<Item = impl Into<Value>>) -> Vec<Value> {
    parts.into_iter().map(Into::into).collect()
}

fn message(channel: &str, body: &str) -> Vec<Value> {
    parts(["message", channel, body])
}

/// Sends SUBSCRIBE or one of its relatives and takes the confirmations.
fn subscribe(client: &mut Client, call: &str) {
    let names = call.split_whitespace().count() - 1;
    client.send([call]);
    for _ in 0..names {
        let confirmation = pushed(client);
        assert!(
            confirmation[0] == call.split(' ').next().unwrap().to_lowercase().as_str(),
            "{confirmation:?}"
        );
    }
}
