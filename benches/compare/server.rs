//! The servers under comparison: starting them and putting one load on one of them.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::generator::{self, Traffic, mixed};
use crate::load::{KEYS, Load, VALUE_BYTES, Work};
use crate::machine::Machine;
use crate::options::{Options, PostgresFrom};
use crate::pgbench::Pgbench;
use crate::pgmq::Pgmq;
use crate::postgres::Postgres;
use crate::process::{Ports, Process, WorkDir};
use crate::pubsub;
use crate::redis_benchmark;
use crate::stats::Sample;
use crate::streams::{self, Stream};
use crate::wire;

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// redis-server, every write flushed to disk before its reply
    RedisAof,
    /// redis-server without persistence
    RedisMem,
    /// respg, durable class
    Respg,
    /// pgbench on respg's Postgres, one key per prepared statement
    Pgbench,
    /// pgmq's functions on respg's Postgres, for queues
    Pgmq,
}

impl Kind {
    /// Whether a load can be put on it.
    pub fn serves(self, load: &Load) -> bool {
        match load.work {
            Work::Publish { .. } | Work::Xadd => !matches!(self, Kind::Pgbench | Kind::Pgmq),
            Work::Queue { .. } => self != Kind::Pgbench,
            _ => self != Kind::Pgmq,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::RedisAof => "redis-aof",
            Kind::RedisMem => "redis-mem",
            Kind::Respg => "respg",
            Kind::Pgbench => "pgbench",
            Kind::Pgmq => "pgmq",
        }
    }
}

/// A server to measure; stops when dropped.
pub enum Server {
    Resp { kind: Kind, port: u16, _process: Process },
    Pgbench(Pgbench),
    Pgmq(Pgmq),
}

impl Server {
    pub fn kind(&self) -> Kind {
        match self {
            Server::Resp { kind, .. } => *kind,
            Server::Pgbench(_) => Kind::Pgbench,
            Server::Pgmq(_) => Kind::Pgmq,
        }
    }

    /// Puts a load on the server. `expected` is its rate as far as known and decides how many requests are sent.
    pub fn measure(&self, load: &Load, amount: Amount, expected: Option<f64>) -> io::Result<Sample> {
        let port = match self {
            Server::Pgbench(pgbench) => return pgbench.measure(load, amount.seconds),
            Server::Pgmq(pgmq) => return pgmq.measure(load, amount.seconds),
            Server::Resp { port, .. } => *port,
        };
        let duration = Duration::from_secs_f64(amount.seconds);
        match load.work {
            Work::Mixed => {
                let value = [b'x'; VALUE_BYTES];
                let next = move |random: &mut _, out: &mut _| mixed(random, &value, out);
                let traffic = Traffic { clients: load.clients, pipeline: load.pipeline, pace: None, next };
                generator::measure(port, traffic, duration)
            }
            Work::Publish { subscribers } => pubsub::measure(port, load.clients, subscribers, duration),
            Work::Queue { count } => {
                let stream = Stream { port, name: streams::fresh_name(), maxlen: None };
                stream.create()?;
                stream.measure(load.clients, count.redis, duration)
            }
            _ => {
                let trial = (load.clients * load.pipeline * 20).max(1000) as u64;
                let timed = || expected.map_or(trial, |rate| trial.max((rate * amount.seconds) as u64));
                redis_benchmark::measure(port, load, amount.requests.unwrap_or_else(timed))
            }
        }
    }
}

/// How long a measurement lasts.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub seconds: f64,
    pub requests: Option<u64>,
}

/// The chosen servers, filled and ready, in the order in which they stop.
pub struct Fleet {
    pub servers: Vec<Server>,
    pub machine: Machine,
    _postgres: Option<Postgres>,
    _work: WorkDir,
}

