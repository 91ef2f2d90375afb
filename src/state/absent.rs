//! Who may pass commands on to the upstream, also without Postgres. A process that is cut off from Postgres does not hear of a change of the mode and would go on by
//! the old one, so each process enters itself in the database before it passes anything on; while one stands there that is not connected to Postgres, no
//! side begins to answer, until the upstream has been seen without that process for longer than a connection of its own may be away (`upstream::LEASE`).

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::system::uname;

use super::stored_rule::Stored;
use super::{Process, random_hex};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::store::bus::Link;
use crate::store::statements::server::{ENTER_PASSING, LEAVE_PASSING, LOSE, PASSING_PROCESSES};
use crate::upstream::{Connection, LEASE, UpstreamError, in_time, words};

/// How long the upstream has to be without a process until it is taken for gone.
const ABSENT: Duration = LEASE.saturating_add(Duration::from_secs(3));
/// How long a change waits until nobody is missing.
const PATIENCE: Duration = ABSENT.saturating_add(Duration::from_secs(3));
const GLANCE: Duration = Duration::from_millis(50);
/// How long a connection waits until the mode has changed.
const CHANGE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(1);
/// The same while one is missing and cannot be forgotten.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Which processes the upstream has been seen without at each look: the process and how many times it was entered, and the ends of the first and of the last look.
#[derive(Default)]
pub struct Absent(Mutex<HashMap<(i32, i64), (Instant, Instant)>>);

/// A look at the upstream's connections.
struct Look {
    begun: Instant,
    ended: Instant,
    names: HashSet<Bytes>,
}

/// Another process that stands in the database.
struct Passing {
    process: i32,
    /// Whether it is connected to the database.
    is_there: bool,
    connection: Option<String>,
    place: String,
    sessions: i32,
    entered: i64,
}

impl Process {
    /// Whether this process may pass commands on over a connection of this name, which is there: not if others have changed the rule.
    pub async fn may_pass(&self, connection: Option<String>) -> Result<(), String> {
        let reason = |error: StoreError| format!("it is not known who answers: {}", error.reason());
        self.enter(connection).await.map_err(reason)?;
        let begun = Instant::now();
        while begun.elapsed() < CHANGE {
            // Read after it was entered: who changes the rule looks at who is entered after he has said so.
            let may = match self.stored_rule().await.map_err(reason)? {
                Some(Stored::Settled(rule)) => rule == *self.routing.rule(),
                Some(Stored::Changing { .. }) => false,
                None => true,
            };
            // What is held back goes on by what is read then.
            if may || (self.routing.is_held() && self.routing.is_drained()) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
        Err("the mode changes".to_owned())
    }

    async fn enter(&self, connection: Option<String>) -> Result<(), StoreError> {
        let place = format!("{}, pid {}", uname().nodename().to_string_lossy(), std::process::id());
        let enter: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.bus.process, &connection, &place, &self.store.sessions()];
        self.store.change(&ENTER_PASSING, &enter).await.map(drop)
    }

    /// Says that this process is there although it hears nothing, or enters it again after that: FORCE may have passed over it. Whether it hears nothing; `heard` is the
    /// last link for which it was entered.
    pub(super) async fn stand(&self, link: &Link, heard: &mut u64) -> bool {
        let Some(upstream) = &self.upstream else { return false };
        if !link.up {
            let _ = self.store.change(&LOSE, &[&self.bus.process]).await;
        } else if *heard != link.epoch && self.enter(upstream.pipe.connection_name()).await.is_ok() {
            *heard = link.epoch;
        }
        !link.up
    }

    /// Nothing is passed on any more.
    pub async fn passes_no_more(&self) {
        // Or the others find out.
        let _ = self.store.change(&LEAVE_PASSING, &[&self.bus.process, &None::<i64>]).await;
    }

