//! `respg verify`: compares both sides in both directions. What seems to differ is looked at again until it is the same, or has not changed for long
//! enough while it differed, or has been written all the time.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::base::Base;
use super::follower::{self, brought_over};
use super::import::choose;
use super::options::VerifyOptions;
use super::patient::Patient;
use super::progress::Progress;
use super::report::Report;
use super::{MigrateError, say};
use crate::command::copy::{CopyError, Difference, KeyState, compare};
use crate::copy::{
    Follower, Own, Portions, Read, Redis, Resynced, Scan, databases, read_key, read_keys, write_key,
};
use crate::state::{Mode, Side};

/// Keys at once, and about how many bytes of them.
const BATCH: u32 = 500;
const PORTION: u64 = 8 * 1024 * 1024;
/// Most keys that are kept to be looked at again; of the others the first look counts.
const MOST_SUSPECTS: usize = 1_000_000;
/// A difference counts after so many equal looks in a row, however short the time in between is; after so many looks in all nothing more is expected.
const EQUAL_LOOKS: u32 = 3;
const MOST_LOOKS: u32 = 20;

/// Keys at once when they are looked at again.
const AGAIN: usize = 100;

type State = Result<KeyState, CopyError>;

/// A key that has differed at the last look.
struct Suspect {
    db: u32,
    key: Bytes,
    kind: String,
    /// Of both sides.
    digests: (u64, u64),
    differences: Vec<Difference>,
    looks: u32,
    equal_looks: u32,
    /// Since when nothing has changed.
    unchanged_since: Instant,
    first_seen: SystemTime,
}

/// What is known of a key after a look.
enum Verdict {
    Undecided(Suspect),
    Different(Suspect),
    Superseded,
    Same,
}

struct Verify {
    base: Base,
    redis: Patient<Redis>,
    own: Patient<Own>,
    tolerance: u64,
    settle: Duration,
    repair: bool,
    /// Who repairs in our stead.
    follower: Option<Follower>,
    report: Report,
    suspects: Vec<Suspect>,
}

/// Compares; whether both sides are the same.
pub async fn run(options: VerifyOptions) -> Result<bool, MigrateError> {
    let mut redis = Patient::redis(Redis::open(options.scope.redis(&options.config)?).await?);
    let sizes = databases(&mut redis).await?;
    let base = Base::open(options.config).await?;
    let own = Own::new(base.executor.clone());
    let ours = base.sizes().await?;
    let mut wanted = choose(options.scope.databases(redis.side.url()), sizes.as_ref(), base.databases())?;
    if options.scope.databases(redis.side.url()).is_empty() {
        wanted.extend(ours.keys().copied());
        wanted.sort_unstable();
        wanted.dedup();
    }
    let all_sizes = || sizes.iter().chain([&ours]);
    let total = wanted.iter().flat_map(|db| all_sizes().filter_map(move |sizes| sizes.get(db))).sum();
    let follower = match options.repair && base.rule().await?.mode != Mode::Reverse {
        true => follower::find(&base, &redis.side).await?,
        false => None,
    };
    if options.repair && follower.is_none() {
        base.prevent_changes("respg verify --repair is writing");
    }
    let mut verify = Verify {
        base,
        redis,
        follower,
        own: Patient::postgres(own),
        tolerance: options.ttl_tolerance,
        settle: Duration::from_millis(options.settle),
        repair: options.repair,
        report: Report::default(),
        suspects: Vec::new(),
    };
    let mut progress = Progress::new("verify", total);
    for db in wanted {
        verify.walk(db, options.scope.pattern.as_deref(), &mut progress).await?;
    }
    verify.report.rounds = 1;
    verify.suspects.sort_unstable_by(|a, b| (a.db, &a.key).cmp(&(b.db, &b.key)));
    verify.suspects.dedup_by(|a, b| (a.db, &a.key) == (b.db, &b.key));
    progress.finish();
    verify.settle().await?;
    match options.json {
        true => say(format_args!("{:#}", verify.report.json())),
        false => say(verify.report.text()),
    }
    let Verify { base, report, .. } = verify;
    base.close().await?;
    Ok(report.is_good())
}

