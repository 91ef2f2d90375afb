//! Shadow mode: what clients do to a real Redis is done again in Postgres.

mod follow;
mod report;
mod trouble;
mod workload;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use respg::config::Config;
use respg::resp::{Protocol, Reply};
use respg::server::Server;
use respg::shadow::{Bounds, Following, Options, start};
use respg::upstream::{Calls, Pipe};
use tokio::task::JoinSet;

use crate::support::pg::{Scratch, fresh_database};
use crate::support::redis::Redis;

/// A Redis, a respg that follows it, and the pipe between them.
pub struct Shadow {
    pub redis: Redis,
    pub database: String,
    pub pipe: Arc<Pipe>,
    pub following: Arc<Following>,
    tasks: JoinSet<()>,
    server: Server,
    scratch: Scratch,
}

impl Shadow {
    pub async fn start(redis: Redis, bounds: Bounds) -> Shadow {
        let (database, scratch) = (fresh_database().await, Scratch::new());
        Shadow::on(redis, database, scratch, bounds).await
    }

    /// On what is there.
    pub async fn on(redis: Redis, database: String, scratch: Scratch, bounds: Bounds) -> Shadow {
        let config = Config {
            database_url: Some(database.clone()),
            port: 0,
            postgres_timeout: 1000,
            ..Config::defaults()
        };
        let server = Server::start(config).await.expect("respg starts");
        let pipe = Arc::new(Pipe::new(redis.url().parse().expect("a URL")));
        let options = Options { folder: folder(&scratch), bounds, all_dirty: false };
        let mut tasks = JoinSet::new();
        let following = start(server.process(), &pipe, &options, &mut tasks).expect("the follower starts");
        let running = pipe.clone();
        tasks.spawn(async move { running.run().await });
        Shadow { redis, database, pipe, following, tasks, server, scratch }
    }

    /// Ends as after a kill: nothing is finished, nothing said.
    pub async fn kill(self) -> (Redis, String, Scratch) {
        let Shadow { redis, database, following, mut tasks, server, scratch, .. } = self;
        tasks.shutdown().await;
        following.queue.close();
        server.stop().await.expect("it stops");
        (redis, database, scratch)
    }

    /// Where respg itself listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.addresses()[0]
    }

    /// Sends a client's calls, divided by `;`.
    pub async fn call(&self, lines: &str) -> Vec<Reply> {
        let calls = lines.split(';').map(|line| {
            line.split_whitespace().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
        });
        send(&self.pipe, 0, calls.collect()).await
    }

    /// Waits until nothing is left to be done.
    pub async fn settle(&self) {
        let started = Instant::now();
        let counts = &self.following.report.counts;
        let busy = || {
            !self.following.queue.is_empty()
                || counts.behind_since.load(Relaxed) != 0
                || counts.unsettled.load(Relaxed) != 0
                || self.following.dirty.is_any_broken()
        };
        let mut quiet = 0;
        while quiet < 5 {
            quiet = if busy() { 0 } else { quiet + 1 };
            assert!(started.elapsed() < Duration::from_secs(120), "does not settle: {}", self.told());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn told(&self) -> String {
        format!("{:?} {:?}", self.following.report.counts, self.following.report.differences())
    }

    /// Both sides are the same, says `respg verify`.
    pub async fn assert_equal(&self) {
        self.settle().await;
        let output = tokio::process::Command::from(verify(&self.redis, &self.database)).output().await;
        let output = output.expect("respg verify");
        let said = output.stdout;
        let json: serde_json::Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(json["different"], 0, "{json:#}\n{}", self.told());
    }

    /// That no reply differed and no key had to be repaired.
    pub fn assert_no_differences(&self) {
        let differences = self.following.report.differences();
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

fn folder(scratch: &Scratch) -> PathBuf {
    scratch.path().join("shadow")
}

fn verify(redis: &Redis, database: &str) -> Command {
    let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
    respg.args(["verify", &redis.url(), "--json", "--settle", "600"]).env("RESPG_DATABASE_URL", database);
    respg
}

/// Sends calls of one client and reads their replies.
pub async fn send(pipe: &Pipe, db: u32, calls: Vec<Vec<Bytes>>) -> Vec<Reply> {
    let followed = Calls { db, protocol: Protocol::Resp2, calls: calls.clone(), mark: 0 };
    let replies = pipe.call(db, Protocol::Resp2, calls.iter().map(Vec::as_slice), Some(followed)).await;
    replies.expect("the upstream answers").iter().map(|raw| raw.parse().expect("RESP")).collect()
}
