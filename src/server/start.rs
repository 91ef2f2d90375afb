//! Starting and stopping a respg process.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use super::awake::{self, Awake};
use super::foundation::{Foundation, StartError};
use super::listener;
use super::mode::begin_mode;
use super::threads::Threads;
use crate::config::Config;
use crate::keyspace::{Classes, DbIndex};
use crate::postgres::OwnPostgres;
use crate::shadow;
use crate::state::{self, Process, Side, Stats};
use crate::store::{self, Sweeping};

/// Longest time that clients get to finish what is in flight when the process stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Longest time after that for their threads.
const LAST: Duration = Duration::from_secs(1);

const GLANCE: Duration = Duration::from_millis(5);

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
        let awake = config.cpu_dma_latency.map(Awake::new).transpose();
        let what = format_args!("cannot open {} (--cpu-dma-latency)", awake::DEVICE);
        let awake = awake.map_err(|error| StartError::new(what, error))?;
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
        if let Some(awake) = awake {
            background.spawn(awake.run(process.clone()));
        }
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
