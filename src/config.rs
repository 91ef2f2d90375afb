//! Options: what the command line and the environment say, under the names Redis users know.

use std::fmt::Display;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Parser, value_parser};

use crate::cpus::Cpus;
use crate::state::{Mode, OutputLimits};
use crate::upstream::Url;

/// respg: Redis's protocol, Postgres's truth.
///
/// Without a database URL respg starts a Postgres of its own, keeps its data between runs, and stops it at the end.
#[derive(Debug, Clone, Parser)]
#[command(version, max_term_width = 110, allow_negative_numbers = true)]
pub struct Config {
    /// Postgres to use: postgres://user:password@host/database or key=value words, as in libpq, sslmode and sslrootcert included
    ///
    /// Also read from DATABASE_URL. Without it respg starts a Postgres of its own.
    #[arg(
        long,
        env = "RESPG_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Postgres"
    )]
    pub database_url: Option<String>,

    /// Postgres for LISTEN and NOTIFY, if the database URL leads through a pooler in transaction mode: the same database, directly
    #[arg(
        long,
        env = "RESPG_LISTEN_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Postgres"
    )]
    pub listen_url: Option<String>,

    /// Say that the database URL leads through a pooler in transaction mode
    ///
    /// PgBouncer 1.21 or newer with max_prepared_statements; its connect_query must make the settings that README names. Durability relaxed is durable there.
    #[arg(long, env = "RESPG_TRANSACTION_POOLING", action = ArgAction::Set, default_value = "no", value_parser = yes_or_no, value_name = "yes|no", help_heading = "Postgres")]
    pub transaction_pooling: bool,

    /// Where respg's own Postgres keeps its data [default: /var/lib/respg/postgres for root, else ~/.local/share/respg/postgres]
    #[arg(long, env = "RESPG_DATA_DIR", value_name = "DIR", help_heading = "Postgres")]
    pub data_dir: Option<PathBuf>,

    /// Folder of the server programs for respg's own Postgres [default: PATH and the usual places]
    #[arg(long, env = "RESPG_POSTGRES_BIN", value_name = "DIR", help_heading = "Postgres")]
    pub postgres_bin: Option<PathBuf>,

    /// Most further Postgres connections, for what does not go through a lane
    #[arg(long, env = "RESPG_POOL_SIZE", value_parser = at_least_one::<u32>, default_value_t = 16, value_name = "N", help_heading = "Postgres")]
    pub pool_size: u32,

    /// Longest wait for an answer of Postgres
    #[arg(
        long,
        env = "RESPG_POSTGRES_TIMEOUT", value_parser = at_least_one::<u64>,
        default_value_t = 10_000,
        value_name = "MILLISECONDS",
        help_heading = "Postgres"
    )]
    pub postgres_timeout: u64,

    /// A Redis to move from: redis://USER:PASSWORD@HOST:PORT/DB, rediss:// (TLS) or unix://; what it is for says the mode
    #[arg(
        long,
        env = "RESPG_UPSTREAM",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Shadow mode"
    )]
    pub upstream: Option<Url>,

    /// Who answers for the data: postgres; redis (the upstream; respg only passes on); shadow (the upstream, Postgres follows); reverse (Postgres, the upstream
    /// follows) [default: as RESPG.MODE was last told, else postgres]
    #[arg(long, env = "RESPG_MODE", value_name = "MODE", help_heading = "Shadow mode")]
    pub mode: Option<Mode>,

    /// Where this process alone keeps what waits for the side that follows, and which keys may differ; on a disk that outlives it
    /// [default: shadow-PORT beside the data directory, /var/lib/respg/shadow-PORT for root, else ~/.local/share/respg/shadow-PORT]
    #[arg(long, env = "RESPG_SHADOW_DIR", value_name = "DIR", help_heading = "Shadow mode")]
    pub shadow_dir: Option<PathBuf>,

    /// Memory for what waits for the side that follows, in MiB; beyond, it waits on disk
    #[arg(long, env = "RESPG_SHADOW_MEMORY", value_parser = at_least_one::<usize>, default_value_t = 64, value_name = "MIB", help_heading = "Shadow mode")]
    pub shadow_memory: usize,

    /// Disk space for it, in MiB; beyond, keys are only marked, and compared and repaired later
    #[arg(
        long,
        env = "RESPG_SHADOW_SPOOL",
        default_value_t = 10_240,
        value_name = "MIB",
        help_heading = "Shadow mode"
    )]
    pub shadow_spool: u64,

    /// Addresses to listen on; * means all, a leading - that an address may be missing
    #[arg(long, env = "RESPG_BIND", default_value = "127.0.0.1", num_args = 1.., value_delimiter = ' ', value_name = "ADDRESS", help_heading = "Network")]
    pub bind: Vec<String>,

    /// TCP port; 0 takes any free one
    #[arg(
        long,
        short,
        env = "RESPG_PORT",
        default_value_t = 6379,
        value_name = "PORT",
        help_heading = "Network"
    )]
    pub port: u16,

    /// Unix socket to listen on as well
    #[arg(long, env = "RESPG_UNIXSOCKET", value_name = "PATH", help_heading = "Network")]
    pub unixsocket: Option<PathBuf>,

    /// Permissions of the unix socket, octal
    #[arg(long, env = "RESPG_UNIXSOCKETPERM", value_name = "OCTAL", help_heading = "Network")]
    pub unixsocketperm: Option<String>,

    /// Password that clients must give (AUTH, HELLO); empty: none
    #[arg(
        long,
        env = "RESPG_REQUIREPASS",
        hide_env_values = true,
        default_value = "",
        value_name = "PASSWORD",
        help_heading = "Network"
    )]
    pub requirepass: String,

    /// Refuse clients from other hosts while no password is set
    #[arg(long, env = "RESPG_PROTECTED_MODE", action = ArgAction::Set, default_value = "yes", value_parser = yes_or_no, value_name = "yes|no", help_heading = "Network")]
    pub protected_mode: bool,

    /// Disconnect clients that are idle for so long; 0: never
    #[arg(
        long,
        env = "RESPG_TIMEOUT",
        default_value_t = 0,
        value_name = "SECONDS",
        help_heading = "Network"
    )]
    pub timeout: u64,

    /// Time between TCP keepalive probes; 0: none
    #[arg(
        long,
        env = "RESPG_TCP_KEEPALIVE",
        default_value_t = 300,
        value_name = "SECONDS",
        help_heading = "Network"
    )]
    pub tcp_keepalive: u64,

    /// Version of Redis that clients are told; some look for features by it
    #[arg(
        long,
        env = "RESPG_REDIS_VERSION",
        default_value = "7.2.4",
        value_name = "X.Y.Z",
        help_heading = "Network"
    )]
    pub redis_version: String,

    /// Most clients at a time
    #[arg(
        long,
        env = "RESPG_MAXCLIENTS",
        default_value_t = 10_000,
        value_name = "N",
        help_heading = "Limits"
    )]
    pub maxclients: u64,

    /// Longest string in a request or a key
    #[arg(long, env = "RESPG_PROTO_MAX_BULK_LEN", default_value_t = 512 * 1024 * 1024, value_name = "BYTES", help_heading = "Limits")]
    pub proto_max_bulk_len: u64,

    /// How much may wait for a client that does not read before it is cut off: CLASS HARD SOFT SECONDS, once for each class (normal, replica, pubsub) [default: as Redis]
    #[arg(long, env = "RESPG_CLIENT_OUTPUT_BUFFER_LIMIT", value_parser = OutputLimits::from_option, value_name = "LIMITS", help_heading = "Limits")]
    pub client_output_buffer_limit: Option<OutputLimits>,

    /// Number of logical databases (SELECT)
    #[arg(long, env = "RESPG_DATABASES", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N", help_heading = "Limits")]
    pub databases: u32,

    /// What an acknowledged write means: durable (flushed to disk), relaxed (a crash of Postgres may lose the last moments) or cache (unlogged: empty after a crash of Postgres)
    ///
    /// One word for all logical databases, or NUMBER=CLASS words, e.g. 0=durable,1=cache. Remembered in the database; new ones are durable.
    #[arg(long, env = "RESPG_DURABILITY", value_name = "CLASS|N=CLASS,...", help_heading = "Durability")]
    pub durability: Option<String>,

    /// Threads that serve clients [default: half of the processors, two at least if there are two]
    #[arg(long, env = "RESPG_THREADS", value_parser = at_least_one::<usize>, value_name = "N", help_heading = "Execution")]
    pub threads: Option<usize>,

    /// Lanes per thread: Postgres connections on which commands of many clients travel together
    #[arg(long, env = "RESPG_LANES", value_parser = at_least_one::<usize>, default_value_t = 2, value_name = "N", help_heading = "Execution")]
    pub lanes: usize,

    /// Processors for these threads, as in taskset: 0,2 or 0-3 or 0-7:2 [default: all]
    #[arg(long, env = "RESPG_SERVER_CPULIST", value_name = "LIST", help_heading = "Execution")]
    pub server_cpulist: Option<Cpus>,

    /// Processors for the Postgres of its own, likewise [default: all]
    #[arg(long, env = "RESPG_POSTGRES_CPULIST", value_name = "LIST", help_heading = "Execution")]
    pub postgres_cpulist: Option<Cpus>,

    /// How long waking a processor of this machine may take while clients send 1000 commands a second or more; 0: they do not sleep
    ///
    /// Asked of Linux through /dev/cpu_dma_latency, which needs root or rights on that file. Replies come sooner where waking is slow, as in many virtual machines; the host sees all processors of the machine busy then.
    #[arg(long, env = "RESPG_CPU_DMA_LATENCY", value_parser = value_parser!(i32).range(0..), value_name = "MICROSECONDS", help_heading = "Execution")]
    pub cpu_dma_latency: Option<i32>,

    /// What respg says on standard error: error, warn, info, debug, trace or off, also per module (warn,respg::exec=debug)
    #[arg(long, env = "RESPG_LOG", default_value = "warn", value_name = "FILTER", help_heading = "Logging")]
    pub log: String,

    /// Note commands that take longer in the slow log; 0: all, -1: none
    #[arg(
        long,
        env = "RESPG_SLOWLOG_LOG_SLOWER_THAN",
        default_value_t = 10_000,
        value_name = "MICROSECONDS",
        help_heading = "Logging"
    )]
    pub slowlog_log_slower_than: i64,

    /// Most entries of the slow log
    #[arg(
        long,
        env = "RESPG_SLOWLOG_MAX_LEN",
        default_value_t = 128,
        value_name = "N",
        help_heading = "Logging"
    )]
    pub slowlog_max_len: u64,

    /// Note commands that take longer as latency events (LATENCY); 0: none
    #[arg(
        long,
        env = "RESPG_LATENCY_MONITOR_THRESHOLD",
        default_value_t = 0,
        value_name = "MILLISECONDS",
        help_heading = "Logging"
    )]
    pub latency_monitor_threshold: u64,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("must be yes or no".to_owned()),
    }
}

fn at_least_one<N: FromStr<Err: Display> + PartialEq + Default>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number == N::default() => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
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
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        self.threads.unwrap_or((processors / 2).max(processors.min(2)))
    }

    /// The defaults, as with an empty command line and environment.
    pub fn defaults() -> Config {
        Config::parse_from(["respg"])
    }
}
