//! One connection to Postgres with its prepared statements. Hot path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::carrier::{Carrier, Driver};
use super::error::StoreError;
use super::left::{Left, Session};
use super::statements::Statement;
use super::statements::keys::{BEGIN, COMMIT, ROLLBACK};
use super::tls::Target;

/// How soon a commit is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// After the WAL is flushed (what the server is configured for).
    Durable,
    /// At once; a crash of Postgres may lose the last moments (synchronous_commit off).
    Relaxed,
}

/// A connection on which statements are prepared at first use.
pub struct Connection {
    client: Client,
    prepared: Mutex<HashMap<usize, tokio_postgres::Statement>>,
    abandoned: AtomicBool,
    /// Who has handed it something and has no answer yet.
    busy: AtomicUsize,
    /// None if it is not known, or was said to be given up.
    session: Mutex<Option<Session>>,
    left: Arc<Left>,
    worn: AtomicBool,
    planned: Mutex<Instant>,
}

pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// If our host vanishes, Postgres notices after half a minute and frees the locks.
/// Array statements are planned once for any length and must use the primary key even while a table is small or not analysed yet.
const SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET enable_bitmapscan = off; SET jit = off; SET search_path = pg_catalog;
    SET default_transaction_isolation = 'read committed'; SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = '30s'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3";

/// Says also who the session is, and to others whose it is.
const LOCK_TIMEOUT: &str = "SELECT pg_backend_pid(), extract(epoch FROM clock_timestamp())::float8, set_config('lock_timeout', $1, false),
    pg_advisory_lock_shared(1919250545, $2)";

/// How long plans are used: planning all hot statements again takes about a millisecond.
const PLAN_LIFE: Duration = Duration::from_secs(1);

/// A pooled connection whose buffers may have grown beyond this is not used again.
const KEPT_BUFFERS: usize = 4 << 20;

async fn set_up(
    client: &Client,
    commit: Commit,
    lock_wait: Duration,
    sessions: i32,
) -> Result<Session, tokio_postgres::Error> {
    client.batch_execute(SESSION).await?;
    if commit == Commit::Relaxed {
        client.batch_execute("SET synchronous_commit = off").await?;
    }
    let lock_timeout = lock_wait.as_millis().to_string();
    let row = client.query_one(LOCK_TIMEOUT, &[&lock_timeout, &sessions]).await?;
    Ok(Session { process: row.get(0), seen_at: row.get(1) })
}

impl Connection {
    /// Connects and sets the session up. A background task drives it and ends with it.
    /// Waiting for a locked row ends with [`StoreError::Locked`] after `lock_wait`.
    pub async fn open(
        target: &Target,
        commit: Commit,
        lock_wait: Duration,
    ) -> Result<Connection, StoreError> {
        Self::open_driven(target, commit, lock_wait, |driver| drop(tokio::spawn(driver))).await
    }

    /// As [`Connection::open`], driven by the task that uses it.
    pub async fn open_carried(
        target: &Target,
        commit: Commit,
        lock_wait: Duration,
        carrier: &Carrier,
    ) -> Result<Connection, StoreError> {
        Self::open_driven(target, commit, lock_wait, |driver| carrier.take_over(driver)).await
    }

    async fn open_driven(
        target: &Target,
        commit: Commit,
        lock_wait: Duration,
        drive: impl FnOnce(Driver),
    ) -> Result<Connection, StoreError> {
        let opened = async {
            let (client, driver) = target.connect_undriven().await?;
            drive(driver);
            // A setting would be lost to us and burden whoever comes next: synchronous_commit would even break promises.
            let session = match target.shared_sessions() {
                true => None,
                false => Some(set_up(&client, commit, lock_wait, target.sessions).await?),
            };
            let connection = Connection {
                client,
                prepared: Mutex::default(),
                abandoned: AtomicBool::new(false),
                busy: AtomicUsize::new(0),
                session: Mutex::new(session),
                left: target.left.clone(),
                worn: AtomicBool::new(false),
                planned: Mutex::new(Instant::now()),
            };
            // These are sent together with others, so their preparation must not come in between.
            for statement in [&BEGIN, &COMMIT, &ROLLBACK] {
                connection.prepare(statement).await?;
            }
            Ok(connection)
        };
        let limit = target.connect_timeout().unwrap_or(Duration::from_secs(5));
        match tokio::time::timeout(limit, opened).await {
            Ok(result) => result.map_err(|error| StoreError::before_commit(&error)),
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {} ms", limit.as_millis()))),
        }
    }

    /// Whether it is of no use any more.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.abandoned.load(Relaxed)
    }

    /// Gives the connection up in the middle of something: it will not be used again.
    pub fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
        let session = self.session.lock().expect("no panic while held").take();
        session.into_iter().for_each(|session| self.left.add(session));
    }

    /// Something is handed to it: if this future is dropped in between, the connection is given up.
    pub async fn busy<T>(&self, work: impl Future<Output = T>) -> T {
        self.busy.fetch_add(1, Relaxed);
        let outcome = work.await;
        self.busy.fetch_sub(1, Relaxed);
        outcome
    }

    /// Whether somebody has gone away in the middle of something, if nobody uses it.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Relaxed) > 0
    }

    /// Says how many bytes were sent and received for a batch: tokio-postgres keeps the buffers that they needed.
    pub fn carried(&self, bytes: usize) {
        if bytes > KEPT_BUFFERS {
            self.worn.store(true, Relaxed);
        }
    }

    /// Whether it holds so much memory that a new one is better.
    pub fn is_worn(&self) -> bool {
        self.worn.load(Relaxed)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Lets Postgres plan anew, now and then. A plan made while the keys table was empty may walk all of it, and would be kept
    /// until the next ANALYZE however the table grows; the planner itself looks at the table's size each time.
    pub async fn refresh_plans(&self, patience: Duration) -> Result<(), StoreError> {
        let due = {
            let mut planned = self.planned.lock().expect("no panic while held");
            let due = planned.elapsed() > PLAN_LIFE;
            if due {
                *planned = Instant::now();
            }
            due
        };
        if !due {
            return Ok(());
        }
        match tokio::time::timeout(patience, self.client.batch_execute("DISCARD PLANS")).await {
            Ok(outcome) => outcome.map_err(|error| StoreError::before_commit(&error)),
            Err(_) => Err(StoreError::no_answer()),
        }
    }

    /// The prepared form of a statement, preparing it at first use.
    pub async fn prepare(
        &self,
        statement: &'static Statement,
    ) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        let address = std::ptr::from_ref(statement) as usize;
        if let Some(prepared) = self.prepared.lock().expect("no panic while held").get(&address) {
            return Ok(prepared.clone());
        }
        // Boxed: it is rare and larger than all the rest of a query.
        let prepared = Box::pin(self.client.prepare(statement.sql)).await?;
        self.prepared.lock().expect("no panic while held").insert(address, prepared.clone());
        Ok(prepared)
    }

    pub async fn query(
        &self,
        statement: &'static Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let prepared = self.prepare(statement).await?;
        self.client.query(&prepared, params).await
    }

    pub async fn execute(
        &self,
        statement: &'static Statement,
        params: Params<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let prepared = self.prepare(statement).await?;
        self.client.execute(&prepared, params).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_busy() {
            self.abandon();
        }
    }
}