impl Verify {
    async fn select(&mut self, db: u32) -> Result<(), MigrateError> {
        self.own.side.select(db);
        Ok(self.redis.select(db).await?)
    }

    /// The first look at all keys of a database, from both sides.
    async fn walk(
        &mut self,
        db: u32,
        pattern: Option<&str>,
        progress: &mut Progress,
    ) -> Result<(), MigrateError> {
        self.select(db).await?;
        let mut scan = Scan::new(None, BATCH, pattern);
        while let Some(keys) = scan.next(&mut self.redis).await?? {
            progress.add(keys.len() as u64);
            let mut portions = Portions::survey(&mut self.redis, keys).await?;
            while let Some(theirs) = portions.next(&mut self.redis, PORTION).await? {
                let keys = theirs.iter().map(|(key, _)| key.clone()).collect();
                let ours = read_keys(&mut self.own, keys).await?;
                self.first_look(db, theirs, ours);
            }
        }
        let mut scan = Scan::new(None, BATCH, pattern);
        while let Some(keys) = scan.next(&mut self.own).await?? {
            progress.add(keys.len() as u64);
            let portions = Portions::survey(&mut self.redis, keys).await?;
            let extra = portions.absent();
            let ours = read_keys(&mut self.own, extra.clone()).await?;
            let theirs = read_keys(&mut self.redis, extra).await?;
            self.first_look(db, theirs, ours);
        }
        Ok(())
    }

    fn first_look(&mut self, db: u32, theirs: Vec<Read>, ours: Vec<Read>) {
        let mut ours: HashMap<_, _> = ours.into_iter().collect();
        for (key, theirs) in theirs {
            let ours = ours.remove(&key).unwrap_or(Err(CopyError::Unexpected));
            self.report.keys += 1;
            let suspect = match (theirs, ours) {
                (Err(error), _) | (_, Err(error)) => {
                    self.report.keys -= 1;
                    self.report.note_unreadable(&key, error.to_string());
                    continue;
                }
                (Ok(KeyState::Unsupported(kind)), _) => {
                    self.report.keys -= 1;
                    let kind = kind.escape_ascii().to_string();
                    *self.report.unsupported.entry(kind).or_default() += 1;
                    continue;
                }
                (Ok(theirs), Ok(ours)) => self.suspect(db, key, &theirs, &ours, None),
            };
            match suspect {
                Verdict::Undecided(suspect) if self.suspects.len() < MOST_SUSPECTS => {
                    self.suspects.push(suspect)
                }
                verdict => self.decide(verdict),
            }
        }
    }

    /// What to make of the two states of a key and what was known of it before.
    fn suspect(
        &self,
        db: u32,
        key: Bytes,
        theirs: &KeyState,
        ours: &KeyState,
        before: Option<&Suspect>,
    ) -> Verdict {
        let differences = compare(theirs, ours, self.tolerance);
        if differences.is_empty() {
            return Verdict::Same;
        }
        let digests = (theirs.digest(), ours.digest());
        let kind = match theirs {
            KeyState::Absent => ours.type_name(),
            theirs => theirs.type_name(),
        };
        let kind = kind.escape_ascii().to_string();
        let now = Instant::now();
        let first_seen = before.map_or_else(SystemTime::now, |before| before.first_seen);
        let looks = before.map_or(0, |before| before.looks) + 1;
        let (equal_looks, unchanged_since) = match before {
            Some(before) if before.digests == digests => (before.equal_looks + 1, before.unchanged_since),
            _ => (1, now),
        };
        let suspect =
            Suspect { db, key, kind, digests, differences, looks, equal_looks, unchanged_since, first_seen };
        if equal_looks >= EQUAL_LOOKS && now.duration_since(unchanged_since) >= self.settle {
            Verdict::Different(suspect)
        } else if looks >= MOST_LOOKS {
            Verdict::Superseded
        } else {
            Verdict::Undecided(suspect)
        }
    }

