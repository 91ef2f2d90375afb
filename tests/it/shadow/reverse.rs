//! Reverse mode: Postgres answers, a real Redis follows. With processes of their own, as they are run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::change_mode;
use super::pair::{PATIENCE, Pair, number, pause, settle, work, work_while};
use crate::support::client::{Value, ok};
use crate::support::pg;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking};
use crate::support::way::{Leg, way};

#[test]
fn a_workload_of_everything() {
    for program in PROGRAMS {
        let pair = Pair::new(program);
        let _redis = pair.redis();
        let respg = pair.respg(0, &["--mode", "reverse"]);
        work_while([&respg], 6, || {
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let whole = scope.spawn(|| work(respg.address(), 1, &stop));
                pause(1.5);
                stop.store(true, Relaxed);
                whole.join().unwrap();
            });
        });
        pair.assert_equal([&respg]);
        work_while([&respg], 6, || pause(2.0));
        pair.assert_equal([&respg]);
    }
}

/// What is refused for its database ends nothing.
#[test]
fn databases_that_there_are_not() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "reverse"]);
    let mut client = respg.connect();
    client.send([
        "SET k 1",
        "MOVE k 99",
        "COPY k k DB 99",
        "SELECT 99",
        "SET k 2",
        "MULTI",
        "SELECT 99",
        "INCR k",
        "EXEC",
    ]);
    let refused: Vec<bool> = (0..9).map(|_| client.read().is_error()).collect();
    assert_eq!(refused, [false, true, true, true, false, false, false, false, false]);
    let (begun, mut upstream) = (Instant::now(), redis.connect());
    while upstream.plain("GET k") != "3" {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody follows");
        pause(0.02);
    }
    pair.assert_equal([&respg]);
}

/// Whatever way a key is written, it gets there.
#[test]
fn every_way_to_write() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "reverse"]);
    let (mut client, mut other) = (respg.connect(), respg.connect());
    client.send([
        "SET plain 1",
        "SELECT 2",
        "SET there 2 PX 4000000",
        "COPY there here DB 0",
        "SELECT 0",
        "SET moved 1",
        "MOVE moved 3",
        "MULTI",
        "SET in-exec 1",
        "SELECT 4",
        "SET in-exec 4",
        "EXEC",
        "SET after-exec 4",
        "SELECT 0",
        "XADD jobs * n 1",
        "XGROUP CREATE jobs workers 0",
        "XREADGROUP GROUP workers a STREAMS jobs >",
        "RESPG.STREAM ADD jobs DELAY 300 n 3",
    ]);
    for _ in 0..18 {
        let reply = client.read();
        assert!(!reply.is_error(), "{reply:?}");
    }
    // A client that waits is served later.
    other.send(["XREADGROUP GROUP workers b BLOCK 0 STREAMS jobs >"]);
    while !client.plain("CLIENT LIST").to_string_lossy().contains("flags=b") {}
    client.plain("XADD jobs * n 2");
    assert!(!other.read().is_error());
    // Two parts: MULTI in one packet, EXEC in the next.
    client.send(["MULTI", "INCR parts"]);
    (0..2).for_each(|_| drop(client.read()));
    assert_eq!(client.plain("EXEC"), Value::Array(vec![Value::Integer(1)]));
    client.send(["CLIENT REPLY OFF", "SET silent 1", "CLIENT REPLY ON"]);
    assert_eq!(client.read(), ok());
    let database = pair.database.clone();
    blocking(async move {
        let postgres = pg::connect(&database).await;
        let sql = "SELECT respg.set('sql', 'v'); SELECT respg.incr('sql:n', 5); SELECT respg.set('sql:gone', 'v'); SELECT respg.expire('sql', '1 hour');
                   SELECT respg.xadd('jobs', '{\"n\": 4}'); SELECT respg.xadd_at('jobs', '{\"n\": 5}', now()); SELECT respg.xreadgroup('jobs', 'workers', 'sql');";
        postgres.batch_execute(sql).await.expect("SQL");
        postgres.batch_execute("SELECT respg.del('sql:gone')").await.expect("SQL");
    });
    let mut upstream = redis.connect();
    let begun = Instant::now();
    while upstream.plain("XLEN jobs") != Value::Integer(5) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", upstream.plain("XRANGE jobs - +"));
    }
    pair.assert_equal([&respg]);
    upstream.select(4);
    assert_eq!(upstream.plain("GET in-exec").to_string_lossy(), "4");
    for flush in ["SWAPDB 0 2", "FLUSHDB", "FLUSHALL"] {
        assert_eq!(client.plain(flush), ok());
        assert_eq!(client.plain("SET after 1"), ok());
        pair.assert_equal([&respg]);
    }
    let database = pair.database.clone();
    blocking(async move {
        pg::connect(&database).await.batch_execute("SELECT respg.flushall()").await.expect("SQL");
    });
    upstream.select(0);
    let begun = Instant::now();
    while upstream.plain("DBSIZE") != Value::Integer(0) {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn respg_is_killed_and_started_again() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    drop(pair.settled(0, &["--mode", "reverse"]));
    for round in 0..3 {
        let respg = pair.respg(0, &["--mode", "reverse"]);
        let address = respg.address();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for seed in 0..4 {
                let stop = &stop;
                // Its connection breaks.
                scope.spawn(move || std::panic::catch_unwind(|| work(address, seed + 2, stop)));
            }
            pause(0.5 + 0.3 * f64::from(round));
            respg.signal(Signal::KILL);
            stop.store(true, Relaxed);
        });
        drop(respg);
    }
    let respg = pair.respg(0, &[]);
    assert_eq!(respg.connect().plain("RESPG.MODE GET").to_string_lossy(), "reverse");
    pair.assert_equal([&respg]);
}

