//! RESPG.MODE: who answers changes for all processes at once.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::fresh_database;
use crate::support::redis::Redis;
use crate::support::respg::{Respg, blocking, refusal};

/// An increment: when it was asked for, when it was answered, what the answer was.
type Call = (Instant, Instant, i64);

/// Ends the load also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Changes the mode; on a loaded machine processes may be late, then nothing has changed.
fn change(admin: &mut Client, mode: &str) {
    let begun = Instant::now();
    loop {
        match admin.plain(format!("RESPG.MODE SET {mode}").as_str()) {
            reply if reply == ok() => return,
            refused => assert!(begun.elapsed() < Duration::from_secs(60), "{refused:?}"),
        }
    }
}

const HERE: i64 = 1_000_000;

fn increment(address: std::net::SocketAddr, stop: &AtomicBool) -> Vec<Call> {
    let mut client = Client::connect(address, Protocol::Resp2);
    let mut calls = Vec::new();
    while !stop.load(Relaxed) {
        let asked = Instant::now();
        match client.plain("INCR n") {
            Value::Integer(value) => calls.push((asked, Instant::now(), value)),
            other => panic!("{other:?}"),
        }
    }
    calls
}

#[test]
fn nobody_is_answered_by_two_sides_or_by_an_error() {
    let redis = Redis::start();
    let url = blocking(fresh_database());
    let upstream = redis.url();
    let options = ["--upstream", upstream.as_str(), "--mode", "redis"];
    let processes = [Respg::on(&url, &options), Respg::on(&url, &options)];
    let mut admin = processes[0].connect();
    assert!(!admin.plain("RESPG.MODE HELP").is_error());
    // The upstream's numbers are known by their size.
    admin.plain(format!("SET n {HERE}").as_str());
    let stop = AtomicBool::new(false);
    let calls = thread::scope(|scope| {
        let stop = &stop;
        let clients: Vec<_> = (0..6)
            .map(|i| {
                let address = processes[i % 2].address();
                scope.spawn(move || increment(address, stop))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let load = Stop(stop);
        change(&mut admin, "postgres FORCE");
        assert_eq!(processes[1].connect().plain("RESPG.MODE GET"), Value::Bulk("postgres".into()));
        thread::sleep(Duration::from_millis(300));
        drop(load);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<Call>>()
    });
    let (before, after): (Vec<Call>, Vec<Call>) = calls.iter().partition(|(_, _, value)| *value > HERE);
    assert!(before.len() > 10 && after.len() > 10, "{} {}", before.len(), after.len());
    let first = after.iter().map(|(_, answered, _)| answered).min().unwrap();
    let late = before.iter().filter(|(asked, ..)| asked > first).count();
    assert_eq!(late, 0, "answered by the upstream although Postgres had answered already");
    let end = |values: &[Call]| values.iter().map(|(_, _, value)| *value).max().unwrap();
    assert_eq!((end(&before) - HERE, end(&after)), (before.len() as i64, after.len() as i64));

    // And back, with somebody who waits: it is answered as if its time were over.
    let mut waiting = processes[1].connect();
    admin.plain("XADD s 1-1 f v");
    waiting.send(["XREAD BLOCK 0 STREAMS s $"]);
    let mut observer = processes[1].connect();
    while !observer.plain("CLIENT LIST").to_string_lossy().contains("flags=b") {
        thread::sleep(Duration::from_millis(5));
    }
    change(&mut admin, "redis FORCE");
    assert_eq!(waiting.read(), Value::Null);
    assert_eq!(waiting.plain("GET n").to_string_lossy(), end(&before).to_string());
}

/// A process that cannot go along prevents the change; one that is gone does not.
#[test]
fn all_living_processes_have_to_agree() {
    let redis = Redis::start();
    let url = blocking(fresh_database());
    let upstream = redis.url();
    let respg = Respg::on(&url, &["--upstream", &upstream]);
    let without = Respg::on(&url, &[]);
    let mut admin = respg.connect();
    assert!(without.connect().plain("RESPG.MODE SET redis").is_error());
    assert!(admin.plain("RESPG.MODE SET redis").is_error());
    assert_eq!(admin.plain("RESPG.MODE GET"), Value::Bulk("postgres".into()));
    redis.connect().plain("SET k there");
    drop(without);
    let begun = Instant::now();
    while admin.plain("RESPG.MODE SET redis").is_error() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(admin.plain("GET k"), Value::Bulk("there".into()));
    assert_eq!(
        refusal(&url, &[]),
        "respg: mode redis needs another server: name it (--upstream redis://host:port)"
    );
    let other = Respg::on(&url, &["--upstream", &upstream]);
    assert_eq!(other.connect().plain("RESPG.MODE GET"), Value::Bulk("redis".into()));
}
