//! respg's own Postgres, for those who name no database: installed server programs, a data directory that is kept
//! between runs, and a private socket.
//!
//! It knows nothing of Redis and of respg's tables: what it offers is a URL, like any other Postgres.

mod account;
mod cluster;
#[cfg(feature = "download")]
mod download;
mod error;
mod programs;
mod server;
mod settings;

use std::path::PathBuf;

pub use cluster::default_directory;
pub use error::OwnPostgresError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cpus::Cpus;

use cluster::Cluster;
use programs::Programs;

/// What may be said about respg's own Postgres; the default is right for most.
#[derive(Debug, Clone, Default)]
pub struct OwnPostgresOptions {
    /// Where it lives. Default: `/var/lib/respg/postgres` for root, else `respg/postgres` under `$XDG_DATA_HOME`
    /// or `~/.local/share`.
    pub directory: Option<PathBuf>,
    /// The directory of `postgres`, `initdb` and `pg_ctl`. Default: the `PATH`, then the usual places.
    pub programs: Option<PathBuf>,
    /// Settings that win over those in the files, as `("fsync", "off")`.
    pub settings: Vec<(String, String)>,
    /// Its processors. Default: ours.
    pub cpus: Option<Cpus>,
}

/// A running Postgres that belongs to this process: it stops when this value is dropped, and also when the process is
/// killed. Should Postgres end by itself, it is started again.
#[derive(Debug)]
pub struct OwnPostgres {
    url: String,
    version: String,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Result<(), OwnPostgresError>>,
}

impl OwnPostgres {
    /// Creates the cluster if there is none, cleans up after a previous process that was killed, starts the server and
    /// waits until it accepts connections. A directory that another respg uses is refused.
    pub async fn start(options: &OwnPostgresOptions) -> Result<OwnPostgres, OwnPostgresError> {
        let cluster = Cluster::open(options).await?;
        let server = cluster.start().await?;
        cluster.create_database().await?;
        let (url, version) = (cluster.url(), cluster.programs().version.to_string());
        tracing::info!("PostgreSQL {version} runs in {}", cluster.directory().display());
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(server::keep(cluster, server, stopped));
        Ok(OwnPostgres { url, version, stop, keeper })
    }

    /// A libpq connection string over the private socket.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version of the server programs, such as `17.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Ends all connections, stops the server (a fast shutdown) and waits until it has written everything.
    pub async fn stop(self) -> Result<(), OwnPostgresError> {
        drop(self.stop);
        self.keeper.await.unwrap_or(Err(OwnPostgresError::StillStopping))
    }
}