#[test]
fn the_upstream_goes_and_comes_back() {
    let pair = Pair::new(PROGRAMS[0]);
    let mut redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "reverse"]);
    work_while([&respg], 2, || pause(0.5));
    // Hung: nobody notices.
    let slowest = work_while([&respg], 4, || {
        redis.signal(Signal::STOP);
        pause(4.0);
        redis.signal(Signal::CONT);
    });
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    pair.assert_equal([&respg]);
    // Away, and empty when it is back.
    let slowest = work_while([&respg], 4, || {
        drop(std::mem::replace(&mut redis, Redis::start()));
        pause(1.0);
        redis = pair.redis();
    });
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    pair.assert_equal([&respg]);
    // With old data, and nobody writes.
    redis.connect().plain("SAVE");
    work_while([&respg], 2, || pause(0.5));
    settle(&respg);
    drop(std::mem::replace(&mut redis, Redis::start()));
    redis = pair.redis();
    assert!(pair.different() > 0 || number(&mut respg.connect(), "dirty_slots") > 0);
    let begun = Instant::now();
    while pair.different() > 0 {
        assert!(begun.elapsed() < PATIENCE);
    }
    pair.assert_equal([&respg]);
    drop(redis);
}

/// Empty at the moment in which it is to answer again; it has everything when it does.
#[test]
fn the_upstream_has_lost_everything_before_it_answers() {
    let keys: Vec<String> = (0..300).map(|number| format!("SET k{number} {number}")).collect();
    let pair = Pair::new(PROGRAMS[0]);
    let mut redis = pair.redis();
    let mut empty = || {
        redis.kill();
        redis = pair.redis();
        redis.connect()
    };
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut admin = respg.connect();
    admin.try_calls(keys.iter().map(String::as_str)).expect("answered");
    // While this side follows; after the change; when nothing has been written for a while.
    for (modes, is_quiet) in
        [(["shadow", "reverse"], false), (["reverse", "reverse"], false), (["reverse", "reverse"], true)]
    {
        change_mode(&mut admin, "shadow");
        settle(&respg);
        change_mode(&mut admin, modes[0]);
        if is_quiet {
            pause(1.5);
        }
        let mut upstream = empty();
        change_mode(&mut admin, modes[1]);
        change_mode(&mut admin, "redis");
        assert_eq!(upstream.plain("DBSIZE"), 300, "{modes:?}");
    }
}

/// Two processes bring over the same key, and what the slower one has read is old when it is written.
#[test]
fn what_is_old_does_not_stay() {
    static HELD: AtomicBool = AtomicBool::new(false);
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let slow = |leg, _: &[u8]| {
        while leg == Leg::There && HELD.load(Relaxed) {
            pause(0.01);
        }
    };
    let upstream = format!("redis://{}", way(redis.address(), slow));
    let folder = pair.scratch.path().join("slow").display().to_string();
    let a =
        Respg::on(&pair.database, &["--upstream", &upstream, "--shadow-dir", &folder, "--mode", "reverse"]);
    settle(&a);
    let b = pair.settled(0, &[]);
    HELD.store(true, Relaxed);
    assert_eq!(a.connect().plain("SET k old"), ok());
    // Long enough for it to be read.
    pause(0.5);
    assert_eq!(b.connect().plain("SET k new"), ok());
    let (mut upstream, begun) = (redis.connect(), Instant::now());
    while upstream.plain("GET k").to_string_lossy() != "new" {
        assert!(begun.elapsed() < PATIENCE);
    }
    HELD.store(false, Relaxed);
    settle(&a);
    assert_eq!(upstream.plain("GET k").to_string_lossy(), "new");
    assert!(number(&mut a.connect(), "overtaken") > 0);
}

/// A transaction of SQL that stays open holds up the keys that it has written, and no others.
#[test]
fn a_locked_key() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "reverse", "--postgres-timeout", "1000"]);
    let (mut client, mut upstream, database) = (respg.connect(), redis.connect(), pair.database.clone());
    client.plain("XADD locked 1-1 f v");
    settle(&respg);
    blocking(async move {
        let postgres = pg::connect(&database).await;
        postgres.batch_execute("BEGIN; SELECT respg.xadd('locked', '{\"f\": 1}')").await.expect("SQL");
        // Noted, whether or not it was written.
        pg::connect(&database)
            .await
            .batch_execute("INSERT INTO respg.changed_keys (db, key) VALUES (0, 'locked')")
            .await
            .expect("SQL");
        for i in 0..50 {
            assert_eq!(client.plain(["SET", &format!("free:{i}"), "1"]), ok());
        }
        let begun = Instant::now();
        while upstream.plain("DBSIZE") != Value::Integer(51) {
            assert!(begun.elapsed() < PATIENCE);
        }
        postgres.batch_execute("COMMIT").await.expect("SQL");
    });
    pair.assert_equal([&respg]);
    assert_eq!(redis.connect().plain("XLEN locked"), Value::Integer(2));
}

/// Both write the same keys; nobody knows who was first, and nobody has to.
#[test]
fn several_processes() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let processes = [pair.settled(0, &["--mode", "reverse"]), pair.settled(1, &[])];
    work_while(&processes, 6, || pause(3.0));
    pair.assert_equal(&processes);
}
