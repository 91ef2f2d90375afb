//! What the command line says.

use clap::{Args, Subcommand};

use super::MigrateError;
use crate::config::Config;
use crate::upstream::Url;

/// Commands besides serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Copy a Redis to Postgres
    ///
    /// Keys that are there already are replaced. What was interrupted goes on where it was. Exit code 0: everything was copied; 2: some keys were not, they are listed; 1: it could not be done.
    Import(Box<ImportOptions>),
    /// Compare a Redis and Postgres, in both directions
    ///
    /// Exit code 0: no differences; 2: differences; 1: it could not be done.
    Verify(Box<VerifyOptions>),
    /// Copy Postgres to a Redis
    ///
    /// In mode postgres, or to another Redis in mode shadow. Keys that are there already are replaced. Exit code 0: everything was copied; 2: some keys were not, they are listed; 1: it could not be done.
    Export(Box<ExportOptions>),
}

/// Which Redis, and what of it.
#[derive(Debug, Clone, Args)]
pub struct Scope {
    /// The Redis: redis://USER:PASSWORD@HOST:PORT/DB, rediss:// for TLS, unix:///PATH?db=N
    ///
    /// A database other than 0 in the URL means: only that one. Without it the server's --upstream is meant, also as RESPG_UPSTREAM: what stands on a command line others can see.
    #[arg(value_name = "URL")]
    pub redis: Option<Url>,

    /// Only this logical database; may be given several times [default: all]
    #[arg(long, value_name = "N", help_heading = "Migration")]
    pub db: Vec<u32>,

    /// Only keys that match, as in SCAN
    #[arg(long = "match", value_name = "GLOB", help_heading = "Migration")]
    pub pattern: Option<String>,
}

/// `respg import`
#[derive(Debug, Clone, Args)]
pub struct ImportOptions {
    #[command(flatten)]
    pub scope: Scope,

    /// Begin anew, even if an import of this Redis was interrupted
    #[arg(long, help_heading = "Migration")]
    pub restart: bool,

    #[command(flatten)]
    pub config: Config,
}

/// `respg verify`
#[derive(Debug, Clone, Args)]
pub struct VerifyOptions {
    #[command(flatten)]
    pub scope: Scope,

    /// How far expiry times may be apart
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, help_heading = "Migration")]
    pub ttl_tolerance: u64,

    /// How long a difference must have lasted, unchanged, before it counts
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 3000, help_heading = "Migration")]
    pub settle: u64,

    /// Say the result as JSON
    #[arg(long, help_heading = "Migration")]
    pub json: bool,

    /// Make Postgres's keys what Redis's are, where they differ
    #[arg(long, help_heading = "Migration")]
    pub repair: bool,

    #[command(flatten)]
    pub config: Config,
}

/// `respg export`
#[derive(Debug, Clone, Args)]
pub struct ExportOptions {
    #[command(flatten)]
    pub scope: Scope,

    #[command(flatten)]
    pub config: Config,
}

impl Scope {
    /// The Redis that is meant.
    pub fn redis<'a>(&'a self, config: &'a Config) -> Result<&'a Url, MigrateError> {
        let named = self.redis.as_ref().or(config.upstream.as_ref());
        named.ok_or_else(|| MigrateError::Other("which Redis? Give its URL".to_owned()))
    }

    /// The databases that were asked for; empty: all.
    pub fn databases(&self, redis: &Url) -> Vec<u32> {
        match (self.db.is_empty(), redis.db) {
            (false, _) => self.db.clone(),
            (true, 0) => Vec::new(),
            (true, db) => vec![db],
        }
    }
}
