//! Several processes on one stream.

use std::thread;

use crate::support::client::{Client, Protocol, Value};
use crate::support::pg::fresh_database;
use crate::support::respg::{Respg, blocking};

pub fn id(reply: &Value) -> (u64, u64) {
    let Value::Bulk(id) = reply else { panic!("no id: {reply:?}") };
    let (ms, seq) = std::str::from_utf8(id).unwrap().split_once('-').unwrap();
    (ms.parse().unwrap(), seq.parse().unwrap())
}

/// Every acknowledged entry is there, in the order of its id, and each producer's ids increase.
#[test]
fn ids_increase_across_processes() {
    const PRODUCERS: usize = 8;
    const ENTRIES: usize = 150;
    let url = blocking(fresh_database());
    let processes = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut all: Vec<(u64, u64)> = thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|n| {
                let address = processes[n % 2].address();
                scope.spawn(move || {
                    let mut c = Client::connect(address, Protocol::Resp2);
                    let who = n.to_string();
                    let ids: Vec<_> =
                        (0..ENTRIES).map(|_| id(&c.plain(["XADD", "s", "*", "producer", &who]))).collect();
                    assert!(ids.is_sorted_by(|a, b| a < b), "ids of one producer increase");
                    ids
                })
            })
            .collect();
        producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect()
    });
    all.sort_unstable();
    let mut c = processes[0].connect();
    assert_eq!(c.plain("XLEN s"), (PRODUCERS * ENTRIES) as i64);
    let Value::Array(entries) = c.plain("XRANGE s - +") else { panic!("no entries") };
    let found: Vec<(u64, u64)> = entries
        .iter()
        .map(|entry| match entry {
            Value::Array(parts) => id(&parts[0]),
            other => panic!("not an entry: {other:?}"),
        })
        .collect();
    assert_eq!(found, all);
}
