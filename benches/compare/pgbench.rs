//! pgbench: what Postgres does for an application that sends one key per prepared statement.
//!
//! Writes are never pipelined: a pipeline is one transaction, which would be a different load. Reads of a
//! pipelined load are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::load::{KEYS, Load, VALUE_BYTES, Work};
use crate::postgres::Postgres;
use crate::process::run;
use crate::stats::{Sample, percentile};

const SCHEMA: &str = "respg_bench";
/// As migrations/ has it for respg's own rows.
const STORAGE: &str =
    "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1";
/// Keys are made by number in 12 bytes, so that no statement spends time on building them.
const FIRST_KEY: u64 = 100_000_000_000;

pub struct Pgbench {
    url: String,
    folder: PathBuf,
}

impl Pgbench {
    /// Makes tables like respg's (one row per key, found by database and key; counters as numbers, no
    /// second index: what is fastest for the statements below) and fills them.
    pub fn prepare(postgres: &Postgres, folder: PathBuf) -> io::Result<Pgbench> {
        let last = FIRST_KEY + KEYS - 1;
        postgres.sql(&format!(
            "DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
             CREATE SCHEMA {SCHEMA};
             CREATE TABLE {SCHEMA}.value (
                 db smallint, key bytea, type smallint NOT NULL DEFAULT 0, value bytea, expires_at timestamptz,
                 PRIMARY KEY (db, key)) WITH ({STORAGE});
             CREATE TABLE {SCHEMA}.counter (
                 db smallint, key bytea, type smallint NOT NULL DEFAULT 0, value bigint, expires_at timestamptz,
                 PRIMARY KEY (db, key)) WITH ({STORAGE});
             INSERT INTO {SCHEMA}.value (db, key, value)
                 SELECT 0, n::text::bytea, repeat('x', {VALUE_BYTES})::bytea
                 FROM generate_series({FIRST_KEY}::bigint, {last}) n;
             INSERT INTO {SCHEMA}.counter (db, key, value)
                 SELECT 0, n::text::bytea, 0 FROM generate_series({FIRST_KEY}::bigint, {last}) n;
             ANALYZE {SCHEMA}.value, {SCHEMA}.counter;"
        ))?;
        Ok(Pgbench { url: postgres.url().to_owned(), folder })
    }

    pub fn measure(&self, load: &Load, seconds: f64) -> io::Result<Sample> {
        let batch = if load.work == Work::Get { load.pipeline } else { 1 };
        let mut command = Command::new("pgbench");
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--log"]);
        command.arg(format!("--sampling-rate={}", if load.clients == 1 { 1.0 } else { 0.1 }));
        command.arg(format!("--log-prefix={}", self.folder.join("log").display()));
        command.arg(format!("--client={}", load.clients));
        command.arg(format!("--time={}", seconds.ceil().max(1.0)));
        command.arg(format!("--define=payload={}", "x".repeat(VALUE_BYTES)));
        for (number, (weight, script)) in scripts(load.work, batch).into_iter().enumerate() {
            let path = self.folder.join(format!("{number}.sql"));
            fs::write(&path, script)?;
            command.arg(format!("--file={}@{weight}", path.display()));
        }
        let report = run(command.arg(&self.url))?;
        let micros = self.take_latencies()?;
        let rate = report
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let rate = rate.ok_or_else(|| io::Error::other(format!("cannot read pgbench's report: {report}")))?;
        Ok(Sample {
            per_second: rate * batch as f64,
            p50_ms: f64::from(percentile(&micros, 0.5)) / 1000.0,
            p99_ms: f64::from(percentile(&micros, 0.99)) / 1000.0,
        })
    }

    /// Reads and removes the logs of the run; the third column is the time of a transaction in microseconds.
    fn take_latencies(&self) -> io::Result<Vec<u32>> {
        let mut micros = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if is_log(&path) {
                let text = fs::read_to_string(&path)?;
                micros.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
                fs::remove_file(path)?;
            }
        }
        micros.sort_unstable();
        Ok(micros)
    }
}

fn is_log(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log"))
}

/// Scripts with their weights.
fn scripts(work: Work, batch: usize) -> Vec<(u32, String)> {
    let last = FIRST_KEY + KEYS - 1;
    let key = format!("\\set key random({FIRST_KEY}, {last})\n");
    let hot = format!("\\set key {FIRST_KEY}\n");
    let set = format!(
        "{key}INSERT INTO {SCHEMA}.value (db, key, value) VALUES (0, :key::bytea, :payload::bytea) \
         ON CONFLICT (db, key) DO UPDATE SET value = excluded.value, expires_at = NULL;\n"
    );
    let get = format!(
        "{key}SELECT value FROM {SCHEMA}.value WHERE db = 0 AND key = :key::bytea \
         AND (expires_at IS NULL OR expires_at > now());\n"
    );
    let incr = format!(
        "INSERT INTO {SCHEMA}.counter AS c (db, key, value) VALUES (0, :key::bytea, 1) \
         ON CONFLICT (db, key) DO UPDATE SET value = c.value + 1 RETURNING value;\n"
    );
    match work {
        Work::Publish { .. } | Work::Xadd | Work::Queue { .. } => Vec::new(),
        Work::Set => vec![(1, set)],
        Work::Get if batch > 1 => vec![(1, format!("\\startpipeline\n{}\\endpipeline\n", get.repeat(batch)))],
        Work::Get => vec![(1, get)],
        Work::Incr => vec![(1, key + &incr)],
        Work::IncrHot => vec![(1, hot + &incr)],
        Work::Mixed => vec![(7, get), (2, set), (1, key + &incr)],
    }
}
