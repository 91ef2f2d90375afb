//! Keys that expire before the follower comes to what was done to them while they were there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::pair::{PATIENCE, number, settle};
use super::trouble::{until_unmarked, while_postgres_hangs};
use super::{Shadow, verify};
use crate::support::client::Value;
use crate::support::pg::{Scratch, fresh_database};
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking};
use crate::support::way::{Leg, way};

/// Of each its replies on the side that answers, and its effect there, are those of a key that is alive.
const USES: &[&str] = &[
    "SET incr 5;PEXPIRE incr 400;INCR incr",
    "SET append v PX 400;APPEND append w",
    // The same reply whether the key is there or not.
    "SET setbit v PX 400;SETBIT setbit 100 1",
    "SET float 1 PX 400;INCRBYFLOAT float 1.5",
    "SETEX keeps 1 v;PEXPIRE keeps 400;SET keeps w KEEPTTL",
    // They live on.
    "SET renewed v PX 400;EXPIRE renewed 1000",
    "SET renewed:by:get v PX 400;GETEX renewed:by:get EX 1000",
    "SET persistent v PX 400;PERSIST persistent",
    "SET deleted v PX 400;DEL deleted",
    "SET got v PX 400;GETDEL got",
    "SET renamed v PX 400;RENAME renamed to;PERSIST to",
    "SET copied v PX 400;COPY copied copy;PERSIST copy",
    "SET moved v PX 400;MOVE moved 1",
    "SET watched 1 PX 400;MULTI;INCR watched;GETEX watched PERSIST;EXEC",
    "XADD stream 1-1 f v;PEXPIRE stream 400;XADD stream 2-1 f v",
    "SET other w;SET source v PX 400;BITOP OR target source other",
];

#[test]
fn keys_that_expire_while_they_wait_to_be_followed() {
    for program in PROGRAMS {
        let shadow = Shadow::start(Redis::of(program, &[]), &[]);
        shadow.settle();
        while_postgres_hangs(&shadow, false, || {
            for lines in USES {
                let replies = shadow.call(lines);
                assert!(!replies.iter().any(|reply| reply.is_error()), "{lines}: {replies:?}");
            }
            sleep(Duration::from_millis(1000));
        });
        shadow.assert_equal();
        shadow.assert_no_differences();
    }
}

/// Nobody has told the follower when they were to expire: it finds them gone.
#[test]
fn keys_that_were_to_expire_before_the_process_began() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.call("SET renewed v PX 3000;SET renewed:by:get v PX 3000");
    shadow.settle();
    until_unmarked(&shadow);
    shadow.kill(|| ());
    while_postgres_hangs(&shadow, false, || {
        assert_eq!(shadow.call("EXPIRE renewed 1000;GETEX renewed:by:get EX 1000")[0], Value::from(1));
        sleep(Duration::from_millis(3500));
    });
    shadow.assert_equal();
}

/// What a script does to a key is read, compared and written: also a time to live that differs by less than a second.
#[test]
fn short_times_to_live_are_brought_over_as_they_are() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.call("SET longer v PX 60000;SET shorter v PX 60000");
    shadow.settle();
    shadow.call("EVAL return(redis.call('PEXPIRE',KEYS[1],60800)) 1 longer");
    shadow.call("EVAL return(redis.call('PEXPIRE',KEYS[1],59300)) 1 shorter");
    shadow.settle();
    let ends = || shadow.call("PEXPIRETIME longer;PEXPIRETIME shorter");
    let theirs = ends();
    shadow.change_mode("reverse");
    assert_eq!(ends(), theirs);
}

/// The Redis has counted from long before its reply.
#[test]
fn times_to_live_of_replies_that_are_late() {
    static DELAY: AtomicU64 = AtomicU64::new(0);
    let (redis, database, scratch) = (Redis::start(), blocking(fresh_database()), Scratch::new());
    let late =
        |leg, _: &[u8]| sleep(Duration::from_millis(if leg == Leg::Back { DELAY.load(Relaxed) } else { 0 }));
    let upstream = format!("redis://{}", way(redis.address(), late));
    let folder = scratch.path().join("shadow").display().to_string();
    let options = ["--upstream", &upstream, "--shadow-dir", &folder, "--mode", "shadow"];
    let respg = Respg::on(&database, &options);
    settle(&respg);
    let (mut client, mut own) = (respg.connect(), respg.connect());
    client.plain("SET given v");
    own.plain("WATCH other");
    DELAY.store(2500, Relaxed);
    client.send(["SET drift v EX 100", "EXPIRE given 100", "MULTI", "SETEX inside 100 v", "EXEC"]);
    // On a connection of its own.
    own.send(["SETEX beside 100 v", "MULTI", "SETEX watching 100 v", "EXEC"]);
    (0..5).for_each(|_| assert!(!client.read().is_error()));
    (0..4).for_each(|_| assert!(!own.read().is_error()));
    DELAY.store(0, Relaxed);
    let begun = Instant::now();
    while number(&mut client, "marked_slots") > 0 {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20));
    }
    let found = verify(&redis, &database);
    assert_eq!((&found["different"], &found["keys"]), (&0.into(), &5.into()), "{found:#}");
}
