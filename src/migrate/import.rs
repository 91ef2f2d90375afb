//! `respg import`: a Redis's keys to Postgres.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::base::Base;
use super::follower;
use super::options::ImportOptions;
use super::patient::{Patient, patiently};
use super::progress::Progress;
use super::side::{Place, Target};
use super::transfer::{Keeper, Position, Summary, Walk, transfer};
use super::{MigrateError, say};
use crate::copy::{Redis, databases};
use crate::state::{Mode, Process};
use crate::store::StoreError;
use crate::store::statements::migrate::{FORGET_IMPORTED, IMPORTED, KEEP_IMPORTED};

/// Copies; whether everything there was.
pub async fn run(options: ImportOptions) -> Result<bool, MigrateError> {
    let mut redis = Patient::redis(Redis::open(options.scope.redis(&options.config)?).await?);
    let sizes = databases(&mut redis).await?;
    let redis = redis.side;
    let base = Base::open(options.config).await?;
    let rule = base.rule().await?;
    if rule.mode == Mode::Reverse {
        let why =
            "the mode is reverse: Postgres answers, and what clients have written there would be overwritten";
        return Err(MigrateError::Other(why.to_owned()));
    }
    let wanted = choose(options.scope.databases(redis.url()), sizes.as_ref(), base.databases())?;
    let place = &redis.url().place;
    let source = match &options.scope.pattern {
        None => place.to_string(),
        Some(pattern) => format!("{place} --match {pattern}"),
    };
    let run_id = redis.run_id().map(str::to_owned);
    let records = Records { process: base.foundation().process().clone(), source, run_id };
    if options.restart {
        records.forget().await?;
    }
    let mut known = records.load().await?;
    let before: u64 = known.values().map(|earlier| earlier.summary.keys()).sum();
    if before > 0 {
        say(format_args!("going on after {before} keys"));
    }
    let total = wanted.iter().filter_map(|db| sizes.as_ref()?.get(db)).sum();
    let mut progress = Progress::new("import", total);
    let follower = follower::find(&base, &redis).await?;
    if follower.is_none() {
        base.prevent_changes("respg import is writing");
    }
    if let Some(follower) = &follower {
        let upstream = &follower.upstream;
        say(format_args!("a server in shadow mode follows {upstream}: it is asked to bring the keys over"));
    }
    let source = Place::Redis(redis);
    let ours = Place::Postgres(base.executor.clone());
    let target = follower.map_or(Target::Place(&ours), Target::Follower);
    let mut all = Summary::default();
    for db in wanted {
        let earlier = known.remove(&db).unwrap_or_default();
        progress.add(earlier.summary.keys());
        let mut keeper = Kept { records: &records, db, earlier: earlier.summary.clone() };
        if !earlier.finished {
            let walk = Walk { db, pattern: options.scope.pattern.as_deref(), moved: &rule.moved };
            let summary =
                transfer((&source, &target), walk, earlier.cursor.as_deref(), &mut progress, &mut keeper);
            let summary = summary.await?;
            keeper.finish(&summary).await?;
            all.add(summary);
        }
        all.add(earlier.summary);
    }
    let took = progress.finish();
    records.forget().await?;
    say(format_args!("imported {} keys in {:.1} s", all.copied, took.as_secs_f64()));
    all.describe().iter().for_each(say);
    base.close().await?;
    Ok(all.is_complete())
}

/// The databases to copy, which have to exist on our side.
pub fn choose(
    asked: Vec<u32>,
    sizes: Option<&BTreeMap<u32, u64>>,
    ours: u32,
) -> Result<Vec<u32>, MigrateError> {
    let wanted = match (asked.is_empty(), sizes) {
        (false, _) => asked,
        (true, Some(sizes)) => sizes.keys().copied().collect(),
        (true, None) => {
            return Err(MigrateError::Other(
                "the Redis does not answer INFO: say which databases (--db)".to_owned(),
            ));
        }
    };
    match wanted.iter().max() {
        Some(highest) if *highest >= ours => Err(MigrateError::Other(format!(
            "respg has no database {highest}: give --databases {}",
            highest + 1
        ))),
        _ => Ok(wanted),
    }
}

