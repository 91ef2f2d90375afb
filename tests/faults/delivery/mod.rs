//! Queues: everything acknowledged is delivered, to each group once, and nothing acknowledged by a consumer again.
//!
//! Producers and consumers write into a journal what they asked and what they were told (`journal.rs`, `workers.rs`). When
//! they have stopped, what is there is read and taken to its end (`estate.rs`), and journal and estate are compared (`judge.rs`).

mod defects;
mod estate;
mod fake;
mod journal;
mod judge;
mod rules;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

pub use defects::{DEFECTS, Defect};
pub use fake::start as start_fake;
pub use journal::{Journal, items, text};
pub use judge::IDLE;

/// Two streams that a crowd of consumers reads, and one stream for each server on which a single consumer sleeps.
pub struct Names {
    shared: [String; 2],
    lonely: Vec<String>,
}

pub const GROUPS: [&str; 2] = ["g1", "g2"];

impl Names {
    fn new(seed: u64, servers: usize) -> Self {
        let name = |kind: &str, number| format!("{kind}:{seed:x}:{number}");
        Names {
            shared: [0, 1].map(|number| name("shared", number)),
            lonely: (0..servers).map(|number| name("lonely", number)).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.shared.iter().chain(&self.lonely)
    }

    fn groups(&self, stream: &str) -> &'static [&'static str] {
        if self.lonely.iter().any(|lonely| lonely == stream) { &GROUPS[..1] } else { &GROUPS }
    }
}

/// Producers, consumers and readers at work.
pub struct Queues {
    pub journal: Arc<Journal>,
    names: Arc<Names>,
    servers: Vec<SocketAddr>,
    workers: JoinSet<()>,
}

impl Queues {
    pub async fn open(servers: &[SocketAddr], seed: u64) -> Result<Self, String> {
        let names = Arc::new(Names::new(seed, servers.len()));
        workers::make_groups(servers[0], &names).await?;
        let journal: Arc<Journal> = Arc::default();
        let workers = workers::hire(&journal, &names, servers, seed);
        Ok(Queues { journal, names, servers: servers.to_vec(), workers })
    }

    /// Everybody drops what they are doing. Then the books are compared with what is there; nobody may have slept longer
    /// than `bound` while there was work.
    pub async fn close(mut self, bound: Duration) -> Result<String, String> {
        self.journal.stop_producing();
        sleep(Duration::from_millis(50)).await;
        self.workers.shutdown().await;
        estate::quiet(&self.servers, &self.names.all().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut found = Vec::new();
        for (at, stream) in self.names.all().enumerate() {
            let estate = estate::settle(&self.servers, at, stream, self.names.groups(stream));
            found.push(estate.await.map_err(|text| format!("{stream}: {text}"))?);
        }
        tokio::task::block_in_place(|| judge::judge(&self.journal.take(), &found, bound))
    }
}

/// While nothing is broken.
pub async fn peaceful(
    servers: &[SocketAddr],
    budget: Duration,
    bound: Duration,
    seed: u64,
) -> Result<String, String> {
    let queues = Queues::open(servers, seed).await?;
    let end = Instant::now() + budget;
    while Instant::now() < end && !queues.journal.failed() {
        sleep(Duration::from_millis(20)).await;
    }
    queues.close(bound).await
}
