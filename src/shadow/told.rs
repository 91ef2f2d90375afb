//! What is told of the follower: to INFO, RESPG.SHADOW, and to SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};

use super::followed::Followed;
use super::keeper::Keeper;
use super::queue::Counts;
use super::reverse::Written;
use crate::resp::Reply;
use crate::state::{ShadowDifference, ShadowReport};
use crate::store::statements::shadow::TELL;
use crate::store::{Call, Param, Store};

impl ShadowReport for Keeper {
    fn status(&self) -> Vec<(&'static str, i64)> {
        let number = |count: &AtomicU64| count.load(Relaxed).cast_signed();
        let counts = &self.report.counts;
        let differences: u64 = self.report.differences().iter().map(|(_, found)| found.count).sum();
        let (following, reverse) = (self.following(), self.reverse());
        let queue = following.as_ref().map(|following| &following.queue);
        let of_queue =
            |count: fn(&Counts) -> &AtomicU64| queue.map_or(0, |queue| number(count(&queue.counts)));
        let of_changes = |count: fn(&Written) -> &AtomicU64| {
            reverse.as_ref().map_or(0, |reverse| number(count(&reverse.changes.counts)))
        };
        let names = reverse.as_ref().map_or(0, |reverse| reverse.changes.bytes());
        let (memory, disk) = queue.map_or((0, 0), |queue| queue.bytes());
        let all = self.followed();
        let of_all = |count: fn(&Followed) -> u64| all.iter().map(count).sum::<u64>().cast_signed();
        let lag_ms = following.as_ref().map_or(0, |_| self.report.lag_ms());
        let lag_of_names = reverse.as_ref().map_or(0, |reverse| reverse.lag_ms());
        // The upstream's part of it, if both follow.
        let moved = reverse.as_ref().filter(|_| following.is_some());
        vec![
            ("following", i64::from(!all.is_empty())),
            ("queued", of_queue(|counts| &counts.queued) + of_changes(|counts| &counts.queued)),
            ("followed", number(&counts.followed)),
            ("spilled", of_queue(|counts| &counts.spilled)),
            ("dirty", of_queue(|counts| &counts.dirty) + of_changes(|counts| &counts.dirty)),
            ("repaired", number(&counts.repaired)),
            ("confirmed", number(&counts.confirmed)),
            ("failed", number(&counts.failed)),
            ("lag_records", of_all(Followed::waiting)),
            ("lag_ms", lag_ms.max(lag_of_names)),
            ("queue_memory", (memory + names) as i64),
            ("queue_disk", disk.cast_signed()),
            ("marked_slots", of_all(|followed| followed.dirty().marked().into())),
            ("dirty_slots", of_all(|followed| followed.dirty().unsure().into())),
            ("unsettled_keys", number(&counts.unsettled)),
            ("not_looked_at", number(&counts.not_looked_at)),
            ("reply_mismatches", number(&counts.mismatches)),
            ("differences", differences.cast_signed()),
            ("coalesced", of_changes(|counts| &counts.coalesced)),
            ("overtaken", reverse.as_ref().map_or(0, |reverse| number(&reverse.overtaken))),
            ("reads_answered", self.upstream().map_or(0, |upstream| number(&upstream.read_here))),
            ("unreachable", number(&counts.unreachable)),
            ("moved_patterns", self.patterns() as i64),
            ("moved_lag_records", moved.map_or(0, |reverse| reverse.behind().cast_signed())),
            ("moved_dirty_slots", moved.map_or(0, |reverse| reverse.dirty.unsure().into())),
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
        // Both have seen the same calls, but not all of them.
        let mut names = self.upstream().map(|upstream| upstream.foreign()).unwrap_or_default();
        for (name, count) in self.report.foreign_calls() {
            let known = names.entry(name).or_default();
            *known = count.max(*known);
        }
        names.into_iter().collect()
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
pub async fn tell_forever(keeper: Arc<Keeper>, store: Arc<Store>, process: String) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let rows = rows(&keeper).map(|value| value.to_string());
        let texts = [process.clone()].into_iter().chain(rows).map(|text| Param::Bytes(text.into()));
        let follows = Param::Bool(!keeper.followed().is_empty());
        let params = texts.chain([follows]).collect();
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
fn rows(keeper: &Keeper) -> [Value; 4] {
    let status = keeper.status().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
    let differences = keeper.differences().into_iter().map(|found| {
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
        counts(keeper.foreign_commands()),
        counts(keeper.unsupported_types()),
    ]
}
