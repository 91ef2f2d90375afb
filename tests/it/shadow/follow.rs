//! Everything goes well: both sides are the same, and no reply differed.

use bytes::Bytes;
use respg::resp::Reply;
use respg::shadow::Bounds;

use super::workload::{Random, next};
use super::{Shadow, send};
use crate::support::redis::{PROGRAMS, Redis};

/// Ids that XADD has answered.
fn remember(seen: &mut Vec<Bytes>, replies: &[Reply]) {
    for reply in replies {
        if let Reply::Bulk(text) = reply
            && text.contains(&b'-')
            && text.len() > 12
        {
            seen.push(text.clone());
        }
    }
    let surplus = seen.len().saturating_sub(30);
    seen.drain(..surplus);
}

/// Several clients at once.
pub async fn work(shadow: &Shadow, clients: u64, calls: usize) {
    let tasks = (0..clients).map(|client| {
        let pipe = shadow.pipe.clone();
        tokio::spawn(async move {
            let (mut random, mut seen) = (Random::new(client + 1), Vec::new());
            for _ in 0..calls {
                let calls = next(&mut random, &seen);
                remember(&mut seen, &send(&pipe, 0, calls).await);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_the_same_after_a_workload_of_everything() {
    for program in PROGRAMS {
        let shadow = Shadow::start(Redis::of(program, &[]), Bounds::default()).await;
        work(&shadow, 8, 1500).await;
        shadow.assert_equal().await;
        shadow.assert_no_differences();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_respg_does_not_have_is_counted_and_does_no_harm() {
    let shadow = Shadow::start(Redis::start(), Bounds::default()).await;
    shadow.call("SET a 1").await;
    shadow.call("LPUSH a 1; LPUSH list 1 2; DEL a; LPUSH a 1; SINTERSTORE b a").await;
    shadow.call("EVAL redis.call('set','b','x') 1 b; SORT list STORE c; HSET h f v").await;
    shadow.settle().await;
    let report = &shadow.following.report;
    assert_eq!(report.foreign_calls().get("LPUSH"), Some(&2));
    assert!(report.unsupported_types().contains_key("list"));
    shadow.assert_equal().await;
}
