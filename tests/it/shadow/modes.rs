//! RESPG.MODE with a follower: who is to answer has everything first.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::pair::{Pair, settle};
use super::{Shadow, change_mode, connect, verify, with_late_blpop};
use crate::support::client::{Value, ok};
use crate::support::pg::{self, fresh_database};
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking, refusal};

/// Increments a counter of its own and notes the last answer, which must always be one more.
fn increment(address: SocketAddr, key: &str, stop: &AtomicBool, calls: &AtomicU64) -> i64 {
    let mut client = connect(address);
    let mut last = 0;
    while !stop.load(Relaxed) {
        let value = client.plain(["INCR", key]).integer();
        assert_eq!(value, last + 1, "{key}");
        last = value;
        calls.fetch_add(1, Relaxed);
    }
    last
}

#[test]
fn no_write_is_lost_when_the_follower_becomes_who_answers() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let keys: Vec<String> = (0..6).map(|number| format!("counter:{number}")).collect();
    thread::scope(|scope| {
        let clients: Vec<_> = keys
            .iter()
            .map(|key| (key, scope.spawn(|| increment(shadow.address(), key, &stop, &calls))))
            .collect();
        let some = || {
            let (begun, before) = (Instant::now(), calls.load(Relaxed));
            while calls.load(Relaxed) < before + 200 && begun.elapsed() < Duration::from_secs(20) {
                sleep(Duration::from_millis(5));
            }
        };
        some();
        shadow.change_mode("postgres");
        some();
        stop.store(true, Relaxed);
        let mut client = shadow.respg.connect();
        for (key, thread) in clients {
            let last = thread.join().expect("no number was left out");
            assert_eq!(client.plain(["GET", key]).to_string_lossy(), last.to_string());
            assert!(
                shadow.redis.connect().plain(["GET", key]).to_string_lossy().parse::<i64>().unwrap() < last
            );
        }
    });
    assert_eq!(shadow.number("following"), 0);
}

#[test]
fn what_happens_while_nobody_follows_is_brought_over_afterwards() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("SET a 1; SET b 1; XADD s 1-1 f v");
    shadow.assert_equal();
    shadow.change_mode("redis");
    shadow.call("SET a 2; DEL b; XADD s 2-1 f v; SET c 1");
    assert_eq!(shadow.number("following"), 0);
    shadow.change_mode("shadow");
    shadow.assert_equal();
    shadow.assert_no_differences();
    assert_eq!(shadow.call("GET a"), [Value::from("2")]);
    shadow.change_mode("postgres");
    assert_eq!(shadow.call("GET a; GET b; XLEN s; GET c").len(), 4);
    assert_eq!(
        shadow.call("GET a; GET b; XLEN s; GET c"),
        [Value::from("2"), Value::Null, Value::Integer(2), Value::from("1")]
    );
}

