//! Options: what the command line and the environment say, under the names Redis users know.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

use crate::state::OutputLimits;

/// respg: Redis's protocol, Postgres's truth.
///
/// Without a database URL respg starts a Postgres of its own, keeps its data between runs, and stops it at the end.
#[derive(Debug, Clone, Parser)]
#[command(version, max_term_width = 110)]
pub struct Config {
    /// Postgres to use, as postgres://user:password@host/database or as key=value words. Also read from DATABASE_URL.
    #[arg(long, env = "RESPG_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// The database URL leads through a pooler in transaction mode, such as PgBouncer from 1.21 on with max_prepared_statements;
    /// its connect_query must make the settings that README names. Durability relaxed is then as durable.
    #[arg(long, env = "RESPG_TRANSACTION_POOLING", action = ArgAction::Set, default_value = "no", value_parser = yes_or_no, value_name = "yes|no")]
    pub transaction_pooling: bool,

    /// Where respg's own Postgres keeps its data (default: /var/lib/respg/postgres for root, else ~/.local/share/respg/postgres).
    #[arg(long, env = "RESPG_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Folder of the Postgres server programs for respg's own Postgres (default: found by itself).
    #[arg(long, env = "RESPG_POSTGRES_BIN", value_name = "DIR")]
    pub postgres_bin: Option<PathBuf>,

    /// Addresses to listen on.
    #[arg(long, env = "RESPG_BIND", default_value = "127.0.0.1", num_args = 1.., value_delimiter = ' ', value_name = "ADDRESS")]
    pub bind: Vec<String>,

    /// TCP port; 0: any free one.
    #[arg(long, short, env = "RESPG_PORT", default_value_t = 6379)]
    pub port: u16,

    /// Unix socket to listen on as well.
    #[arg(long, env = "RESPG_UNIXSOCKET", value_name = "PATH")]
    pub unixsocket: Option<PathBuf>,

    /// Permissions of the unix socket, octal.
    #[arg(long, env = "RESPG_UNIXSOCKETPERM", value_name = "OCTAL")]
    pub unixsocketperm: Option<String>,

    /// Password that clients must give (AUTH, HELLO).
    #[arg(
        long,
        env = "RESPG_REQUIREPASS",
        hide_env_values = true,
        default_value = "",
        value_name = "PASSWORD"
    )]
    pub requirepass: String,

    /// Refuse clients from other hosts while no password is set.
    #[arg(long, env = "RESPG_PROTECTED_MODE", action = ArgAction::Set, default_value = "yes", value_parser = yes_or_no, value_name = "yes|no")]
    pub protected_mode: bool,

    /// Most clients at a time.
    #[arg(long, env = "RESPG_MAXCLIENTS", default_value_t = 10_000)]
    pub maxclients: u64,

    /// Seconds after which an idle client is disconnected; 0: never.
    #[arg(long, env = "RESPG_TIMEOUT", default_value_t = 0, value_name = "SECONDS")]
    pub timeout: u64,

    /// Seconds between TCP keepalive probes; 0: none.
    #[arg(long, env = "RESPG_TCP_KEEPALIVE", default_value_t = 300, value_name = "SECONDS")]
    pub tcp_keepalive: u64,

    /// Number of logical databases.
    #[arg(long, env = "RESPG_DATABASES", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub databases: u32,

    /// Longest string in a request or a key, in bytes.
    #[arg(long, env = "RESPG_PROTO_MAX_BULK_LEN", default_value_t = 512 * 1024 * 1024, value_name = "BYTES")]
    pub proto_max_bulk_len: u64,

    /// What an acknowledged write means: durable (flushed to disk), relaxed (a crash of Postgres may lose the last moments) or
    /// cache (unlogged: empty after a crash of Postgres). One word for all logical databases, or NUMBER=CLASS words separated by
    /// commas, e.g. 0=durable,1=cache. Remembered in the database.
    #[arg(long, env = "RESPG_DURABILITY", value_name = "CLASS|N=CLASS,...")]
    pub durability: Option<String>,

    /// Threads that serve clients (default: half of the processors).
    #[arg(long, env = "RESPG_THREADS", value_name = "N")]
    pub threads: Option<usize>,

    /// Lanes per thread: Postgres connections on which commands of many clients travel together.
    #[arg(long, env = "RESPG_LANES", default_value_t = 2, value_name = "N")]
    pub lanes: usize,

    /// Most further Postgres connections, for whatever does not go through a lane.
    #[arg(long, env = "RESPG_POOL_SIZE", default_value_t = 16, value_name = "N")]
    pub pool_size: u32,

    /// Longest wait for an answer of Postgres, in milliseconds.
    #[arg(long, env = "RESPG_POSTGRES_TIMEOUT", default_value_t = 10_000, value_name = "MILLISECONDS")]
    pub postgres_timeout: u64,

    /// How much may wait for a client that does not read before it is cut off: CLASS HARD SOFT SECONDS, once for each class
    /// (normal, replica, pubsub).
    #[arg(long, env = "RESPG_CLIENT_OUTPUT_BUFFER_LIMIT", value_parser = OutputLimits::from_option, value_name = "LIMITS")]
    pub client_output_buffer_limit: Option<OutputLimits>,

    /// Microseconds from which on a command is noted in the slow log; -1: never.
    #[arg(
        long,
        env = "RESPG_SLOWLOG_LOG_SLOWER_THAN",
        default_value_t = 10_000,
        allow_negative_numbers = true,
        value_name = "MICROSECONDS"
    )]
    pub slowlog_log_slower_than: i64,

    /// Most entries of the slow log.
    #[arg(long, env = "RESPG_SLOWLOG_MAX_LEN", default_value_t = 128, value_name = "N")]
    pub slowlog_max_len: u64,

    /// Milliseconds from which on a command is a latency event (LATENCY); 0: never.
    #[arg(long, env = "RESPG_LATENCY_MONITOR_THRESHOLD", default_value_t = 0, value_name = "MILLISECONDS")]
    pub latency_monitor_threshold: u64,

    /// Version of Redis that clients are told; some look for features by it.
    #[arg(long, env = "RESPG_REDIS_VERSION", default_value = "7.2.4", value_name = "X.Y.Z")]
    pub redis_version: String,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("must be yes or no".to_owned()),
    }
}

impl Config {
    /// Adds what stands in variables that are not ours: DATABASE_URL, unless empty.
    pub fn from_environment(mut config: Config) -> Config {
        let named = || std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        config.database_url = config.database_url.or_else(named);
        config
    }

    /// How many threads serve clients.
    pub fn threads(&self) -> usize {
        let half = || std::thread::available_parallelism().map_or(1, |processors| processors.get() / 2);
        self.threads.unwrap_or_else(half).max(1)
    }

    /// The defaults, as with an empty command line and environment.
    pub fn defaults() -> Config {
        Config::parse_from(["respg"])
    }
}
