//! What clients are in the middle of does not hold up a change of the mode, and is not lost by it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::pair::Pair;
use super::{Shadow, change_mode};
use crate::support::client::{Value, ok};
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::Respg;

/// The call is given up with the client before it was sent on.
#[test]
fn clients_that_go_at_once() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    for _ in 0..50 {
        let mut socket = shadow.respg.socket();
        socket.write_all(b"BLPOP nothing 0\r\n").expect("it reads");
    }
    sleep(Duration::from_millis(300));
    assert_eq!(shadow.respg.connect().plain("RESPG.MODE SET redis"), ok());
}

/// Each of them has to be ended.
#[test]
fn several_blocking_commands_of_a_client() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let (mut waiting, mut redis, begun) = (shadow.respg.connect(), shadow.redis.connect(), Instant::now());
    waiting.send(["BLPOP a 0", "BLPOP b 0", "BLPOP c 0"]);
    while !redis.plain("CLIENT LIST").to_string_lossy().contains("cmd=blpop") {
        assert!(begun.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(5));
    }
    assert_eq!(shadow.respg.connect().plain("RESPG.MODE SET redis"), ok());
    (0..3).for_each(|_| assert_eq!(waiting.read(), Value::Null));
}

/// What it has asked for on a connection of its own is taken from the upstream all the same.
#[test]
fn a_client_that_does_not_read() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let (mut lazy, value) = (shadow.respg.connect(), "x".repeat(1024 * 1024));
    assert_eq!(lazy.plain(["SET", "large", &value]), ok());
    assert_eq!(lazy.plain("WATCH k"), ok());
    lazy.send(std::iter::repeat_n("GET large", 30).chain(["INCR n"]));
    sleep(Duration::from_millis(300));
    assert_eq!(shadow.respg.connect().plain("RESPG.MODE SET reverse"), ok());
    assert_eq!(shadow.call("GET n"), [Value::from("1")]);
}

/// The client has gone there on a connection of its own, and not sent anything since.
#[test]
fn a_selected_database() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let mut client = shadow.respg.connect();
    client.send(["WATCH k", "MULTI", "SELECT 1", "SET a 1", "EXEC"]);
    (0..5).for_each(|_| assert!(!client.read().is_error()));
    shadow.change_mode("reverse");
    assert_eq!(client.plain("GET a"), Value::from("1"));
}

/// The same, in a transaction that only the upstream can judge.
#[test]
fn a_selected_database_in_a_transaction() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let mut client = shadow.respg.connect();
    client.send(["MULTI", "SELECT 1", "SET a 1", "HSET h f v", "DEL h", "EXEC"]);
    (0..6).for_each(|_| assert!(!client.read().is_error()));
    assert_eq!(client.plain("GET a"), Value::from("1"));
    shadow.assert_equal();
    shadow.assert_no_differences();
}

/// Watched here, and then more of it there: the upstream does not know of the former.
#[test]
fn watch_over_a_change() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let mut other = shadow.respg.connect();
    for lines in ["WATCH other;MULTI;SET k 3;EXEC", "MULTI;SET k 3;HSET h f v;EXEC", "MULTI;SET k 3;EXEC"] {
        shadow.change_mode("reverse");
        let mut client = shadow.respg.connect();
        assert_eq!(other.plain("SET k 1"), ok());
        assert_eq!(client.plain("WATCH k"), ok());
        shadow.change_mode("shadow");
        assert_eq!(other.plain("SET k 2"), ok());
        // It is closed, or EXEC does nothing.
        let _ = client.try_calls(lines.split(';'));
        assert_eq!(other.plain("GET k"), Value::from("2"), "{lines}");
    }
}

/// A client waits in a stream and does not read what it has asked for before.
#[test]
fn a_client_that_waits_and_does_not_read() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.change_mode("reverse");
    let (mut admin, value) = (shadow.respg.connect(), "x".repeat(1024 * 1024));
    assert_eq!(admin.plain(["SET", "l", &value]), ok());
    let (mut waiting, begun) = (shadow.respg.connect(), Instant::now());
    waiting.send(std::iter::repeat_n("GET l", 15).chain(["XREAD BLOCK 0 STREAMS s $", "PING"]));
    while !admin.plain("CLIENT LIST").to_string_lossy().contains("flags=b") {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{}",
            admin.plain("CLIENT LIST").to_string_lossy()
        );
        sleep(Duration::from_millis(5));
    }
    let said = admin.plain("RESPG.MODE SET shadow");
    (0..15).for_each(|_| assert_eq!(waiting.read().to_string_lossy().len(), value.len()));
    assert_eq!(waiting.read(), Value::Null);
    assert_eq!(waiting.read(), Value::Status("PONG".to_owned()));
    assert_eq!(said, ok());
}

