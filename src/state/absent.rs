//! Who may pass commands on to the upstream, also without Postgres. A process that is cut off from Postgres does not hear of a change of the mode and would go on by
//! the old one, so each process enters itself in the database before it passes anything on; while one stands there that is not connected to Postgres, Postgres does
//! not begin to answer, until the upstream has been seen without that process for longer than a connection of its own may be away (`upstream::LEASE`).

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::system::uname;

use super::stored_rule::Stored;
use super::{Process, random_hex};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::store::statements::server::{ENTER_PASSING, LEAVE_PASSING, MISSING_PROCESSES};
use crate::upstream::{Connection, LEASE, UpstreamError, in_time};

/// How long the upstream has to be without a process until it is taken for gone.
const ABSENT: Duration = LEASE.saturating_add(Duration::from_secs(2));
/// How long a change waits until nobody is missing.
const PATIENCE: Duration = ABSENT.saturating_add(Duration::from_secs(3));
const GLANCE: Duration = Duration::from_millis(50);
/// How long a connection waits until the mode has changed.
const CHANGE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(1);
/// The same while one is missing and cannot be forgotten.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Since when the upstream has been seen without which processes.
#[derive(Default)]
pub struct Absent(Mutex<HashMap<i32, Instant>>);

/// A process that stands in the database and is not connected to it.
struct Missing {
    process: i32,
    connection: Option<String>,
    place: String,
    sessions: i32,
    entered: i64,
}

impl Process {
    /// Whether this process may pass commands on over a connection of this name, which is there: not if others have changed the rule.
    pub async fn may_pass(&self, connection: Option<String>) -> Result<(), String> {
        let reason = |error: StoreError| format!("it is not known who answers: {}", error.reason());
        let place = format!("{}, pid {}", uname().nodename().to_string_lossy(), std::process::id());
        let enter: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.bus.process, &connection, &place, &self.store.sessions()];
        self.store.change(&ENTER_PASSING, &enter).await.map_err(reason)?;
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
        self.absent
            .lock(|absent| absent.retain(|process, _| missing.iter().any(|one| one.process == *process)));
        if missing.is_empty() {
            return Ok(None);
        }
        let connected = match self.connected().await {
            Ok(connected) => connected,
            Err(why) => {
                self.absent.lock(HashMap::clear);
                let Missing { process, place, .. } = &missing[0];
                return Ok(Some(format!(
                    "the process {process} ({place}) is not connected to PostgreSQL, and the upstream cannot be asked whether it passes commands on: {why}"
                )));
            }
        };
        let mut reason = None;
        for one in missing {
            let why = self.judge(&one, &connected).await?;
            reason = reason.or(why.map(|why| format!("the process {} ({}) {why}", one.process, one.place)));
        }
        Ok(reason)
    }

    async fn judge(
        &self,
        one: &Missing,
        connected: &HashSet<Bytes>,
    ) -> Result<Option<&'static str>, StoreError> {
        let since = match &one.connection {
            Some(name) if !connected.contains(name.as_bytes()) => {
                self.absent.lock(|absent| *absent.entry(one.process).or_insert_with(Instant::now))
            }
            Some(_) => {
                self.absent.lock(|absent| absent.remove(&one.process));
                return Ok(Some(
                    "is connected to the upstream and not to PostgreSQL: it would not hear of the change",
                ));
            }
            None => return Ok(Some("is not connected to PostgreSQL, and has no name in the upstream")),
        };
        if since.elapsed() < ABSENT {
            return Ok(Some("has just gone"));
        }
        // What it has sent Postgres may still be executed.
        if !self.store.end_sessions_of(one.sessions).await? {
            return Ok(Some("is gone, and PostgreSQL has not ended its sessions"));
        }
        self.store.change(&LEAVE_PASSING, &[&one.process, &Some(one.entered)]).await?;
        Ok(None)
    }

    /// Why somebody who has not said that he is ready may go on by the old rule.
    pub(super) async fn missing_of(
        &self,
        is_ready: impl Fn(i32) -> bool,
    ) -> Result<Option<String>, StoreError> {
        let missing = self.missing_processes().await?;
        let gone = missing.iter().find(|one| !is_ready(one.process));
        Ok(gone.map(|one| format!("the process {} ({}) has gone meanwhile", one.process, one.place)))
    }

    /// Takes all that are missing for gone.
    pub(super) async fn give_up_missing(&self) -> Result<(), StoreError> {
        for Missing { process, entered, .. } in self.missing_processes().await? {
            self.store.change(&LEAVE_PASSING, &[&process, &Some(entered)]).await?;
        }
        Ok(())
    }

    async fn missing_processes(&self) -> Result<Vec<Missing>, StoreError> {
        let rows = self.store.query(&MISSING_PROCESSES, &[&self.bus.process]).await?;
        let missing = rows.iter().map(|row| Missing {
            process: row.get(0),
            connection: row.get(1),
            place: row.get(2),
            sessions: row.get(3),
            entered: row.get(4),
        });
        Ok(missing.collect())
    }

    /// The names of the upstream's connections, if it tells of all of them.
    async fn connected(&self) -> Result<HashSet<Bytes>, String> {
        let Some(upstream) = &self.upstream else { return Err("this process has no --upstream".to_owned()) };
        let url = upstream.pipe.url();
        // Among the others it has to find itself.
        let own = format!("respg-{}", random_hex(16));
        let calls = [&["CLIENT", "SETNAME", &own][..], &["CLIENT", "LIST"]];
        let calls =
            calls.map(|call| call.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect());
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
        let words = list.split(u8::is_ascii_whitespace).filter_map(|word| word.strip_prefix(b"name="));
        let names: HashSet<Bytes> = words.map(Bytes::copy_from_slice).collect();
        match names.contains(own.as_bytes()) {
            true => Ok(names),
            false => Err("its list of clients is not complete".to_owned()),
        }
    }
}

impl Absent {
    fn lock<T>(&self, act: impl FnOnce(&mut HashMap<i32, Instant>) -> T) -> T {
        act(&mut self.0.lock().expect("no panic while held"))
    }
}
