//! The follower fails, the client does not notice, and both sides become the same again.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::follow::work;
use super::{Shadow, connect};
use crate::support::pg;
use crate::support::redis::Redis;
use crate::support::respg::blocking;

/// One MiB in memory and one on disk.
const SMALL: &[&str] = &["--shadow-memory", "1", "--shadow-spool", "1"];

const LOCK: &str = "BEGIN; LOCK TABLE respg.keyspace IN ACCESS EXCLUSIVE MODE";
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Everything that the follower wants is locked away while `work` runs; at its end its connections are cut if `cut`.
pub fn while_postgres_hangs(shadow: &Shadow, cut: bool, work: impl FnOnce()) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let postgres = runtime.block_on(pg::connect(&shadow.database));
    runtime.block_on(postgres.batch_execute(LOCK)).expect("locked");
    work();
    if cut {
        runtime.block_on(postgres.simple_query(CUT)).expect("cut");
        sleep(Duration::from_millis(500));
    }
    runtime.block_on(postgres.batch_execute("ROLLBACK")).expect("released");
}

pub fn until_unmarked(shadow: &Shadow) {
    let started = Instant::now();
    while shadow.number("marked_slots") > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", shadow.status());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn postgres_is_away_for_a_while() {
    let shadow = Shadow::start(Redis::start(), &[]);
    work(&shadow, 2, 100);
    shadow.settle();
    while_postgres_hangs(&shadow, true, || {
        let started = Instant::now();
        work(&shadow, 4, 500);
        // The clients' path did not wait for it.
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let status = shadow.status();
        assert!(status["lag_records"] > 0 || status["lag_ms"] > 0, "{status:?}");
        sleep(Duration::from_secs(3));
    });
    shadow.assert_equal();
    assert!(shadow.number("unreachable") > 0);
}

#[test]
fn the_spool_is_full() {
    let shadow = Shadow::start(Redis::start(), SMALL);
    work(&shadow, 2, 100);
    shadow.settle();
    while_postgres_hangs(&shadow, false, || {
        let started = Instant::now();
        while shadow.number("dirty") == 0 {
            work(&shadow, 4, 1000);
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", shadow.status());
        }
        // Bounded, and nothing forgotten.
        let status = shadow.status();
        assert!(status["queue_memory"] <= 2 << 20 && status["queue_disk"] <= 1 << 20, "{status:?}");
        assert!(status["spilled"] > 0 && status["dirty_slots"] > 0, "{status:?}");
    });
    shadow.assert_equal();
}

#[test]
fn what_somebody_changes_on_the_follower_is_found_and_undone() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.call("SET n 1; SET other 1; XADD s 1-1 f v");
    shadow.settle();
    blocking(async {
        let postgres = pg::connect(&shadow.database).await;
        postgres.batch_execute("SELECT respg.set('n', '41')").await.expect("set");
    });
    shadow.call("INCR n; INCR other");
    shadow.settle();
    let differences = shadow.differences();
    let found = |class: &str| {
        differences
            .iter()
            .any(|found| found.class == class && found.command == "INCR" && found.pattern == "n")
    };
    assert!(found("reply: value") && found("value"), "{differences:#?}");
    shadow.assert_equal();
}

#[test]
fn the_upstream_is_away_for_a_while() {
    let shadow = Shadow::start(Redis::start(), &[]);
    work(&shadow, 2, 100);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (done, address) = (&done, shadow.address());
            scope.spawn(move || {
                let mut client = connect(address);
                for i in (0..7).cycle() {
                    client.plain(["INCR", &format!("cut:{i}")]);
                    if done.load(Relaxed) {
                        return;
                    }
                }
            });
        }
        // Its connections are cut in the middle of things: what was under way may have happened or not.
        for _ in 0..5 {
            sleep(Duration::from_millis(100));
            shadow.redis.connect().plain("CLIENT KILL TYPE normal SKIPME yes");
        }
        done.store(true, Relaxed);
    });
    shadow.assert_equal();
}

