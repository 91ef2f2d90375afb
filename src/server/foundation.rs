//! What a respg process stands on before its first client: Postgres, the schema, what the database says of itself.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;
use crate::postgres::{OwnPostgres, OwnPostgresOptions};
use crate::state::{ClientIds, Process, Settings};
use crate::store::bus::Bus;
use crate::store::{self, DatabaseOptions, Durability, Store, StoreError, Target};

/// Longest wait for a connection to Postgres, unless the URL has a connect_timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts at what a lock holds up.
const PAUSE: Duration = Duration::from_millis(500);

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
    pub(super) process: Arc<Process>,
    pub(super) ids: ClientIds,
    pub(super) own_postgres: Option<OwnPostgres>,
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
        patiently(async || store::migrate(&target, &databases).await).await.map_err(unusable)?;
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

/// Asks again what was not answered in time, or what a lock held up, as long as connecting may take: no client is there yet. In between
/// those have their turn who wait behind us for the same lock.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        match ask().await {
            Err(error)
                if (error == StoreError::no_answer() || error == StoreError::Locked)
                    && Instant::now() < deadline =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
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
