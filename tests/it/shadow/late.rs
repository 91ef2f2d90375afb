//! Sessions of Postgres that respg has given up, and that go on later.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::faults::Postgres;
use super::pair::{Pair, pause};
use super::{Shadow, change_mode};
use crate::support::client::{Value, ok};
use crate::support::pg;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::blocking;

/// The sessions of respg processes of this `application_name`, but those that listen.
pub fn sessions(url: &str, application: &str) -> Vec<Pid> {
    let query = "SELECT a.pid FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.application_name = $1 AND a.pid <> pg_backend_pid()
        AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock')";
    blocking(async {
        let rows = pg::connect(url).await.query(query, &[&application]).await.expect("told");
        rows.iter().filter_map(|row| Pid::from_raw(row.get(0))).collect()
    })
}

/// The follower's sessions hang in the middle of a write. Others take over, the change is made, and what hung must not come after what Postgres has answered since.
#[test]
fn a_write_of_the_follower_does_not_come_after_a_change() {
    let postgres = Postgres::start();
    let options = ["--threads", "1", "--pool-size", "2"];
    let shadow = Shadow::on(Redis::start(), postgres.url(), &options);
    let mut client = shadow.respg.connect();
    client.plain("SET n 1");
    shadow.settle();
    let stopped = sessions(&shadow.database, "respg");
    let signal = |signal| {
        for pid in &stopped {
            let _ = kill_process(*pid, signal);
        }
    };
    signal(Signal::STOP);
    assert_eq!(client.plain("SET n 100"), ok());
    let begun = Instant::now();
    while shadow.number("unreachable") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        pause(0.02);
    }
    // As long as nobody knows what becomes of it, it may be refused.
    let mut admin = shadow.respg.connect();
    let begun = Instant::now();
    let mut is_changed = false;
    while !is_changed && begun.elapsed() < Duration::from_secs(12) {
        is_changed = admin.plain("RESPG.MODE SET reverse") == ok();
    }
    if is_changed {
        assert_eq!(client.plain("INCRBY n 5"), 105);
    }
    signal(Signal::CONT);
    if !is_changed {
        change_mode(&mut admin, "reverse");
        assert_eq!(client.plain("INCRBY n 5"), 105);
    }
    for _ in 0..40 {
        assert_eq!(client.plain("GET n"), Value::from("105"), "{is_changed}");
        pause(0.05);
    }
}

/// Following ends in the middle of whatever it does. A session that goes back to the others then is not in a transaction: whoever got it would write into that.
#[test]
fn who_ends_following_leaves_no_transaction_open() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let (mut admin, mut client) = (respg.connect(), respg.connect());
    change_mode(&mut admin, "reverse");
    redis.signal(Signal::STOP);
    for key in ["s1", "s2"] {
        assert_eq!(client.plain(["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"]), ok());
        // The first is being brought over, the second waits for that.
        pause(0.2);
    }
    let left_open: i64 = blocking(async {
        let (blocker, watcher) = (pg::connect(&pair.database).await, pg::connect(&pair.database).await);
        blocker
            .batch_execute("BEGIN; SELECT FROM respg.keys WHERE key = 's2' FOR UPDATE")
            .await
            .expect("locked");
        redis.signal(Signal::CONT);
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while watcher.query_one(waits, &[]).await.expect("told").get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // `change_mode` would wait until it is unlocked.
        assert_eq!(admin.plain("RESPG.MODE SET postgres"), ok());
        blocker.batch_execute("ROLLBACK").await.expect("released");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let open = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND state_change < now() - interval '300 ms'";
        watcher.query_one(open, &[]).await.expect("told").get(0)
    });
    assert_eq!(left_open, 0);
}
