//! Many consumers of one group.

use std::collections::HashSet;
use std::thread;

use crate::support::client::{Client, Protocol, Value};
use crate::support::pg::fresh_database;
use crate::support::respg::{Respg, blocking};

const CONSUMERS: usize = 8;
const ENTRIES: usize = 600;

/// The ids of a reply of XREADGROUP for one stream.
fn ids(reply: &Value) -> Vec<String> {
    let Value::Array(streams) = reply else { return Vec::new() };
    let Value::Array(stream) = &streams[0] else { panic!("no stream: {reply:?}") };
    let Value::Array(entries) = &stream[1] else { panic!("no entries: {reply:?}") };
    let id = |entry: &Value| match entry {
        Value::Array(parts) => match &parts[0] {
            Value::Bulk(id) => String::from_utf8(id.to_vec()).unwrap(),
            other => panic!("no id: {other:?}"),
        },
        other => panic!("no entry: {other:?}"),
    };
    entries.iter().map(id).collect()
}

/// What is added while eight consumers in two processes read, half of what they get acknowledged: each entry is delivered to one of them, once,
/// and what was not acknowledged is pending with who got it.
#[test]
fn each_entry_to_one_consumer() {
    let url = blocking(fresh_database());
    let processes = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    processes[0].connect().plain("XGROUP CREATE q g $ MKSTREAM");
    let delivered: Vec<Vec<String>> = thread::scope(|scope| {
        for process in &processes {
            let address = process.address();
            scope.spawn(move || {
                let mut c = Client::connect(address, Protocol::Resp2);
                for n in 0..ENTRIES / 2 {
                    c.plain(["XADD", "q", "*", "n", &n.to_string()]);
                }
            });
        }
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|n| {
                let address = processes[n % 2].address();
                scope.spawn(move || {
                    let mut c = Client::connect(address, Protocol::Resp2);
                    let (who, mut mine, mut idle) = (n.to_string(), Vec::new(), 0);
                    while idle < 50 {
                        let read = ["XREADGROUP", "GROUP", "g", &who, "COUNT", "10", "STREAMS", "q", ">"];
                        let got = ids(&c.plain(read));
                        idle = if got.is_empty() { idle + 1 } else { 0 };
                        if got.is_empty() {
                            thread::sleep(std::time::Duration::from_millis(20));
                        }
                        for id in got.iter().step_by(2) {
                            assert_eq!(c.plain(["XACK", "q", "g", id]), 1, "{id}");
                        }
                        mine.push(got);
                    }
                    let pending: Vec<String> =
                        ids(&c.plain(["XREADGROUP", "GROUP", "g", &who, "STREAMS", "q", "0"]));
                    let kept: Vec<String> =
                        mine.iter().flat_map(|got| got.iter().skip(1).step_by(2)).cloned().collect();
                    assert_eq!(pending, kept);
                    mine.concat()
                })
            })
            .collect();
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect()
    });
    for mine in &delivered {
        let order = |id: &String| id.split_once('-').map(|(ms, seq)| (ms.parse::<u64>(), seq.parse::<u64>()));
        assert!(mine.is_sorted_by_key(|id| order(id).map(|(ms, seq)| (ms.unwrap(), seq.unwrap()))));
    }
    let all: Vec<&String> = delivered.iter().flatten().collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "an entry was delivered twice");
    assert_eq!(all.len(), ENTRIES, "an entry was lost");
}

/// A read without COUNT takes all there is, more than a lane serves among others.
#[test]
fn everything_at_once() {
    const MANY: usize = 2500;
    let respg = Respg::start(&[]);
    let mut c = respg.connect();
    c.plain("XGROUP CREATE q g 0 MKSTREAM");
    let add = ["XADD", "q", "*", "n", "1"];
    c.send((0..MANY).map(|_| add));
    (0..MANY).for_each(|_| drop(c.read()));
    assert_eq!(ids(&c.plain("XREADGROUP GROUP g a COUNT 10 STREAMS q >")).len(), 10);
    let all = ids(&c.plain("XREADGROUP GROUP g a STREAMS q >"));
    assert_eq!(all.len(), MANY - 10);
    assert_eq!(ids(&c.plain("XREADGROUP GROUP g a STREAMS q 0")).len(), MANY);
    let ack: Vec<&str> = ["XACK", "q", "g"].into_iter().chain(all.iter().map(String::as_str)).collect();
    assert_eq!(c.plain(ack), all.len() as i64);
}