/// Postgres's keys are not replaced by older ones unless somebody says so.
#[test]
fn what_postgres_has_answered_is_not_lost_by_mistake() {
    let redis = Redis::start();
    let (url, upstream) = (blocking(fresh_database()), redis.url());
    let scratch = crate::support::pg::Scratch::new();
    let folder = scratch.path().display().to_string();
    let options = ["--upstream", &upstream, "--shadow-dir", &folder];
    let respg = Respg::on(&url, &options);
    let mut admin = respg.connect();
    assert_eq!(admin.plain("SET k postgres"), ok());
    let refused = admin.plain("RESPG.MODE SET shadow").to_string_lossy();
    assert!(refused.contains("would be replaced"), "{refused}");
    assert_eq!(admin.plain("RESPG.MODE GET"), Value::from("postgres"));
    drop((admin, respg));
    let begun = Instant::now();
    let said = loop {
        let said = refusal(&url, &[&options[..], &["--mode", "shadow"]].concat());
        // Until the first one is known to be gone.
        if !said.contains("others are in mode") || begun.elapsed() > Duration::from_secs(30) {
            break said;
        }
    };
    assert!(said.contains("would be replaced"), "{said}");
    let respg = Respg::on(&url, &options);
    let mut admin = respg.connect();
    assert_eq!(admin.plain("GET k"), Value::from("postgres"));
    let refused = admin.plain("RESPG.MODE SET redis").to_string_lossy();
    assert!(refused.contains("as it was before: go through mode reverse"), "{refused}");
    assert_eq!(admin.plain("GET k"), Value::from("postgres"));
    assert_eq!(admin.plain("RESPG.MODE SET redis FORCE"), ok());
    change_mode(&mut admin, "postgres");
    assert_eq!(admin.plain("RESPG.MODE SET shadow FORCE"), ok());
    let begun = Instant::now();
    while admin.plain("RESPG.SHADOW STATUS").map().iter().any(|(name, n)| *name == "dirty_slots" && *n != 0) {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
    change_mode(&mut admin, "postgres");
    assert_eq!(admin.plain("GET k"), Value::Null);
}

/// Postgres is as it was when somebody followed last.
#[test]
fn what_the_upstream_alone_has_is_not_left_by_mistake() {
    let pair = Pair::new(PROGRAMS[0]);
    let mut redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut admin = respg.connect();
    assert_eq!(admin.plain("SET k 1"), ok());
    settle(&respg);
    change_mode(&mut admin, "redis");
    assert_eq!(admin.plain("SET k 2"), ok());
    let is_refused = |said: &str| said.contains("as it was before: go through mode shadow");
    let refused = admin.plain("RESPG.MODE SET postgres").to_string_lossy();
    assert!(is_refused(&refused), "{refused}");
    assert_eq!(admin.plain("GET k"), Value::from("2"));
    drop((admin, respg));
    let begun = Instant::now();
    let refused = || pair.refusal(&["--mode", "postgres"]);
    // Until the first one is known to be gone.
    while !is_refused(&refused()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", refused());
    }
    let respg = pair.respg(0, &[]);
    let mut admin = respg.connect();
    assert_eq!(admin.plain("GET k"), Value::from("2"));
    // It cannot be asked.
    redis.kill();
    let refused = admin.plain("RESPG.MODE SET postgres").to_string_lossy();
    assert!(is_refused(&refused), "{refused}");
    assert_eq!(admin.plain("RESPG.MODE SET postgres FORCE"), ok());
    assert_eq!(admin.plain("GET k"), Value::from("1"));
}

/// A client that waits is called in the moment in which commands begin to be held back: it must not wait for their end, and the change for it.
#[test]
fn readers_that_are_called_do_not_hold_a_change_up() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let (stop, mut admin) = (AtomicBool::new(false), shadow.respg.connect());
    thread::scope(|scope| {
        for number in 0..12 {
            let (stop, address) = (&stop, shadow.address());
            scope.spawn(move || {
                let (mut reader, mut writer) = (connect(address), connect(address));
                let read = format!("XREAD BLOCK 5000 STREAMS s:{number} $");
                let add = format!("XADD s:{number} MAXLEN 10 * f v");
                while !stop.load(Relaxed) {
                    reader.send([read.as_str()]);
                    sleep(Duration::from_millis(3));
                    writer.plain(add.as_str());
                    let read = reader.read();
                    assert!(!read.is_error(), "{}", read.to_string_lossy());
                }
            });
        }
        for mode in ["reverse", "shadow"].into_iter().cycle().take(30) {
            let begun = Instant::now();
            loop {
                let said = admin.plain(["RESPG.MODE", "SET", mode]);
                if said == ok() {
                    break;
                }
                let said = said.to_string_lossy();
                if said.contains("under way") || begun.elapsed() > Duration::from_secs(60) {
                    stop.store(true, Relaxed);
                    panic!("{said}");
                }
            }
            sleep(Duration::from_millis(50));
        }
        stop.store(true, Relaxed);
    });
}

/// What ends them goes another way than they do, and is there first.
#[test]
fn readers_that_are_late_do_not_hold_a_change_up() {
    let (_redis, respg) = with_late_blpop();
    let mut reader = respg.connect();
    reader.send(["BLPOP nothing 0"]);
    sleep(Duration::from_millis(100));
    change_mode(&mut respg.connect(), "postgres");
    assert_eq!(reader.read(), Value::Null);
}

