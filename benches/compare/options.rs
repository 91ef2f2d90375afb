//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::load::{LOADS, Load};
use crate::server::Kind;

/// Compares respg with redis-server and with pgbench on the same machine.
#[derive(Parser, Debug)]
#[command(name = "compare", bin_name = "cargo bench --bench compare --")]
pub struct Options {
    /// Rounds per load; every round measures every server once, in rotating order.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,

    /// Length of one measurement in seconds.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,

    /// Requests per measurement, in place of --seconds.
    #[arg(long)]
    pub requests: Option<u64>,

    /// Loads to run, by name or family (set, get, incr, incr-hot, mixed, publish, xadd, queue); all when absent.
    #[arg(long, value_delimiter = ',', value_name = "LOAD")]
    pub loads: Vec<String>,

    /// Servers to run.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "redis-aof,redis-mem,respg,pgbench,pgmq")]
    pub servers: Vec<Kind>,

    /// One short round: shows that everything works, its numbers mean nothing.
    #[arg(long)]
    pub quick: bool,

    /// Print the loads with their targets and exit.
    #[arg(long)]
    pub list: bool,

    /// Measure respg's memory instead: idle, with idle connections, after load.
    #[arg(long)]
    pub memory: bool,

    /// Idle connections for --memory.
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,

    /// Run constant overwrites with TTLs against respg instead, for that many minutes.
    #[arg(long, value_name = "MINUTES")]
    pub soak: Option<u64>,

    /// Distinct keys of the soak.
    #[arg(long, default_value_t = 100_000)]
    pub soak_keys: u64,

    /// Run a queue on respg instead, for that many minutes: producers, a consumer group, a trimmed stream.
    #[arg(long, value_name = "MINUTES")]
    pub queue_soak: Option<u64>,

    /// Of the minutes of --queue-soak, how many a transaction with a snapshot is held open elsewhere; from the end of the first quarter.
    #[arg(long, default_value_t = 0, value_name = "MINUTES")]
    pub held: u64,

    /// So often --queue-soak stops for half a minute and measures a new queue of a new respg with a new Postgres: the machine itself has
    /// slow and fast hours. 0: never.
    #[arg(long, default_value_t = 5, value_name = "MINUTES")]
    pub control: u64,

    /// Measure instead how long a blocked reader takes to wake up, with the writer on the same and on another respg.
    #[arg(long)]
    pub wake_up: bool,

    /// Further blocked readers, of other streams, for --wake-up.
    #[arg(long, default_value_t = 0)]
    pub blocked: usize,

    /// Measure instead what clients of a redis-server notice of respg in front of it: as a proxy, in shadow mode, with a Postgres that hangs.
    #[arg(long)]
    pub migration: bool,

    /// pgmq's SQL; the one in its crate when absent, which cargo fetches.
    #[arg(long, value_name = "FILE")]
    pub pgmq_sql: Option<PathBuf>,

    /// Whose Postgres respg and pgbench share: the one respg starts by itself, or one started here.
    #[arg(long, value_enum, default_value = "own")]
    pub postgres: PostgresFrom,

    /// An existing database for respg and pgbench, in place of --postgres.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,

    /// The respg program to measure; the one cargo built for this bench when absent.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_respg"))]
    pub respg: PathBuf,

    /// An additional argument for respg; may be repeated.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub respg_arg: Vec<String>,

    /// An additional line for the configuration of the Postgres started here; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub postgres_setting: Vec<String>,

    /// Parent of the servers' temporary directories; must be on a real disk.
    #[arg(long, default_value = "/var/tmp")]
    pub dir: PathBuf,

    /// First port to try for the servers.
    #[arg(long, default_value_t = 26_100)]
    pub port: u16,

    /// Where the chart goes; benches/compare.svg after a complete run, else beside the JSON.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Passed by cargo bench; without it (cargo test) nothing is measured.
    #[arg(long, hide = true)]
    pub bench: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresFrom {
    /// respg starts it under its --data-dir
    Own,
    /// the bench starts it and passes --database-url to respg
    Bench,
}

impl Options {
    /// The loads chosen by --loads, or why there are none.
    pub fn chosen_loads(&self) -> Result<Vec<&'static Load>, String> {
        if let Some(unknown) = self.loads.iter().find(|name| !LOADS.iter().any(|load| load.is_called(name))) {
            return Err(format!("no load is called {unknown}; --list shows them"));
        }
        let wanted =
            |load: &&Load| self.loads.is_empty() || self.loads.iter().any(|name| load.is_called(name));
        Ok(LOADS.iter().filter(wanted).collect())
    }

    /// Whether the numbers may stand in the README: every load and server, long enough.
    pub fn is_complete(&self) -> bool {
        let all = self.loads.is_empty() && self.servers.len() == Kind::value_variants().len();
        all && self.rounds >= 3 && self.seconds >= 1.0 && self.requests.is_none()
    }
}
