//! Starting and stopping a respg process.

use std::fmt::Display;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::listener;
use super::mode::begin_mode;
use super::threads::Threads;
use crate::config::Config;
use crate::keyspace::{Classes, DbIndex};
use crate::postgres::{OwnPostgres, OwnPostgresOptions};
use crate::shadow;
use crate::state::{self, ClientIds, Process, Settings, Side, Stats};
use crate::store::bus::Bus;
use crate::store::{self, DatabaseOptions, Durability, Store, StoreError, Sweeping, Target};

/// Longest time that clients get to finish what is in flight when the process stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Longest time after that for their threads.
const LAST: Duration = Duration::from_secs(1);

const GLANCE: Duration = Duration::from_millis(5);

/// Longest wait for a connection to Postgres, unless the URL has a connect_timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why respg could not start: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    pub(super) fn new(what: impl Display, why: impl Display) -> StartError {
        StartError(format!("{what}: {why}"))
    }
}

/// A process that has its database and no clients yet.
pub struct Foundation {
    process: Arc<Process>,
    ids: ClientIds,
    own_postgres: Option<OwnPostgres>,
}

impl Foundation {
    /// Starts Postgres if none is named and brings the schema up to date.
    pub async fn lay(config: Config) -> Result<Foundation, StartError> {
        let own_postgres = start_own_postgres(&config).await?;
        let started = Self::with_postgres(config, own_postgres.as_ref().map(OwnPostgres::url)).await;
        match started {
            Ok((process, ids)) => Ok(Foundation { process, ids, own_postgres }),
            Err(error) => {
                if let Some(postgres) = own_postgres {
                    let _ = postgres.stop().await;
                }
                Err(error)
            }
        }
    }

    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Stops respg's own Postgres.
    pub async fn close(self) -> Result<(), StartError> {
        match self.own_postgres {
            Some(postgres) => {
                postgres.stop().await.map_err(|error| StartError::new("Postgres did not stop", error))
            }
            None => Ok(()),
        }
    }

    /// Everything between a Postgres that runs and the first client.
    async fn with_postgres(
        config: Config,
        own_url: Option<&str>,
    ) -> Result<(Arc<Process>, ClientIds), StartError> {
        let patience = Duration::from_millis(config.postgres_timeout);
        let url =
            own_url.or(config.database_url.as_deref()).expect("there is a URL or a Postgres of our own");
        let target = Target::parse(url).map_err(|error| StartError(error.to_string()))?;
        let target =
            target.with_defaults("respg", CONNECT_TIMEOUT).with_shared_sessions(config.transaction_pooling);
        let listen_target = match &config.listen_url {
            Some(url) => {
                let target =
                    Target::parse(url).map_err(|error| StartError::new("bad --listen-url", error))?;
                Some(target.with_defaults("respg", CONNECT_TIMEOUT))
            }
            // LISTEN there would reach whoever gets the session next.
            None if config.transaction_pooling => None,
            None => Some(target.clone()),
        };
        let unusable = |error: StoreError| StartError::new("cannot use the database", error.reason());
        if !config.transaction_pooling && store::shares_processes(&target).await.map_err(unusable)? {
            let remedy = "connect directly, use session pooling, or prepare the pooler for --transaction-pooling (README)";
            return Err(StartError::new("the database URL leads to a pooler in transaction mode", remedy));
        }
        if config.upstream.is_some() && listen_target.is_none() {
            let remedy = "changes of the mode are told by LISTEN (--listen-url)";
            return Err(StartError::new("--upstream with --transaction-pooling", remedy));
        }
        let databases = database_options(&config)?;
        store::migrate(&target, &databases).await.map_err(unusable)?;
        let store = Store::new(target, config.pool_size, patience);
        let prepared = patiently(async || {
            let connection = store.acquire().await?;
            let asked = async {
                store.databases.reload(&connection).await?;
                let bus = Bus::new(listen_target.clone(), &connection, patience).await?;
                Ok((store::first_client_id(&connection).await?, Arc::new(bus)))
            };
            store.answered(&connection, asked).await.ok_or_else(StoreError::no_answer)?
        });
        let (first_id, bus) = prepared.await.map_err(unusable)?;
        let process = Process::new(Settings::new(config), Arc::new(store), bus);
        patiently(async || process.load_settings().await).await.map_err(unusable)?;
        Ok((Arc::new(process), ClientIds::from(first_id)))
    }
}