/// What `respg.imports` says of one database.
#[derive(Default)]
struct Earlier {
    finished: bool,
    cursor: Option<String>,
    summary: Summary,
}

/// The rows of one Redis, or of some of its keys.
struct Records {
    process: Arc<Process>,
    source: String,
    /// Cursors are good as long as it is the same.
    run_id: Option<String>,
}

impl Records {
    async fn load(&self) -> Result<BTreeMap<u32, Earlier>, MigrateError> {
        // If it is not known the Redis may be another one by now.
        let Some(run_id) = &self.run_id else { return Ok(BTreeMap::new()) };
        let rows = self.process.store.query(&IMPORTED, &[&self.source, run_id]).await?;
        let earlier = |row: &crate::store::Row| {
            let cursor: Option<String> = row.get(1);
            let summary = parsed(row.get(2)).unwrap_or_default();
            (row.get::<_, i32>(0).cast_unsigned(), Earlier { finished: cursor.is_none(), cursor, summary })
        };
        Ok(rows.iter().map(earlier).collect())
    }

    async fn keep(&self, db: u32, cursor: Option<&str>, summary: &Summary) -> Result<(), StoreError> {
        let Some(run_id) = &self.run_id else { return Ok(()) };
        let store = &self.process.store;
        let (db, summary) = (db.cast_signed(), text(summary));
        store.change(&KEEP_IMPORTED, &[&self.source, &db, run_id, &cursor, &summary]).await?;
        Ok(())
    }

    async fn forget(&self) -> Result<(), MigrateError> {
        patiently(async || self.process.store.change(&FORGET_IMPORTED, &[&self.source]).await).await?;
        Ok(())
    }
}

/// One database's progress.
struct Kept<'a> {
    records: &'a Records,
    db: u32,
    /// What an interrupted run has done.
    earlier: Summary,
}

impl Kept<'_> {
    fn whole(&self, summary: &Summary) -> Summary {
        let mut whole = self.earlier.clone();
        whole.add(summary.clone());
        whole
    }

    async fn finish(&self, summary: &Summary) -> Result<(), MigrateError> {
        let whole = self.whole(summary);
        Ok(patiently(async || self.records.keep(self.db, None, &whole).await).await?)
    }
}

impl Keeper for Kept<'_> {
    async fn keep(&mut self, position: Position<'_>) {
        let whole = self.whole(position.summary);
        // Else a bit more is done again after an interruption.
        if let Err(error) = self.records.keep(self.db, Some(position.cursor), &whole).await {
            tracing::warn!(%error, "the import's progress was not noted");
        }
    }
}

fn text(summary: &Summary) -> String {
    let Summary { copied, vanished, moved, unsupported, failed, failures } = summary;
    json!({ "copied": copied, "vanished": vanished, "moved": moved, "unsupported": unsupported, "failed": failed, "failures": failures })
        .to_string()
}

fn parsed(text: &str) -> Option<Summary> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let number = |name: &str| value[name].as_u64();
    let mut summary = Summary {
        copied: number("copied")?,
        vanished: number("vanished")?,
        moved: number("moved").unwrap_or_default(),
        failed: number("failed")?,
        ..Summary::default()
    };
    for (kind, patterns) in value["unsupported"].as_object()? {
        let counts = patterns.as_object()?.iter();
        let counts = counts.map(|(pattern, count)| Some((pattern.clone(), count.as_u64()?)));
        summary.unsupported.insert(kind.clone(), counts.collect::<Option<_>>()?);
    }
    for failure in value["failures"].as_array()? {
        summary.failures.push((failure[0].as_str()?.to_owned(), failure[1].as_str()?.to_owned()));
    }
    Some(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_survive() {
        let counts = BTreeMap::from([("user:*".to_owned(), 3)]);
        let summary = Summary {
            copied: 5,
            vanished: 1,
            moved: 2,
            unsupported: BTreeMap::from([("hash".to_owned(), counts)]),
            failed: 1,
            failures: vec![("k".to_owned(), "ERR x".to_owned())],
        };
        assert_eq!(parsed(&text(&summary)), Some(summary));
    }
}