    fn decide(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Same => {}
            Verdict::Superseded => self.report.superseded += 1,
            Verdict::Undecided(suspect) | Verdict::Different(suspect) => {
                let harmless = suspect.differences.iter().all(|difference| difference.class.is_harmless());
                self.report.different += u64::from(!harmless);
                let seen = (suspect.first_seen, SystemTime::now());
                self.report.add((suspect.db, &suspect.key), &suspect.kind, seen, &suspect.differences);
            }
        }
    }

    /// Looks at suspects until all are decided.
    async fn settle(&mut self) -> Result<(), MigrateError> {
        while !self.suspects.is_empty() {
            tokio::time::sleep(self.settle / EQUAL_LOOKS).await;
            self.report.rounds += 1;
            let mut left = Vec::new();
            let suspects = std::mem::take(&mut self.suspects);
            for some in suspects.chunk_by(|a, b| a.db == b.db).flat_map(|of_db| of_db.chunks(AGAIN)) {
                self.select(some[0].db).await?;
                let keys: Vec<Bytes> = some.iter().map(|suspect| suspect.key.clone()).collect();
                let mut theirs: HashMap<_, _> =
                    read_keys(&mut self.redis, keys.clone()).await?.into_iter().collect();
                let mut ours: HashMap<_, _> = read_keys(&mut self.own, keys).await?.into_iter().collect();
                for suspect in some {
                    let states = (theirs.remove(&suspect.key), ours.remove(&suspect.key));
                    match self.look_again(suspect, states) {
                        Verdict::Undecided(suspect) => left.push(suspect),
                        Verdict::Same => self.report.transient += 1,
                        Verdict::Different(suspect) if self.repair => self.mend(suspect).await?,
                        verdict => self.decide(verdict),
                    }
                }
            }
            self.suspects = left;
        }
        Ok(())
    }

    fn look_again(&mut self, suspect: &Suspect, states: (Option<State>, Option<State>)) -> Verdict {
        let key = suspect.key.clone();
        match states {
            (Some(Ok(theirs)), Some(Ok(ours))) => {
                self.suspect(suspect.db, key, &theirs, &ours, Some(suspect))
            }
            (Some(Err(error)), _) | (_, Some(Err(error))) => {
                self.report.note_unreadable(&key, error.to_string());
                Verdict::Same
            }
            // A key in the list twice.
            _ => Verdict::Same,
        }
    }

    /// Makes our key what Redis's is, or the other way round if Postgres answers for it and the Redis follows.
    async fn mend(&mut self, suspect: Suspect) -> Result<(), MigrateError> {
        let key = suspect.key.clone();
        // It may have changed hands since the last one.
        let rule = self.base.rule().await?;
        let is_reversed = rule.is_followed_by(Side::Upstream) && rule.answering(&key) == Side::Postgres;
        let mended = match &self.follower {
            _ if is_reversed => {
                self.base.hand_over(suspect.db, &key).await?;
                Ok(())
            }
            Some(follower) => {
                let outcomes = brought_over(follower, suspect.db, std::slice::from_ref(&key)).await?;
                outcomes.into_iter().try_for_each(done)
            }
            None => match read_key(&mut self.redis, key.clone()).await? {
                Ok(state) => write_key(&mut self.own, key.clone(), state).await?,
                Err(error) => Err(error),
            },
        };
        match mended {
            Ok(()) => {
                self.report.repaired += 1;
                let seen = (suspect.first_seen, SystemTime::now());
                self.report.add((suspect.db, &key), &suspect.kind, seen, &suspect.differences);
            }
            Err(error) => {
                self.report.note_unreadable(&key, error.to_string());
                self.decide(Verdict::Different(suspect));
            }
        }
        Ok(())
    }
}

fn done(outcome: Result<Resynced, CopyError>) -> Result<(), CopyError> {
    match outcome {
        // It has changed hands.
        Ok(Resynced::Moved) => Err(CopyError::Refused(Bytes::from_static(b"Postgres answers for it by now"))),
        outcome => outcome.map(drop),
    }
}