/// Asks again what was not answered in time, or what a lock held up, as long as connecting may take: no client is there yet.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match ask().await {
            Err(error)
                if (error == StoreError::no_answer() || error == StoreError::Locked)
                    && Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}

/// A running server.
pub struct Server {
    process: Arc<Process>,
    own_postgres: Option<OwnPostgres>,
    addresses: Vec<SocketAddr>,
    threads: Option<Arc<Threads>>,
    handles: Vec<JoinHandle<()>>,
    /// Who accepts clients.
    listening: JoinSet<()>,
    /// Goes by the rule in the database.
    following_rule: task::JoinHandle<()>,
    background: JoinSet<()>,
}

impl Server {
    /// Starts Postgres if none is named, brings the schema up to date, listens and serves.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        // Ports first: nothing is started for nothing.
        let listeners = bind_all(&config)?;
        let unix = bind_unix(&config)?;
        if listeners.is_empty() && unix.is_none() {
            return Err(StartError::new(
                "nothing to listen on",
                "give an address (--bind) or a --unixsocket",
            ));
        }
        let foundation = Foundation::lay(config).await?;
        let keeper = match begin_mode(&foundation.process).await {
            Ok(keeper) => keeper,
            Err(error) => {
                let _ = foundation.close().await;
                return Err(error);
            }
        };
        let Foundation { process, ids, own_postgres } = foundation;
        let config = &process.settings.config;
        let (threads, handles) =
            Threads::start(config.threads(), config.lanes, &process, ids, keeper.as_ref())
                .map_err(|error| StartError::new("cannot start a thread", error))?;
        let threads = Arc::new(threads);
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let mut listening = JoinSet::new();
        for listener in listeners {
            let (process, threads) = (process.clone(), threads.clone());
            listening.spawn(async move { ended(listener::accept(listener, process, threads).await) });
        }
        if let Some((listener, path)) = unix {
            let (process, threads) = (process.clone(), threads.clone());
            listening
                .spawn(async move { ended(listener::accept_unix(listener, path, process, threads).await) });
        }
        let mut background = JoinSet::new();
        let bus = process.bus.clone().run(process.store.clone(), process.clone());
        background.spawn(bus);
        if let Err(error) = process.bus.self_test().await {
            let remedy = "give a direct one (--listen-url)";
            tracing::warn!(
                reason = error.reason(),
                "publish/subscribe does not work: LISTEN needs a connection without a pooler, to a server that is no standby; {remedy}"
            );
        }
        background.spawn(store::sweep_forever(process.store.clone(), Swept(process.clone())));
        background.spawn(process.clone().follow_settings());
        let following_rule = tokio::spawn(process.clone().follow_rule());
        if process.upstream.is_some() {
            let process = process.clone();
            background.spawn(async move { process.forget_absent().await });
        }
        if let Some(keeper) = keeper {
            background.spawn(shadow::tell_forever(keeper, process.store.clone(), process.run_id.clone()));
        }
        let expiring = process.clone();
        background.spawn(async move {
            expiring.store.expirer.run(&expiring.store, |keys| Swept(expiring.clone()).tell(keys)).await
        });
        background.spawn(state::tend_queues(process.clone()));
        background.spawn(state::poll_forever(process.waiters.clone(), process.store.clone()));
        let threads = Some(threads);
        Ok(Server {
            process,
            own_postgres,
            addresses,
            threads,
            handles,
            listening,
            following_rule,
            background,
        })
    }

    /// Where TCP clients connect.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Version of respg's own Postgres, if it runs one.
    pub fn own_postgres(&self) -> Option<&OwnPostgres> {
        self.own_postgres.as_ref()
    }

    /// Returns when a client has sent SHUTDOWN.
    pub async fn asked_to_stop(&self) {
        let mut shutdown = self.process.shutdown.subscribe();
        // The sender lives in the process.
        let _ = shutdown.wait_for(|asked| *asked).await;
    }

    /// Lets clients finish what is in flight, closes them, and stops respg's own Postgres.
    pub async fn stop(mut self) -> Result<(), StartError> {
        let process = &self.process;
        process.shutdown.send_replace(true);
        self.listening.shutdown().await;
        // As long as a client may get an answer, others wait for this process when they change the mode, and it goes along.
        let deadline = Instant::now() + FAREWELL;
        let gone = async {
            while !process.clients.all().is_empty() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let _ = timeout_at(deadline, gone).await;
        self.following_rule.abort();
        let _ = self.following_rule.await;
        if let Some(shadow) = process.shadow.get() {
            // It needs the pipe, which ends with the threads. What is left stays marked.
            let finished = async {
                shadow.caught_up(Side::Postgres).await;
                shadow.caught_up(Side::Upstream).await;
            };
            let _ = timeout_at(deadline, finished).await;
            shadow.end(None).await;
        }
        drop(self.threads.take());
        let handles = std::mem::take(&mut self.handles);
        // On a thread of its own, for which the end of the runtime does not wait as it does for blocking tasks.
        let (done, joined) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || done.send(handles.into_iter().all(|handle| handle.join().is_ok())));
        match timeout(LAST, joined).await {
            Err(_) => tracing::warn!("some clients did not finish in time"),
            Ok(_) if self.process.upstream.is_some() => {
                let _ = timeout(LAST, self.process.passes_no_more()).await;
            }
            Ok(_) => {}
        }
        self.background.shutdown().await;
        if let Some(path) = &self.process.settings.config.unixsocket {
            let _ = std::fs::remove_file(path);
        }
        match self.own_postgres.take() {
            Some(postgres) => {
                postgres.stop().await.map_err(|error| StartError::new("Postgres did not stop", error))
            }
            None => Ok(()),
        }
    }
}