    /// Looks for those that are gone, until it is dropped.
    pub async fn forget_absent(&self) {
        let mut pause = LOOK;
        loop {
            pause = match self.missing().await {
                Ok(None) => LOOK,
                Ok(Some(_)) if self.absent.is_watching() => LOOK,
                Ok(Some(_)) | Err(_) => (pause * 2).min(LONGEST_PAUSE),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until no process is missing; if that takes too long, why.
    pub async fn none_missing(&self) -> Result<Option<String>, StoreError> {
        let begun = Instant::now();
        loop {
            match self.missing().await? {
                Some(why) if begun.elapsed() > PATIENCE => return Ok(Some(why)),
                None => return Ok(None),
                Some(_) => tokio::time::sleep(GLANCE * 4).await,
            }
        }
    }

    /// Forgets processes that are gone; why one that is missing may not be.
    async fn missing(&self) -> Result<Option<String>, StoreError> {
        let missing = self.missing_processes().await?;
        self.absent.lock(|absent| absent.retain(|known, _| missing.iter().any(|one| one.known() == *known)));
        if missing.is_empty() {
            return Ok(None);
        }
        let look = match self.look().await {
            Ok(look) => look,
            Err(why) => {
                self.absent.lock(HashMap::clear);
                let Passing { process, place, .. } = &missing[0];
                return Ok(Some(format!(
                    "the process {process} ({place}) is not connected to PostgreSQL, and the upstream cannot be asked whether it passes commands on: {why}"
                )));
            }
        };
        let mut reason = None;
        for one in missing {
            let why = self.judge(&one, &look).await?;
            reason = reason.or(why.map(|why| format!("the process {} ({}) {why}", one.process, one.place)));
        }
        Ok(reason)
    }

    async fn judge(&self, one: &Passing, look: &Look) -> Result<Option<&'static str>, StoreError> {
        if one.connection.is_none() {
            return Ok(Some("is not connected to PostgreSQL, and has no name in the upstream"));
        }
        if one.is_seen(look) {
            self.absent.lock(|absent| absent.remove(&one.known()));
            return Ok(Some(
                "is connected to the upstream and not to PostgreSQL: it would not hear of the change",
            ));
        }
        if self.absent.missed(one.known(), look) < ABSENT {
            return Ok(Some("has just gone"));
        }
        // What it has sent Postgres may still be executed.
        if !self.store.end_sessions_of(one.sessions).await? {
            return Ok(Some("is gone, and PostgreSQL has not ended its sessions"));
        }
        self.leave(one).await?;
        Ok(None)
    }

    /// Whether all that may pass commands on are ready; why one that has not said so never may.
    pub(super) async fn all_passing(
        &self,
        is_ready: impl Fn(i32) -> bool,
    ) -> Result<Result<bool, String>, StoreError> {
        let mut waits = false;
        for one in self.passing_processes().await?.iter().filter(|one| !is_ready(one.process)) {
            if !one.is_there {
                return Ok(Err(format!("the process {} ({}) has gone meanwhile", one.process, one.place)));
            }
            waits = true;
        }
        Ok(Ok(!waits))
    }

    /// Takes all that are missing for gone, but those that the upstream shows.
    pub(super) async fn give_up_missing(&self) -> Result<(), StoreError> {
        let missing = self.missing_processes().await?;
        if missing.is_empty() {
            return Ok(());
        }
        let look = self.look().await.ok();
        for one in missing {
            if !look.as_ref().is_some_and(|look| one.is_seen(look)) {
                self.store.end_sessions_of(one.sessions).await?;
                self.leave(&one).await?;
            }
        }
        Ok(())
    }

    async fn leave(&self, one: &Passing) -> Result<(), StoreError> {
        self.store.change(&LEAVE_PASSING, &[&one.process, &Some(one.entered)]).await.map(drop)
    }

    async fn missing_processes(&self) -> Result<Vec<Passing>, StoreError> {
        Ok(self.passing_processes().await?.into_iter().filter(|one| !one.is_there).collect())
    }

    /// All but this one.
    async fn passing_processes(&self) -> Result<Vec<Passing>, StoreError> {
        let rows = self.store.query(&PASSING_PROCESSES, &[&self.bus.process]).await?;
        let passing = rows.iter().map(|row| Passing {
            process: row.get(0),
            connection: row.get(1),
            place: row.get(2),
            sessions: row.get(3),
            entered: row.get(4),
            is_there: row.get(5),
        });
        Ok(passing.collect())
    }

    /// The names of the upstream's connections, if it tells of all of them.
    async fn look(&self) -> Result<Look, String> {
        let begun = Instant::now();
        let Some(upstream) = &self.upstream else { return Err("this process has no --upstream".to_owned()) };
        let url = upstream.pipe.url();
        // Among the others it has to find itself.
        let own = format!("respg-{}", random_hex(16));
        let calls = [words(["CLIENT", "SETNAME", &own]), words(["CLIENT", "LIST"])];
        let asked = in_time(url, async { Connection::open(url).await?.call(&calls).await });
        let replies = asked.await.map_err(|error: UpstreamError| error.to_string())?;
        let list = match &replies[..] {
            [Reply::Ok, Reply::Bulk(list) | Reply::Verbatim(list)] => list,
            _ => {
                let refused = replies.iter().find_map(|reply| match reply {
                    Reply::Error(text) => Some(text.to_string()),
                    _ => None,
                });
                return Err(refused.unwrap_or_else(|| "no list of clients".to_owned()));
            }
        };
        let named = list.split(u8::is_ascii_whitespace).filter_map(|word| word.strip_prefix(b"name="));
        let names: HashSet<Bytes> = named.map(Bytes::copy_from_slice).collect();
        match names.contains(own.as_bytes()) {
            true => Ok(Look { begun, ended: Instant::now(), names }),
            false => Err("its list of clients is not complete".to_owned()),
        }
    }
}

impl Passing {
    fn known(&self) -> (i32, i64) {
        (self.process, self.entered)
    }

    fn is_seen(&self, look: &Look) -> bool {
        self.connection.as_ref().is_some_and(|name| look.names.contains(name.as_bytes()))
    }
}

impl Absent {
    fn lock<T>(&self, act: impl FnOnce(&mut HashMap<(i32, i64), (Instant, Instant)>) -> T) -> T {
        act(&mut self.0.lock().expect("no panic while held"))
    }

    /// For how long the upstream has certainly been without a process that this look is without. Between looks that are far apart it may have been there.
    fn missed(&self, known: (i32, i64), look: &Look) -> Duration {
        self.lock(|absent| {
            let (first, last) = absent.entry(known).or_insert((look.ended, look.ended));
            if look.begun.saturating_duration_since(*last) > LEASE {
                *first = look.ended;
            }
            *last = look.ended;
            look.begun.saturating_duration_since(*first)
        })
    }

    /// Whether somebody has just gone.
    fn is_watching(&self) -> bool {
        self.lock(|absent| absent.values().any(|(first, last)| *last - *first < ABSENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_is_not_taken_for_gone() {
        let (absent, zero) = (Absent::default(), Instant::now());
        let missed = |known, begun, took| {
            let begun = zero + Duration::from_secs(begun);
            let ended = begun + Duration::from_secs(took);
            absent.missed(known, &Look { begun, ended, names: HashSet::new() }).as_secs()
        };
        assert_eq!([0, 2, 5].map(|at| missed((1, 1), at, 0)), [0, 2, 5]);
        // It may have been there in between.
        assert_eq!([9, 11].map(|at| missed((1, 1), at, 0)), [0, 2]);
        assert_eq!(missed((1, 2), 11, 0), 0);
        // Slow looks, as when this process was stopped.
        assert_eq!([missed((2, 1), 0, 1), missed((2, 1), 2, 9), missed((2, 1), 12, 0)], [0, 1, 11]);
    }
}
