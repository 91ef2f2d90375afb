//! From a Redis to Postgres and back, under load: what was acknowledged is there, once, whoever has answered.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::pair::{PATIENCE, Pair, settle};
use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::fresh_database;
use crate::support::redis::PROGRAMS;
use crate::support::respg::{Respg, blocking, refusal};

/// What a client was told.
#[derive(Default)]
struct Acknowledged {
    counts: Vec<i64>,
    ids: Vec<String>,
    /// How often it has set its own key.
    own: u64,
}

fn client(address: SocketAddr, number: u64, stop: &AtomicBool) -> Acknowledged {
    let mut client = Client::connect(address, Protocol::Resp2);
    let mut told = Acknowledged::default();
    while !stop.load(Relaxed) {
        // Not more than the side that follows can do.
        thread::sleep(Duration::from_millis(5));
        told.own += 1;
        let (key, value) = (format!("own:{number}"), told.own.to_string());
        match client.plain("INCR counter") {
            Value::Integer(count) => told.counts.push(count),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.plain(["SET", &key, &value]), ok());
        assert_eq!(client.plain(["GET", &key]).to_string_lossy(), value);
        client.send(["MULTI", "INCR counter", "XADD stream * f v", "EXEC"]);
        let replies: Vec<Value> = (0..4).map(|_| client.read()).collect();
        match &replies[3] {
            Value::Array(done) => match &done[..] {
                [Value::Integer(count), Value::Bulk(id)] => {
                    told.counts.push(*count);
                    told.ids.push(String::from_utf8_lossy(id).into_owned());
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    told
}

/// Changes the mode; as long as the side that follows is behind, nothing is changed.
fn change(admin: &mut Client, mode: &str) {
    let begun = Instant::now();
    loop {
        match admin.plain(["RESPG.MODE", "SET", mode]) {
            reply if reply == ok() => return,
            refused => assert!(begun.elapsed() < PATIENCE, "{mode}: {refused:?}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let mut direct = redis.connect();
    (0..2000).for_each(|i| drop(direct.plain(["SET", &format!("before:{i}"), "1"])));
    let respg = pair.respg(0, &["--mode", "redis"]);
    let (stop, mut admin) = (AtomicBool::new(false), respg.connect());
    let told: Vec<Acknowledged> = thread::scope(|scope| {
        let (stop, address) = (&stop, respg.address());
        let clients: Vec<_> = (0..4).map(|i| scope.spawn(move || client(address, i, stop))).collect();
        let stopping = Stop(stop);
        for mode in ["shadow", "reverse", "postgres", "reverse", "shadow", "reverse", "redis"] {
            thread::sleep(Duration::from_millis(300));
            change(&mut admin, mode);
        }
        thread::sleep(Duration::from_millis(300));
        drop(stopping);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let counts: Vec<i64> = told.iter().flat_map(|told| &told.counts).copied().collect();
    let once: BTreeSet<i64> = counts.iter().copied().collect();
    assert_eq!(once.len(), counts.len(), "two sides have counted");
    assert_eq!(direct.plain("GET counter").to_string_lossy(), counts.len().to_string());
    let Value::Array(entries) = direct.plain("XRANGE stream - +") else { panic!("no stream") };
    let kept: BTreeSet<String> = entries
        .into_iter()
        .map(|entry| match entry {
            Value::Array(parts) => parts[0].to_string_lossy(),
            other => panic!("{other:?}"),
        })
        .collect();
    let added: BTreeSet<String> = told.iter().flat_map(|told| told.ids.clone()).collect();
    assert_eq!(kept, added);
    for (number, told) in told.iter().enumerate() {
        assert!(told.own > 10);
        let key = format!("own:{number}");
        assert_eq!(direct.plain(["GET", &key]).to_string_lossy(), told.own.to_string());
    }
    assert_eq!(direct.plain("DBSIZE").integer(), 2000 + 2 + 4);
}

/// Ends the load also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// As long as the upstream is not what Postgres is, it does not begin to answer; without it, Postgres alone can always go on.
#[test]
fn who_is_behind_does_not_answer() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "reverse"]);
    let mut client = respg.connect();
    settle(&respg);
    redis.signal(rustix::process::Signal::STOP);
    assert_eq!(client.plain("SET k v"), ok());
    for mode in ["redis", "shadow"] {
        let refused = client.plain(["RESPG.MODE", "SET", mode]).to_string_lossy();
        assert!(refused.starts_with("ERR ") && refused.ends_with("nothing was changed"), "{refused}");
        assert_eq!(client.plain("RESPG.MODE GET").to_string_lossy(), "reverse");
    }
    assert_eq!(client.plain("GET k").to_string_lossy(), "v");
    change(&mut client, "postgres");
    assert_eq!(client.plain("SET k w"), ok());
    redis.signal(rustix::process::Signal::CONT);
    change(&mut client, "reverse");
    change(&mut client, "redis");
    assert_eq!(client.plain("GET k").to_string_lossy(), "w");
    let others: Vec<Respg> = Vec::new();
    pair.assert_equal(&others);
}

/// A start that fails has not changed the mode.
#[test]
fn a_mode_that_cannot_be_is_not_remembered() {
    let database = blocking(fresh_database());
    drop(Respg::on(&database, &[]));
    for mode in ["redis", "shadow", "reverse"] {
        let why = refusal(&database, &["--mode", mode]);
        assert!(why.contains(&format!("mode {mode} needs another server")), "{why}");
        let respg = Respg::on(&database, &[]);
        assert_eq!(respg.connect().plain("RESPG.MODE GET").to_string_lossy(), "postgres");
    }
}

/// What clients write meanwhile would be replaced by what they have written before.
#[test]
fn export_is_for_postgres_alone() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "shadow"]);
    let mut client = respg.connect();
    for mode in ["shadow", "reverse", "redis"] {
        change(&mut client, mode);
        let export = pair.task("export", &[]);
        let why = String::from_utf8_lossy(&export.stderr);
        let expected = format!("the mode is {mode}: export is for when Postgres answers alone");
        assert!((export.status.code(), why.contains(&expected)) == (Some(1), true), "{why}");
        if mode == "reverse" {
            change(&mut client, "postgres");
            assert_eq!(pair.task("export", &[]).status.code(), Some(0));
        }
    }
}

/// Nobody's keys are replaced by an oversight.
#[test]
fn what_would_be_lost_is_refused() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    redis.connect().plain("SET k v");
    let refused = |why: String, text: &str| assert!(why.contains(text), "{why}");
    let options = |mode| ["--mode", mode];
    refused(pair.refusal(&options("reverse")), "those of the upstream would be removed");
    let respg = pair.respg(0, &options("redis"));
    let mut client = respg.connect();
    refused(client.plain("RESPG.MODE SET reverse").to_string_lossy(), "go through mode shadow");
    change(&mut client, "shadow");
    change(&mut client, "reverse");
    drop(respg);
    refused(pair.refusal(&options("redis")), "it was reverse up to now");
    let respg = pair.respg(0, &[]);
    assert_eq!(respg.connect().plain("GET k").to_string_lossy(), "v");
    // Postgres is right now.
    assert_eq!(redis.connect().plain("SET k other"), ok());
    assert!(pair.different() > 0);
    let import = pair.task("import", &[]);
    refused(String::from_utf8_lossy(&import.stderr).into_owned(), "the mode is reverse");
    pair.task("verify", &["--repair", "--settle", "300"]);
    pair.assert_equal([&respg]);
    assert_eq!(redis.connect().plain("GET k").to_string_lossy(), "v");
}