/// Counts expired keys and tells of them.
struct Swept(Arc<Process>);

impl Sweeping for Swept {
    fn wants_names(&self) -> bool {
        self.0.events.wanted().has(Classes::EXPIRED)
    }

    fn expired(&self, count: u64, keys: Vec<(DbIndex, Bytes)>) {
        Stats::add(&self.0.stats.expired_keys, count);
        self.0.events.expired(keys);
    }
}

impl Swept {
    fn tell(&self, keys: Vec<(DbIndex, Bytes)>) {
        self.expired(keys.len() as u64, keys);
    }
}

fn ended(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "no longer listening");
    }
}

fn bind_all(config: &Config) -> Result<Vec<std::net::TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for host in &config.bind {
        if host.is_empty() {
            continue;
        }
        // As in redis.conf: a leading - means that it may be missing, * means every address.
        let (host, optional) = host.strip_prefix('-').map_or((host.as_str(), false), |host| (host, true));
        let host = if host == "*" { "0.0.0.0" } else { host };
        let place = format!("cannot listen on {host} port {}", config.port);
        let resolved =
            (host, config.port).to_socket_addrs().map_err(|error| StartError::new(&place, error))?;
        for address in resolved {
            match listener::bind(address) {
                Ok(listener) => listeners.push(listener),
                Err(_) if optional => {}
                Err(error) => return Err(StartError::new(&place, error)),
            }
        }
    }
    Ok(listeners)
}

fn bind_unix(config: &Config) -> Result<Option<(std::os::unix::net::UnixListener, String)>, StartError> {
    let Some(path) = &config.unixsocket else { return Ok(None) };
    let place = format!("cannot listen on the unix socket {}", path.display());
    let permissions = match &config.unixsocketperm {
        Some(octal) => {
            Some(u32::from_str_radix(octal, 8).map_err(|_| StartError::new(&place, "bad permissions"))?)
        }
        None => None,
    };
    let listener = listener::bind_unix(path, permissions).map_err(|error| StartError::new(&place, error))?;
    Ok(Some((listener, path.display().to_string())))
}

async fn start_own_postgres(config: &Config) -> Result<Option<OwnPostgres>, StartError> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let options = OwnPostgresOptions {
        directory: config.data_dir.clone(),
        programs: config.postgres_bin.clone(),
        settings: Vec::new(),
        cpus: config.postgres_cpulist.clone(),
    };
    let postgres = OwnPostgres::start(&options).await;
    postgres.map(Some).map_err(|error| StartError::new("cannot run a Postgres", error))
}

/// Reads `--durability`.
fn database_options(config: &Config) -> Result<DatabaseOptions, StartError> {
    let mut options = DatabaseOptions { count: config.databases, ..DatabaseOptions::default() };
    for word in config.durability.iter().flat_map(|text| text.split(',')) {
        let bad = || {
            StartError::new(
                "bad --durability",
                format!("'{word}' is not durable, relaxed, cache or NUMBER=CLASS"),
            )
        };
        match word.split_once('=') {
            None => options.default_class = Some(Durability::from_name(word).ok_or_else(bad)?),
            Some((db, class)) => {
                let db = db.parse().ok().filter(|db| *db < config.databases).ok_or_else(bad)?;
                options.classes.push((db, Durability::from_name(class).ok_or_else(bad)?));
            }
        }
    }
    Ok(options)
}
