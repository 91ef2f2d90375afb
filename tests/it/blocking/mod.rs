//! Clients that wait for keys: who is served, in which order, and what becomes of those who go or are told to.

mod crowd;
mod ends;
mod order;
mod processes;

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Value, ok};

/// Waits until `count` clients of the process are blocked.
fn until_blocked(admin: &mut Client, count: usize) {
    let begun = Instant::now();
    while blocked_clients(admin) != count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} are blocked", blocked_clients(admin));
        sleep(Duration::from_millis(1));
    }
}

fn blocked_clients(admin: &mut Client) -> usize {
    let Value::Bulk(info) = admin.plain("INFO clients") else { panic!("no text") };
    let info = String::from_utf8(info.to_vec()).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    line.expect("INFO says so").parse().unwrap()
}

/// Begins a call that is going to wait, and waits until it does.
fn block(admin: &mut Client, client: &mut Client, call: &str) {
    let before = blocked_clients(admin);
    client.send([call]);
    until_blocked(admin, before + 1);
}

/// The ids of the entries in a reply of XREAD or XREADGROUP with one stream.
fn ids(reply: Value) -> Vec<String> {
    let mut streams = match reply {
        Value::Null => return Vec::new(),
        reply => reply.entries(),
    };
    assert_eq!(streams.len(), 1);
    let (_, Value::Array(entries)) = streams.remove(0) else { panic!("no entries") };
    let id = |entry| match entry {
        Value::Array(parts) => match &parts[0] {
            Value::Bulk(id) => String::from_utf8(id.to_vec()).unwrap(),
            other => panic!("no id: {other:?}"),
        },
        other => panic!("no entry: {other:?}"),
    };
    entries.into_iter().map(id).collect()
}

fn make_group(client: &mut Client, stream: &str) {
    assert_eq!(client.plain(["XGROUP", "CREATE", stream, "g", "$", "MKSTREAM"]), ok());
}