impl Fleet {
    pub fn start(options: &Options) -> io::Result<Fleet> {
        let work = WorkDir::create(&options.dir)?;
        let mut machine = Machine::look(work.path())?;
        let mut ports = Ports::from(options.port);
        let mut servers = Vec::new();
        for kind in [Kind::RedisAof, Kind::RedisMem] {
            if options.servers.contains(&kind) {
                servers.push(start_redis(kind, &work, &mut ports)?);
            }
        }
        let mut postgres = None;
        if options.servers.contains(&Kind::Respg) {
            let respg = Respg::start(options, &work, &mut ports, &[])?;
            wire::fill(respg.port, KEYS, &[b'x'; VALUE_BYTES])?;
            servers.push(Server::Resp { kind: Kind::Respg, port: respg.port, _process: respg.process });
            postgres = Some(respg.postgres);
        }
        let with_sql = [Kind::Pgbench, Kind::Pgmq].iter().any(|kind| options.servers.contains(kind));
        if with_sql && postgres.is_none() {
            postgres = Some(shared_postgres(options, &work, &mut ports)?);
        }
        if options.servers.contains(&Kind::Pgmq)
            && let Some(postgres) = &postgres
        {
            servers.push(Server::Pgmq(Pgmq::prepare(postgres, options.pgmq_sql.as_deref())?));
        }
        if options.servers.contains(&Kind::Pgbench) {
            let folder = work.folder("pgbench")?;
            servers.extend(
                postgres.as_ref().map(|p| Pgbench::prepare(p, folder)).transpose()?.map(Server::Pgbench),
            );
        }
        if let Some(postgres) = &postgres {
            machine.postgres = postgres.version()?;
        }
        Ok(Fleet { servers, machine, _postgres: postgres, _work: work })
    }
}

/// respg with the Postgres behind it.
pub struct Respg {
    pub process: Process,
    pub port: u16,
    pub postgres: Postgres,
}

impl Respg {
    pub fn start(
        options: &Options,
        work: &WorkDir,
        ports: &mut Ports,
        arguments: &[&str],
    ) -> io::Result<Respg> {
        let own = options.database_url.is_none() && options.postgres == PostgresFrom::Own;
        let given = if own { None } else { Some(shared_postgres(options, work, ports)?) };
        Respg::with(options, work, ports, given, arguments)
    }

    /// Another process on the same database.
    pub fn beside(&self, options: &Options, work: &WorkDir, ports: &mut Ports) -> io::Result<Respg> {
        Respg::with(options, work, ports, Some(Postgres::at(self.postgres.url())), &[])
    }

    fn with(
        options: &Options,
        work: &WorkDir,
        ports: &mut Ports,
        given: Option<Postgres>,
        arguments: &[&str],
    ) -> io::Result<Respg> {
        let port = ports.next_free()?;
        let data_dir: PathBuf = work.folder(&format!("respg-{port}"))?;
        let mut command = Command::new(&options.respg);
        for (name, _) in env::vars_os() {
            if name == "DATABASE_URL" || name.to_string_lossy().starts_with("RESPG_") {
                command.env_remove(name);
            }
        }
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        match &given {
            Some(postgres) => command.args(["--database-url", postgres.url()]),
            None => command.arg("--data-dir").arg(&data_dir),
        };
        command.args(arguments).args(&options.respg_arg);
        let log = work.path().join(format!("respg-{port}.log"));
        let ready = || wire::ping(port).is_ok();
        let process = Process::start("respg", &mut command, log, Duration::from_secs(120), ready)?;
        let postgres = given.map_or_else(|| Postgres::under(&data_dir), Ok)?;
        Ok(Respg { process, port, postgres })
    }
}

/// A Postgres that is not respg's own.
fn shared_postgres(options: &Options, work: &WorkDir, ports: &mut Ports) -> io::Result<Postgres> {
    match &options.database_url {
        Some(url) => Ok(Postgres::at(url)),
        None => Postgres::start(work, ports, &options.postgres_setting),
    }
}

/// The append-only file is never rewritten during a run: that keeps the periodic load of a rewrite out of
/// Redis's numbers, in its favour.
fn start_redis(kind: Kind, work: &WorkDir, ports: &mut Ports) -> io::Result<Server> {
    let (port, process) = redis(kind, work, ports)?;
    wire::fill(port, KEYS, &[b'x'; VALUE_BYTES])?;
    Ok(Server::Resp { kind, port, _process: process })
}

/// An empty redis-server.
pub fn redis(kind: Kind, work: &WorkDir, ports: &mut Ports) -> io::Result<(u16, Process)> {
    let port = ports.next_free()?;
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.arg("--dir").arg(work.folder(&format!("{}-{port}", kind.name()))?);
    if kind == Kind::RedisAof {
        command.args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--auto-aof-rewrite-percentage",
            "0",
        ]);
    }
    let log = work.path().join(format!("{}-{port}.log", kind.name()));
    let ready = || wire::ping(port).is_ok();
    let process = Process::start(kind.name(), &mut command, log, Duration::from_secs(10), ready)?;
    Ok((port, process))
}