/// Two change it at once: a process may hear of the next change before it has heard of the outcome of the last.
#[test]
fn changes_of_two_processes_at_once() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let processes = [pair.settled(0, &["--mode", "shadow"]), pair.respg(1, &[])];
    let slowest = thread::scope(|scope| {
        let change = |respg: &Respg, modes: [&str; 2]| {
            let (mut admin, mut slowest) = (respg.connect(), Duration::ZERO);
            for (number, mode) in modes.into_iter().cycle().take(60).enumerate() {
                let begun = Instant::now();
                let _ = admin.plain(["RESPG.MODE", "SET", mode]);
                slowest = slowest.max(begun.elapsed());
                admin.plain(["SET", &format!("{mode}:{number}"), "v"]);
            }
            slowest
        };
        let [one, other] = &processes;
        let others = scope.spawn(move || change(other, ["shadow", "redis"]));
        change(one, ["redis", "shadow"]).max(others.join().expect("it changes"))
    });
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
    let mut admin = processes[0].connect();
    change_mode(&mut admin, "shadow");
    pair.assert_equal(&processes);
}

/// Postgres alone is to answer: whether the Redis still does is no matter.
#[test]
fn a_change_to_postgres_does_not_wait_for_the_upstream() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.change_mode("reverse");
    let (mut admin, mut client) = (shadow.respg.connect(), shadow.respg.connect());
    assert_eq!(admin.plain("SET a 1"), ok());
    shadow.settle();
    shadow.redis.signal(Signal::STOP);
    assert_eq!(admin.plain("SET a 2"), ok());
    sleep(Duration::from_millis(200));
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let slowest = thread::scope(|scope| {
        let counts = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !stop.load(Relaxed) {
                let begun = Instant::now();
                client.plain("INCR n");
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        });
        let said = admin.plain("RESPG.MODE SET postgres");
        stop.store(true, Relaxed);
        assert_eq!(said, ok());
        counts.join().expect("it counts")
    });
    shadow.redis.signal(Signal::CONT);
    assert!(slowest < Duration::from_secs(4), "{slowest:?} of {:?}", begun.elapsed());
    assert_eq!(admin.plain("GET a"), Value::from("2"));
    // The way back is open.
    shadow.change_mode("reverse");
    shadow.assert_equal();
}

/// Its clients may still be answered.
#[test]
fn a_process_that_stops() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let [mut first, second] = [1, 2].map(|number| pair.respg(number, &["--mode", "redis"]));
    let mut client = first.connect();
    assert_eq!(client.plain("PING"), Value::Status("PONG".to_owned()));
    assert_eq!(redis.connect().plain("CLIENT PAUSE 3000 WRITE"), ok());
    client.send(["SET k 1"]);
    while !redis.connect().plain("INFO clients").to_string_lossy().contains("blocked_clients:1") {
        sleep(Duration::from_millis(5));
    }
    first.signal(Signal::TERM);
    while TcpStream::connect(first.address()).is_ok() {
        sleep(Duration::from_millis(5));
    }
    assert_eq!(second.connect().plain("RESPG.MODE SET postgres"), ok());
    assert_eq!(redis.connect().plain("GET k"), Value::from("1"), "answered by the old rule after the change");
    assert_eq!(client.read(), ok());
    assert!(first.wait().success());
}

/// The follower asks the Redis for the keys of scripts. When it has to end nobody hears the answers any more, and clients are held back as long as it waits for them.
#[test]
fn a_follower_that_asks_for_keys_ends_at_once() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let mut client = shadow.respg.connect();
    client.send(vec!["EVAL return(1) 1 k"; 5000]);
    (0..5000).for_each(|_| assert_eq!(client.read(), Value::from(1)));
    let begun = Instant::now();
    shadow.change_mode("redis");
    assert_eq!(client.plain("SET k v"), ok());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    shadow.change_mode("shadow");
    shadow.assert_equal();
}

/// Of what respg does not know the upstream says which keys it has: nothing else is given up for it when its place among others is not clear.
#[test]
fn those_who_wait_for_what_respg_lacks() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respgs = [pair.settled(0, &["--mode", "shadow"]), pair.respg(1, &[])];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = respgs[0].connect();
                while !stop.load(Relaxed) {
                    assert_eq!(client.plain("BLPOP nothing 0.3"), Value::Null);
                }
            });
        }
        sleep(Duration::from_millis(500));
        let mut admin = respgs[1].connect();
        let begun = Instant::now();
        let mut changed = Value::Null;
        while changed != ok() && begun.elapsed() < Duration::from_secs(5) {
            changed = admin.plain("RESPG.MODE SET reverse KEYS k*");
        }
        stop.store(true, Relaxed);
        assert_eq!(changed, ok());
    });
}
