//! Channels: each message once to every subscriber, in one order, over connections that nothing but the end of their own
//! process breaks.
//!
//! Publishers and subscribers write down what they did and heard (`minutes.rs`, `people.rs`), `judge.rs` compares.

mod fake;
mod judge;
mod minutes;
mod people;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

pub use fake::{DEFECTS, Defect, start as start_fake};
pub use minutes::Minutes;

/// Channels are `news:SEED:0` and so on; the last one is a shard channel.
pub const CHANNELS: usize = 4;

pub struct Meeting {
    pub minutes: Arc<Minutes>,
    publishers: JoinSet<()>,
    subscribers: JoinSet<()>,
}

impl Meeting {
    /// Returns when everybody who is to listen listens.
    pub async fn open(servers: &[SocketAddr], seed: u64) -> Result<Self, String> {
        let minutes: Arc<Minutes> = Arc::default();
        let mut subscribers = JoinSet::new();
        let expected = people::gather(&mut subscribers, &minutes, servers, seed);
        let end = Instant::now() + Duration::from_secs(5);
        while minutes.listening() < expected {
            if Instant::now() > end {
                return Err(format!("of {expected} subscribers {} can listen", minutes.listening()));
            }
            sleep(Duration::from_millis(5)).await;
        }
        let mut publishers = JoinSet::new();
        people::speak(&mut publishers, &minutes, servers, seed);
        Ok(Meeting { minutes, publishers, subscribers })
    }

    /// Everything that was published must have been heard within `bound`.
    pub async fn close(mut self, bound: Duration) -> Result<String, String> {
        self.minutes.silence();
        while self.publishers.join_next().await.is_some() {}
        sleep(bound).await;
        self.subscribers.shutdown().await;
        tokio::task::block_in_place(|| judge::judge(&self.minutes.take(), bound))
    }
}

/// While nothing is broken.
pub async fn peaceful(
    servers: &[SocketAddr],
    budget: Duration,
    bound: Duration,
    seed: u64,
) -> Result<String, String> {
    let meeting = Meeting::open(servers, seed).await?;
    sleep(budget).await;
    meeting.close(bound).await
}