/// Each change ends followers and begins others: with them go their connections to Postgres, which has not too many of them.
#[test]
fn followers_that_have_ended_keep_no_connections() {
    let shadow = Shadow::start(Redis::start(), &["--threads", "1", "--pool-size", "2"]);
    let connections = || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
        blocking(async {
            let row = pg::connect(&shadow.database).await.query_one(count, &[]).await.expect("counted");
            row.get::<_, i64>(0)
        })
    };
    let change = |mode| {
        shadow.change_mode(mode);
        shadow.call("INCR n");
        shadow.settle();
    };
    let round = || ["reverse", "shadow"].into_iter().for_each(change);
    round();
    let before = connections();
    (0..15).for_each(|_| round());
    // Postgres may notice later that they are gone.
    let begun = Instant::now();
    while connections() > before + 10 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{before}, then {}", connections());
        sleep(Duration::from_millis(50));
    }
}

/// Nobody could read them in Postgres, and nobody removes them because Postgres lacks them.
#[test]
fn keys_of_types_that_respg_lacks_hold_a_change_up() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("RPUSH list a; SADD set a; SET k v");
    shadow.settle();
    until_remembered(&shadow, 2);
    // It compares nothing anew, and knows.
    shadow.kill(|| ());
    let mut admin = shadow.respg.connect();
    for mode in ["reverse", "postgres"] {
        let refused = admin.plain(["RESPG.MODE", "SET", mode]).to_string_lossy();
        assert!(refused.contains("(list, set;") && refused.contains("nothing was changed"), "{refused}");
    }
    // Patterns are chosen by who knows what their keys are.
    assert_eq!(admin.plain("RESPG.MODE SET reverse KEYS k"), ok());
    assert_eq!(admin.plain("RESPG.MODE SET reverse FORCE"), ok());
    assert_eq!(admin.plain("GET k"), Value::from("v"));
    // The Redis is made what Postgres is, as far as Postgres can be it.
    shadow.redis.connect().plain("SET nobody 1");
    admin.plain("SET set 1");
    change_mode(&mut admin, "redis");
    assert_eq!(admin.plain("EXISTS list k nobody"), 2);
    assert_eq!((admin.plain("GET set"), admin.plain("LLEN list")), (Value::from("1"), Value::from(1)));
    // All is compared anew, and what is gone is no longer in the way.
    admin.plain("DEL list");
    change_mode(&mut admin, "shadow");
    shadow.settle();
    change_mode(&mut admin, "reverse");
}

pub fn until_remembered(shadow: &Shadow, types: i64) {
    blocking(async {
        let postgres = pg::connect(&shadow.database).await;
        let begun = Instant::now();
        let count = "SELECT count(*) FROM respg.unsupported_types";
        while postgres.query_one(count, &[]).await.expect("counted").get::<_, i64>(0) != types {
            assert!(begun.elapsed() < Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// The Redis is gone for good: Postgres has what it had.
#[test]
fn the_upstream_dies_and_postgres_takes_over() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    let mut client = shadow.respg.connect();
    shadow.settle();
    for number in 1..=500 {
        assert_eq!(client.plain("INCR n"), number);
    }
    shadow.redis.kill();
    assert!(client.plain("INCR n").is_error());
    let mut admin = shadow.respg.connect();
    let refused = admin.plain("RESPG.MODE SET postgres").to_string_lossy();
    assert!(refused.contains("nothing was changed"), "{refused}");
    let begun = Instant::now();
    while admin.plain("RESPG.MODE SET postgres FORCE") != ok() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(client.plain("GET n"), Value::from("500"));
    assert_eq!(client.plain("INCR n"), 501);
}

/// What a process that ended in the middle of something and does not come back has not followed, another one finds.
#[test]
fn a_process_that_does_not_come_back_is_stood_in_for() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("SET a 1; SET b 1");
    shadow.assert_equal();
    let scratch = crate::support::pg::Scratch::new();
    let (upstream, folder) = (shadow.redis.url(), scratch.path().display().to_string());
    let other = Respg::on(&shadow.database, &["--upstream", &upstream, "--shadow-dir", &folder]);
    assert_eq!(other.connect().plain("SET a 2"), ok());
    shadow.assert_equal();
    // It had sent this, and nobody knows.
    shadow.respg.kill();
    shadow.redis.connect().plain("SET b 2");
    shadow.respg = other;
    let begun = Instant::now();
    while verify(&shadow.redis, &shadow.database)["different"] != 0 {
        assert!(begun.elapsed() < Duration::from_secs(120));
        sleep(Duration::from_secs(1));
    }
}
