use std::thread::sleep;
use std::time::Duration;

use respg::config::Config;

use crate::support::client::{Client, Protocol, Value, array, ok};
use crate::support::matrix::{client_of, next_database};
use crate::support::server;

/// A client that watches and one that disturbs, on an empty database of the shared server.
fn two() -> (Client, Client) {
    let db = next_database();
    let client = || client_of(Protocol::Resp2, db);
    (client(), client())
}

/// Whether EXEC is done after `WATCH k` and what the other does.
fn done(before: &[&str], meanwhile: &[&str]) -> bool {
    let (mut c, mut other) = two();
    before.iter().for_each(|call| assert!(!c.cmd(*call).is_error()));
    assert_eq!(c.cmd("WATCH k"), ok());
    meanwhile.iter().for_each(|call| assert!(!other.cmd(*call).is_error()));
    assert_eq!(c.cmd("MULTI"), ok());
    c.cmd("SET result 1");
    match c.cmd("EXEC") {
        Value::Null => false,
        reply => {
            assert_eq!(reply, array![ok()]);
            true
        }
    }
}

#[test]
fn a_key_that_is_there() {
    let set: &[&str] = &["SET k v"];
    assert!(done(set, &[]));
    assert!(done(set, &["GET k", "SET other v", "DEL none"]));
    for touch in
        ["SET k v", "DEL k", "EXPIRE k 100", "APPEND k w", "RENAME k l", "FLUSHDB", "SET k w KEEPTTL"]
    {
        assert!(!done(set, &[touch]), "{touch}");
    }
    assert!(!done(set, &["DEL k", "SET k v"]));
}

#[test]
fn a_key_that_is_absent() {
    assert!(done(&[], &[]));
    assert!(done(&[], &["DEL k", "FLUSHDB", "EXISTS k", "EXPIRE k 5", "SET k v XX"]));
    assert!(!done(&[], &["SET k v"]));
    assert!(!done(&[], &["SET k v", "DEL k"]));
    assert!(!done(&[], &["SET l v", "RENAME l k"]));
}

#[test]
fn placeholders_are_never_seen() {
    let (mut c, mut other) = two();
    assert_eq!(c.cmd("WATCH k l m"), ok());
    for c in [&mut c, &mut other] {
        assert_eq!(c.cmd("DBSIZE"), 0);
        assert_eq!(c.cmd("KEYS *"), array![]);
        assert_eq!(c.cmd("SCAN 0"), array!["0", array![]]);
        assert_eq!(c.cmd("RANDOMKEY"), Value::Null);
        assert_eq!(c.cmd("EXISTS k"), 0);
        assert_eq!(c.cmd("TTL k"), -2);
        assert_eq!(c.cmd("PERSIST k"), 0);
        assert_eq!(c.cmd("GET k"), Value::Null);
    }
    assert_eq!(other.cmd("SET k v NX"), ok());
    assert_eq!(other.cmd("TTL k"), -1);
    assert_eq!(other.cmd("INCR l"), 1);
    assert_eq!(other.cmd("TTL l"), -1);
}

#[test]
fn a_key_that_expires() {
    let (mut c, _) = two();
    assert_eq!(c.cmd("SET k v PX 300"), ok());
    assert_eq!(c.cmd("WATCH k"), ok());
    sleep(Duration::from_millis(320));
    c.send(["MULTI", "SET result 1", "EXEC"]);
    assert_eq!([c.read(), c.read(), c.read()][2], Value::Null);
    // Expired already when it is watched: as absent.
    assert_eq!(c.cmd("SET k v PX 1"), ok());
    sleep(Duration::from_millis(10));
    assert_eq!(c.cmd("WATCH k"), ok());
    c.send(["MULTI", "SET result 1", "EXEC"]);
    assert_eq!([c.read(), c.read(), c.read()][2], array![ok()]);
}

#[test]
fn unwatch_exec_and_discard_forget() {
    let (mut c, mut other) = two();
    for forget in [&["UNWATCH"][..], &["MULTI", "EXEC"], &["MULTI", "DISCARD"]] {
        assert_eq!(c.cmd("WATCH k"), ok());
        forget.iter().for_each(|call| assert!(!c.cmd(*call).is_error()));
        assert_eq!(other.cmd("SET k v"), ok());
        assert_eq!(c.cmd("MULTI"), ok());
        assert_eq!(c.cmd("EXEC"), array![]);
    }
}

#[test]
fn a_watched_key_counts_from_the_first_look() {
    let (mut c, mut other) = two();
    assert_eq!(c.cmd("WATCH k"), ok());
    assert_eq!(other.cmd("SET k v"), ok());
    assert_eq!(c.cmd("WATCH k"), ok());
    assert_eq!(c.cmd("MULTI"), ok());
    assert_eq!(c.cmd("EXEC"), Value::Null);
}

#[test]
fn swapdb_and_flushall() {
    let address = server::start(Config { threads: Some(1), ..Config::defaults() }).socket;
    let mut c = Client::connect(address, Protocol::Resp2);
    let mut exec_after = |calls: &[&str]| {
        calls.iter().for_each(|call| assert!(!c.cmd(*call).is_error()));
        assert_eq!(c.cmd("MULTI"), ok());
        c.cmd("EXEC")
    };
    assert_eq!(exec_after(&["SET k v", "WATCH k", "SWAPDB 0 1"]), Value::Null);
    assert_eq!(exec_after(&["WATCH k", "SWAPDB 0 1"]), Value::Null);
    assert_eq!(exec_after(&["WATCH none", "SWAPDB 0 1"]), array![]);
    assert_eq!(exec_after(&["WATCH none", "FLUSHALL"]), array![]);
    assert_eq!(exec_after(&["SET k v", "WATCH k", "FLUSHALL"]), Value::Null);
}

/// Of many optimistic increments none is lost.
#[test]
fn increments_by_watch() {
    let db = next_database();
    let worker = move || {
        let mut c = client_of(Protocol::Resp2, db);
        let mut finished = 0;
        while finished < 20 {
            assert_eq!(c.cmd("WATCH n"), ok());
            let old: i64 = match c.cmd("GET n") {
                Value::Bulk(text) => std::str::from_utf8(&text).unwrap().parse().unwrap(),
                _ => 0,
            };
            assert_eq!(c.cmd("MULTI"), ok());
            c.cmd(format!("SET n {}", old + 1).as_str());
            finished += i64::from(c.cmd("EXEC") != Value::Null);
        }
    };
    let workers: Vec<_> = (0..4).map(|_| std::thread::spawn(worker)).collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(client_of(Protocol::Resp2, db).cmd("GET n"), "80");
}
