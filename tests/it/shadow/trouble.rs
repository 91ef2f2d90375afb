//! The follower fails, the client does not notice, and both sides become the same again.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use respg::shadow::Bounds;

use super::follow::work;
use super::{Shadow, folder};
use crate::support::pg;
use crate::support::redis::Redis;

const SMALL: Bounds = Bounds { memory: 200_000, disk: 300_000 };

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let mut shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    for round in 0..3 {
        let working = work(&shadow, 4, 1000);
        // In the middle of it.
        let _ = tokio::time::timeout(Duration::from_millis(300 + 200 * round), working).await;
        let (redis, database, scratch) = shadow.kill().await;
        // What is done while nobody follows is not marked: only what was under way is repaired.
        shadow = Shadow::on(redis, database, scratch, Bounds::default()).await;
        assert!(shadow.following.dirty.is_any_broken(), "nothing was under way");
        shadow.assert_equal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_away_for_a_while() {
    let shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    work(&shadow, 2, 100).await;
    shadow.settle().await;
    let postgres = pg::connect(&shadow.database).await;
    // Everything that the follower wants is locked away; then its connections are cut.
    postgres
        .batch_execute("BEGIN; LOCK TABLE respg.keyspace IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    let started = Instant::now();
    work(&shadow, 4, 500).await;
    let while_away = started.elapsed();
    assert!(!shadow.following.queue.is_empty() || shadow.following.report.lag_ms() > 0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    postgres.simple_query(cut).await.expect("cut");
    tokio::time::sleep(Duration::from_millis(500)).await;
    postgres.batch_execute("ROLLBACK").await.expect("released");
    shadow.assert_equal().await;
    assert!(shadow.following.report.counts.unreachable.load(Relaxed) > 0);
    // The clients' path did not wait for it.
    assert!(while_away < Duration::from_secs(10), "{while_away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spool_is_full() {
    let shadow = Shadow::start(Redis::start(), SMALL).await;
    work(&shadow, 2, 100).await;
    shadow.settle().await;
    let postgres = pg::connect(&shadow.database).await;
    postgres
        .batch_execute("BEGIN; LOCK TABLE respg.keyspace IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    work(&shadow, 4, 3000).await;
    // Bounded, and nothing forgotten.
    let (memory, disk) = shadow.following.queue.bytes();
    assert!(memory <= 2 * SMALL.memory && disk <= SMALL.disk, "{memory} and {disk} bytes");
    let counts = &shadow.following.queue.counts;
    assert!(counts.spilled.load(Relaxed) > 0 && counts.dirty.load(Relaxed) > 0, "{counts:?}");
    assert!(shadow.following.dirty.is_any_broken());
    postgres.batch_execute("ROLLBACK").await.expect("released");
    shadow.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changes_on_the_follower_is_found_and_undone() {
    let shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    shadow.call("SET n 1; SET other 1; XADD s 1-1 f v").await;
    shadow.settle().await;
    let postgres = pg::connect(&shadow.database).await;
    postgres.batch_execute("SELECT respg.set('n', '41')").await.expect("set");
    shadow.call("INCR n; INCR other").await;
    shadow.settle().await;
    let differences = shadow.following.report.differences();
    let found = |class: &str| {
        differences
            .iter()
            .any(|(group, _)| group.class == class && group.command == "INCR" && group.pattern == "n")
    };
    assert!(found("reply: value") && found("value"), "{differences:#?}");
    shadow.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_is_away_for_a_while() {
    let shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    work(&shadow, 2, 100).await;
    // Its connections are cut in the middle of things: what was under way may have happened or not.
    for _ in 0..3 {
        let pipe = shadow.pipe.clone();
        let task = tokio::spawn(async move {
            for i in 0..2000 {
                let calls = vec![vec!["INCR".into(), format!("cut:{}", i % 7).into()]];
                let followed = respg::upstream::Calls {
                    db: 0,
                    protocol: respg::resp::Protocol::Resp2,
                    calls: calls.clone(),
                    mark: 0,
                };
                let calls = calls.iter().map(Vec::as_slice);
                let _ = pipe.call(0, respg::resp::Protocol::Resp2, calls, Some(followed)).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(30)).await;
        shadow.redis.connect().plain("CLIENT KILL TYPE normal SKIPME yes");
        task.await.expect("no panic");
    }
    shadow.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_process_has_no_dirty_slots() {
    let shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    work(&shadow, 2, 200).await;
    shadow.settle().await;
    let started = Instant::now();
    while shadow.following.dirty.marked() > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "{} slots", shadow.following.dirty.marked());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (redis, database, scratch) = shadow.kill().await;
    let file = std::fs::read(folder(&scratch).join("dirty-slots")).expect("the file");
    assert!(file[48..].iter().all(|byte| *byte == 0));
    let shadow = Shadow::on(redis, database, scratch, Bounds::default()).await;
    assert!(!shadow.following.dirty.is_any_broken());
}
