//! Copying all keys from one side to the other: one walk, several workers, portions of bounded size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::MigrateError;
use super::follower::brought_over;
use super::pattern::{pattern, redacted};
use super::progress::Progress;
use super::side::{Place, Side, Target};
use crate::command::copy::{CopyError, KeyState};
use crate::copy::{Follower, Portions, Resynced, Scan, write_keys};
use crate::resp::readable;
use crate::state::Patterns;

const WORKERS: usize = 4;
/// Keys in a batch, as SCAN is asked for them.
const BATCH: u32 = 500;
/// Bytes that a worker holds at once, apart from single larger values.
const PORTION: u64 = 8 * 1024 * 1024;
/// How often writing is tried, and the pause in between.
const ATTEMPTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// Most keys or patterns that are named.
const NAMED: usize = 20;

/// What became of the keys.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    pub copied: u64,
    /// Gone before they were read.
    pub vanished: u64,
    /// Left alone: Postgres answers for them.
    pub moved: u64,
    /// By type: how many, by pattern.
    pub unsupported: BTreeMap<String, BTreeMap<String, u64>>,
    pub failed: u64,
    /// Some of the failed, and why.
    pub failures: Vec<(String, String)>,
}

impl Summary {
    pub fn add(&mut self, other: Summary) {
        self.copied += other.copied;
        self.vanished += other.vanished;
        self.moved += other.moved;
        for (kind, patterns) in other.unsupported {
            let known = self.unsupported.entry(kind).or_default();
            for (pattern, count) in patterns {
                let room = known.len() < NAMED || known.contains_key(&pattern);
                *known.entry(if room { pattern } else { "(others)".to_owned() }).or_default() += count;
            }
        }
        self.failed += other.failed;
        let room = NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }

    pub fn keys(&self) -> u64 {
        let unsupported: u64 = self.unsupported.values().flat_map(BTreeMap::values).sum();
        self.copied + self.vanished + self.moved + unsupported + self.failed
    }

    pub fn is_complete(&self) -> bool {
        self.unsupported.is_empty() && self.failed == 0
    }

    /// What was not copied.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.moved > 0 {
            lines.push(format!("left alone, Postgres answers for them (RESPG.MODE KEYS): {}", self.moved));
        }
        for (kind, patterns) in &self.unsupported {
            let count: u64 = patterns.values().sum();
            lines.push(format!("not copied, respg does not have the type: {count} of type {kind}"));
            lines.extend(patterns.iter().map(|(pattern, count)| format!("  {count:>8}  {pattern}")));
        }
        if self.failed > 0 {
            lines.push(format!("not copied, failed: {}", self.failed));
            lines.extend(self.failures.iter().map(|(key, why)| format!("  {key}: {why}")));
        }
        lines
    }

    fn note_unsupported(&mut self, key: &Bytes, kind: String) {
        *self.unsupported.entry(kind).or_default().entry(pattern(key)).or_default() += 1;
    }

    fn note(&mut self, key: &Bytes, outcome: Result<(), CopyError>) {
        match outcome {
            Ok(()) => self.copied += 1,
            Err(error) => {
                self.failed += 1;
                if self.failures.len() < NAMED {
                    self.failures.push((redacted(key), error.to_string()));
                }
            }
        }
    }
}

/// Some keys on their way.
struct Batch {
    number: u64,
    keys: Vec<Bytes>,
}

/// The keys to copy.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    pub db: u32,
    pub pattern: Option<&'a str>,
    /// Not these.
    pub moved: &'a Patterns,
}

/// Where a walk is: everything before this cursor is done.
pub struct Position<'a> {
    pub cursor: &'a str,
    pub summary: &'a Summary,
}

/// Who is told from time to time how far it has come.
pub trait Keeper: Send {
    fn keep(&mut self, position: Position<'_>) -> impl Future<Output = ()> + Send;
}

/// Copies one database, from a cursor on.
pub async fn transfer(
    (from, to): (&Place, &Target<'_>),
    Walk { db, pattern, moved }: Walk<'_>,
    start: Option<&str>,
    progress: &mut Progress,
    keeper: &mut impl Keeper,
) -> Result<Summary, MigrateError> {
    let (batches, receiver) = mpsc::channel(2 * WORKERS);
    let receiver = Arc::new(Mutex::new(receiver));
    let (report, mut reports) = mpsc::channel(2 * WORKERS);
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let worker = Worker::new(from, to, db, moved).await?;
        workers.spawn(worker.work(receiver.clone(), report.clone()));
    }
    drop(report);
    let mut walker = from.open().await?;
    walker.select(db).await?;
    let scan = Scan::new(start, BATCH, pattern);
    let (cursors, mut known_cursors) = mpsc::unbounded_channel();
    workers.spawn(walk(walker, scan, batches, cursors));
    let mut summary = Summary::default();
    let mut waiting: BTreeMap<u64, Summary> = BTreeMap::new();
    let mut ends: VecDeque<String> = VecDeque::new();
    let mut next = 0;
    while let Some((number, outcome)) = reports.recv().await {
        let outcome: Summary = outcome?;
        progress.add(outcome.keys());
        waiting.insert(number, outcome);
        // Before a batch is sent its cursor is.
        while let Ok(cursor) = known_cursors.try_recv() {
            ends.push_back(cursor);
        }
        let mut cursor = None;
        while let Some(done) = waiting.remove(&next) {
            next += 1;
            summary.add(done);
            cursor = ends.pop_front();
        }
        if let Some(cursor) = cursor {
            keeper.keep(Position { cursor: &cursor, summary: &summary }).await;
        }
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|error| MigrateError::Other(error.to_string()))??;
    }
    Ok(summary)
}

