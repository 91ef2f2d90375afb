//! Several processes write the same keys in mode shadow: each follows what went through it in its own time, so Postgres may get it in another order than the Redis has.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::process::{Signal, kill_process};

use super::late::sessions;
use super::pair::{Pair, number, pause, settle};
use crate::support::client::Value;
use crate::support::redis::PROGRAMS;
use crate::support::respg::Respg;

/// What the one writes before the other, and follows after it.
const CALLS: [(&str, &str); 9] = [
    ("SET s 1", "SET s 2"),
    ("SET s 1", "DEL s"),
    ("DEL s", "SET s 2"),
    ("EXPIRE s 100", "EXPIRE s 1000"),
    ("APPEND s ab", "APPEND s cd"),
    ("RENAME s t", "SET t 2"),
    ("XADD x 5-1 f v", "DEL x"),
    ("DEL x", "XADD x 5-1 f w"),
    ("FLUSHALL", "MSET s 1 t 2"),
];

/// A process whose sessions can be told from those of others.
fn late(pair: &Pair) -> Respg {
    let respg = pair.respg_by(&pair.named("late"), 0, &["--mode", "shadow"]);
    settle(&respg);
    respg
}

/// Holds its sessions up, or lets them go on.
fn signal(pair: &Pair, signal: Signal) {
    for session in sessions(&pair.database, "late") {
        let _ = kill_process(session, signal);
    }
}

#[test]
fn the_later_call_counts() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let late = late(&pair);
    let other = pair.settled(1, &[]);
    let (mut client, mut later) = (late.connect(), other.connect());
    let wrong = CALLS.iter().filter(|(first, second)| {
        client.plain("MSET s old t old");
        client.plain("XADD x 1-1 f v");
        settle(&late);
        signal(&pair, Signal::STOP);
        assert!(!client.plain(*first).is_error() && !later.plain(*second).is_error(), "{first}, {second}");
        while number(&mut later, "lag_records") > 0 {
            pause(0.01);
        }
        signal(&pair, Signal::CONT);
        settle(&late);
        settle(&other);
        let is_wrong = pair.different() > 0;
        redis.connect().plain("FLUSHALL");
        later.plain("FLUSHALL");
        settle(&other);
        is_wrong
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [] as [&(&str, &str); 0]);
    // A long value is left alone, and that is counted.
    client.plain(["SET", "long", &"x".repeat(70_000)]);
    settle(&late);
    assert_eq!(number(&mut client, "not_looked_at"), 1);
    assert_eq!(client.plain("STRLEN long"), Value::Integer(70_000));
}

/// Who asks for a key that is written all the time, and looked at all the time, hears of it, however long it is.
#[test]
fn a_key_that_is_looked_at_is_told() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let [busy, _other] = [0, 1].map(|number| pair.settled(number, &["--mode", "shadow"]));
    for length in [1, 70_000] {
        let (stop, value) = (AtomicBool::new(false), "x".repeat(length));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = busy.connect();
                while !stop.load(Relaxed) {
                    client.plain(["SET", "k", &value]);
                }
            });
            let is_told = (0..5).all(|_| pair.task("import", &["--restart"]).status.success());
            stop.store(true, Relaxed);
            assert!(is_told, "{length}");
        });
    }
}