#[test]
fn a_quiet_process_has_no_dirty_slots() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    work(&shadow, 2, 200);
    shadow.settle();
    until_unmarked(&shadow);
    let file = std::fs::read(shadow.folder().join("dirty-slots")).expect("the file");
    assert!(file[48..].iter().all(|byte| *byte == 0));
    shadow.kill(|| {});
    assert_eq!(shadow.number("marked_slots"), 0);
}

/// If the file that tells what was under way is lost, everything is compared.
#[test]
fn the_folder_is_lost_after_a_crash() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("SET a 1; SET b 1; XADD s 1-1 f v");
    shadow.assert_equal();
    let lost = shadow.folder();
    let upstream = shadow.redis.address();
    shadow.kill(|| {
        std::fs::remove_dir_all(lost).expect("it is there");
        // What was under way, as far as anybody knows.
        let mut client = connect(upstream);
        client.send(["SET a 2", "DEL b", "XADD s 2-1 f v"]);
        (0..3).for_each(|_| assert!(!client.read().is_error()));
    });
    shadow.assert_equal();
}

/// A call for each of many keys, `#` being their numbers.
fn each(call: &str) -> String {
    (0..300).map(|i| call.replace('#', &i.to_string())).collect::<Vec<_>>().join(";")
}

/// After a crash: `from:0` to `from:299` are `new` in Redis, `old` in Postgres, and known to differ. `then` in Postgres, before the start.
fn crashed(runtime: &tokio::runtime::Runtime, then: &str) -> (Shadow, tokio_postgres::Client) {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("SET waits 1");
    shadow.call(&each("SET from:# old"));
    shadow.settle();
    until_unmarked(&shadow);
    let postgres = runtime.block_on(pg::connect(&shadow.database));
    runtime.block_on(postgres.batch_execute(LOCK)).expect("locked");
    shadow.call(&each("SET from:# new"));
    shadow.kill(|| {
        runtime.block_on(async {
            postgres.simple_query(CUT).await.expect("cut");
            sleep(Duration::from_millis(500));
            postgres.batch_execute("ROLLBACK").await.expect("released");
            let row = postgres.query_one("SELECT respg.get('from:7')", &[]).await.expect("a value");
            assert_eq!(row.get::<_, &str>(0), "old");
            postgres.batch_execute(then).await.expect("done");
        });
    });
    (shadow, postgres)
}

/// What is taken out of keys that are known to differ is not carried to keys that nobody would repair.
#[test]
fn what_is_taken_from_keys_in_repair_does_not_spread() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (shadow, _) = crashed(&runtime, "");
    // The repair begins half a second after the start; some of these come before it, some meanwhile, some at its end.
    let mut rounds = 0;
    while shadow.number("dirty_slots") > 0 {
        rounds += 1;
        shadow.call(&each(&format!("COPY from:# to:{rounds}:#")));
    }
    assert!(rounds > 0);
    shadow.assert_equal();
}

/// A repair has found its keys while the follower is far behind: what it does before it comes to them is of keys that differ.
#[test]
fn a_repair_is_not_over_before_the_follower_has_come_to_its_keys() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (shadow, postgres) =
        crashed(&runtime, "BEGIN; SELECT FROM respg.keys WHERE key = 'waits' FOR UPDATE");
    shadow.call("SET waits 2");
    shadow.call(&each("COPY from:# to:#"));
    // More than it takes at a time.
    (0..3).for_each(|n| drop(shadow.call(&each(&format!("SET other:{n}:# {}", "x".repeat(1000))))));
    sleep(Duration::from_secs(3));
    assert!(shadow.number("lag_records") > 0);
    runtime.block_on(postgres.batch_execute("ROLLBACK")).expect("released");
    shadow.assert_equal();
}

/// After a clean end nothing is left to be done, and nothing is compared again.
#[test]
fn ended_and_started_again() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    work(&shadow, 4, 200);
    shadow.respg.signal(rustix::process::Signal::TERM);
    shadow.restart();
    assert_eq!(shadow.number("marked_slots"), 0);
    shadow.assert_equal();
}