async fn walk(
    mut walker: Side,
    mut scan: Scan,
    batches: mpsc::Sender<Batch>,
    cursors: mpsc::UnboundedSender<String>,
) -> Result<(), MigrateError> {
    let mut number = 0;
    while let Some(keys) = scan.next(&mut walker).await?? {
        if cursors.send(scan.cursor()).is_err() || batches.send(Batch { number, keys }).await.is_err() {
            break;
        }
        number += 1;
    }
    Ok(())
}

type Report = (u64, Result<Summary, MigrateError>);

enum Worker {
    Copying { source: Box<Side>, target: Box<Side>, moved: Patterns },
    Asking { follower: Follower, db: u32 },
}

impl Worker {
    async fn new(from: &Place, to: &Target<'_>, db: u32, moved: &Patterns) -> Result<Worker, MigrateError> {
        let target = match to {
            Target::Place(place) => place,
            Target::Follower(follower) => return Ok(Worker::Asking { follower: follower.clone(), db }),
        };
        let (mut source, mut target) = (from.open().await?, target.open().await?);
        source.select(db).await?;
        target.select(db).await?;
        Ok(Worker::Copying { source: source.into(), target: target.into(), moved: moved.clone() })
    }

    async fn work(
        mut self,
        batches: Arc<Mutex<mpsc::Receiver<Batch>>>,
        reports: mpsc::Sender<Report>,
    ) -> Result<(), MigrateError> {
        loop {
            let Some(batch) = batches.lock().await.recv().await else { return Ok(()) };
            let outcome = match &mut self {
                Worker::Copying { source, target, moved } => copy(source, target, batch.keys, moved).await,
                Worker::Asking { follower, db } => ask(follower, *db, &batch.keys).await,
            };
            if reports.send((batch.number, outcome)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Has keys copied.
async fn ask(follower: &Follower, db: u32, keys: &[Bytes]) -> Result<Summary, MigrateError> {
    let mut summary = Summary::default();
    for (key, outcome) in keys.iter().zip(brought_over(follower, db, keys).await?) {
        match outcome {
            Ok(Resynced::Absent) => summary.vanished += 1,
            Ok(Resynced::Moved) => summary.moved += 1,
            Ok(Resynced::Unsupported(kind)) => summary.note_unsupported(key, kind),
            Ok(Resynced::Copied) => summary.note(key, Ok(())),
            Err(error) => summary.note(key, Err(error)),
        }
    }
    Ok(summary)
}

/// Copies keys.
async fn copy(
    source: &mut Side,
    target: &mut Side,
    keys: Vec<Bytes>,
    moved: &Patterns,
) -> Result<Summary, MigrateError> {
    let mut summary = Summary::default();
    let (moved, keys): (Vec<Bytes>, Vec<Bytes>) = keys.into_iter().partition(|key| moved.has(key));
    summary.moved += moved.len() as u64;
    let mut portions = Portions::survey(source, keys).await?;
    while let Some(portion) = portions.next(source, PORTION).await? {
        let mut keys = Vec::with_capacity(portion.len());
        for (key, state) in portion {
            match state {
                Err(error) => summary.note(&key, Err(error)),
                Ok(KeyState::Absent) => summary.vanished += 1,
                Ok(KeyState::Unsupported(kind)) => {
                    summary.note_unsupported(&key, kind.escape_ascii().to_string());
                }
                Ok(state) => keys.push((key, state)),
            }
        }
        write(target, keys, &mut summary).await?;
    }
    Ok(summary)
}

/// Whether an error is about the server, not the key: a replica, no memory or disk left.
fn takes_nothing(why: &Bytes) -> bool {
    let codes: [&[u8]; 4] = [b"READONLY ", b"OOM ", b"MISCONF ", b"NOREPLICAS "];
    codes.iter().any(|code| why.starts_with(code))
}

/// Writes keys, several times if need be: a side may be away for a moment.
async fn write(
    target: &mut Side,
    mut keys: Vec<(Bytes, KeyState)>,
    summary: &mut Summary,
) -> Result<(), MigrateError> {
    for attempt in 1.. {
        let outcomes = write_keys(target, &keys).await?;
        let mut again = Vec::new();
        for ((key, state), outcome) in keys.into_iter().zip(outcomes) {
            match outcome {
                Err(CopyError::Refused(why)) if attempt == ATTEMPTS && takes_nothing(&why) => {
                    let why = readable(&why);
                    return Err(MigrateError::Other(format!("no key can be written there: {why}")));
                }
                Err(_) if attempt < ATTEMPTS => again.push((key, state)),
                outcome => summary.note(&key, outcome),
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        keys = again;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
