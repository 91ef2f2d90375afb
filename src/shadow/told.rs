//! What is told of the follower: to INFO, RESPG.SHADOW, and to SQL.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Value, json};

use super::following::Following;
use crate::resp::Reply;
use crate::state::{ShadowDifference, ShadowReport};
use crate::store::statements::shadow::TELL;
use crate::store::{Call, Param, Store};

impl ShadowReport for Following {
    fn status(&self) -> Vec<(&'static str, i64)> {
        let number = |count: &std::sync::atomic::AtomicU64| count.load(Relaxed).cast_signed();
        let (memory, disk) = self.queue.bytes();
        let (queue, counts) = (&self.queue.counts, &self.report.counts);
        let differences: u64 = self.report.differences().iter().map(|(_, found)| found.count).sum();
        vec![
            ("queued", number(&queue.queued)),
            ("followed", number(&counts.followed)),
            ("spilled", number(&queue.spilled)),
            ("dirty", number(&queue.dirty)),
            ("repaired", number(&counts.repaired)),
            ("confirmed", number(&counts.confirmed)),
            ("failed", number(&counts.failed)),
            ("lag_records", self.queue.len().cast_signed()),
            ("lag_ms", self.report.lag_ms()),
            ("queue_memory", memory as i64),
            ("queue_disk", disk.cast_signed()),
            ("marked_slots", i64::from(self.dirty.marked())),
            ("dirty_slots", i64::from(self.dirty.broken())),
            ("unsettled_keys", number(&counts.unsettled)),
            ("reply_mismatches", number(&counts.mismatches)),
            ("differences", differences.cast_signed()),
            ("unreachable", number(&counts.unreachable)),
            ("published", number(&counts.published)),
        ]
    }

    fn differences(&self) -> Vec<ShadowDifference> {
        let told = |(group, found): (super::report::Group, super::report::Differences)| ShadowDifference {
            class: group.class.to_owned(),
            command: group.command,
            pattern: group.pattern,
            count: found.count,
            first_seen: found.first_seen,
            last_seen: found.last_seen,
            samples: found.samples,
        };
        self.report.differences().into_iter().map(told).collect()
    }

    fn foreign_commands(&self) -> Vec<(String, u64)> {
        self.report.foreign_calls().into_iter().collect()
    }

    fn unsupported_types(&self) -> Vec<(String, u64)> {
        self.report.unsupported_types().into_iter().collect()
    }

    fn forget_differences(&self) {
        self.report.forget_differences();
    }
}

const PERIOD: Duration = Duration::from_secs(1);

/// Keeps this process's row of `respg.shadow_reports` fresh, for ever.
pub async fn tell_forever(following: Arc<Following>, store: Arc<Store>, process: String) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let params = rows(&following).map(|value| Param::Bytes(value.to_string().into()));
        let params: Vec<Param> = [Param::Bytes(process.clone().into())].into_iter().chain(params).collect();
        let call = Call::write(&TELL, params, |_| Reply::Nothing);
        let written = tokio::time::timeout(store.patience, async {
            let connection = store.acquire().await.ok()?;
            call.run(&connection).await.ok()
        });
        // If not, the next one will be: the row's time says how old it is.
        let _ = written.await;
    }
}

/// Status, differences, foreign commands and unsupported types.
fn rows(following: &Following) -> [Value; 4] {
    let status = following.status().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
    let differences = ShadowReport::differences(following).into_iter().map(|found| {
        json!({
            "class": found.class,
            "command": found.command,
            "pattern": found.pattern,
            "count": found.count,
            "first_seen": found.first_seen,
            "last_seen": found.last_seen,
            "samples": found.samples,
        })
    });
    let counts = |counts: Vec<(String, u64)>| {
        Value::Object(counts.into_iter().map(|(name, count)| (name, json!(count))).collect())
    };
    [
        Value::Object(status.collect()),
        Value::Array(differences.collect()),
        counts(following.foreign_commands()),
        counts(following.unsupported_types()),
    ]
}
