//! Publishers, on all processes in turn, and subscribers: by name, by pattern, of a shard channel, and some who come and go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::client::{Client, Failure, Reply};
use super::super::delivery::{items, text};
use super::super::history::{says_unavailable, says_unknown};
use super::super::workload::Rng;
use super::CHANNELS;
use super::minutes::{Minutes, Outcome, Taken};

const PUBLISHERS: u64 = 4;
const SHARD: usize = CHANNELS - 1;
const FOR_EVER: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Person {
    minutes: Arc<Minutes>,
    servers: Vec<SocketAddr>,
    prefix: String,
    rng: Rng,
}

fn person(minutes: &Arc<Minutes>, servers: &[SocketAddr], seed: u64, number: u64) -> Person {
    let prefix = format!("news:{seed:x}:");
    Person { minutes: minutes.clone(), servers: servers.to_vec(), prefix, rng: Rng(seed ^ (number << 32)) }
}

/// Returns how many will listen all the time.
pub fn gather(tasks: &mut JoinSet<()>, minutes: &Arc<Minutes>, servers: &[SocketAddr], seed: u64) -> usize {
    let kinds = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"];
    for server in 0..servers.len() {
        for (number, kind) in kinds.into_iter().enumerate() {
            let one = person(minutes, servers, seed, (server * 8 + number) as u64);
            tasks.spawn(one.listen(kind, server));
        }
    }
    for number in 0..2 {
        tasks.spawn(person(minutes, servers, seed, 200 + number).come_and_go());
    }
    servers.len() * kinds.len()
}

pub fn speak(tasks: &mut JoinSet<()>, minutes: &Arc<Minutes>, servers: &[SocketAddr], seed: u64) {
    for number in 0..PUBLISHERS {
        tasks.spawn(person(minutes, servers, seed, 100 + number).publish(number));
    }
}

impl Person {
    async fn listen(self, kind: &'static str, server: usize) {
        let channels: Vec<usize> = if kind == "SSUBSCRIBE" { vec![SHARD] } else { (0..SHARD).collect() };
        loop {
            self.sit(kind, server, &channels).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn come_and_go(mut self) {
        loop {
            let server = self.rng.below(self.servers.len() as u64) as usize;
            let channels = [0, 1 + self.rng.below(2) as usize];
            let stay = Duration::from_millis(20 + self.rng.below(300));
            let _ = timeout(stay, self.sit("SUBSCRIBE", server, &channels)).await;
            sleep(Duration::from_millis(self.rng.below(50))).await;
        }
    }

    /// Listens until the connection breaks.
    async fn sit(&self, kind: &str, server: usize, channels: &[usize]) {
        let Ok(client) = Client::connect(self.servers[server]).await else { return };
        let seat = self.minutes.take_seat(&format!("{kind} at {server}"), server, channels);
        match self.hear(client, kind, channels, &seat).await {
            Err(Failure::Broken(_)) => seat.breaks(),
            Err(Failure::Hung) => self.minutes.complain(format!("{kind} was not answered")),
            Ok(()) => {}
        }
    }

    async fn hear(
        &self,
        mut client: Client,
        kind: &str,
        channels: &[usize],
        seat: &Taken,
    ) -> Result<(), Failure> {
        let prefix = &self.prefix;
        let (words, count) = match kind {
            "PSUBSCRIBE" => (format!("{kind} {prefix}[0-{}]", SHARD - 1), 1),
            _ => {
                let names: String = channels.iter().map(|number| format!(" {prefix}{number}")).collect();
                (format!("{kind}{names}"), channels.len())
            }
        };
        client.send(&[words.split(' ').collect()]).await?;
        let mut confirmed = 0;
        loop {
            let patience = if confirmed < count { super::super::client::PATIENCE } else { FOR_EVER };
            let reply = client.receive_within(patience).await?;
            let parts: Option<Vec<&str>> = items(&reply).map(|parts| parts.iter().filter_map(text).collect());
            let (channel, heard) = match parts.as_deref() {
                Some(["message" | "smessage", channel, text]) => (channel, text),
                Some(["pmessage", _, channel, text]) => (channel, text),
                Some([word, _]) if word.ends_with("subscribe") => {
                    confirmed += 1;
                    if confirmed == count {
                        seat.listens();
                    }
                    continue;
                }
                _ if matches!(&reply, Reply::Error(text) if says_unavailable(text)) => return Ok(()),
                _ => {
                    self.minutes.complain(format!("a subscriber was told {reply:?}"));
                    return Ok(());
                }
            };
            match channel.strip_prefix(prefix.as_str()).and_then(|number| number.parse().ok()) {
                Some(number) => seat.hears(number, heard),
                None => self.minutes.complain(format!("a message came on {channel:?}")),
            }
        }
    }

    async fn publish(mut self, publisher: u64) {
        let mut number = 0;
        while !self.minutes.over() {
            let server = *self.rng.pick(&self.servers);
            let Ok(mut client) = Client::connect(server).await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            for _ in 0..50 {
                if self.minutes.over() {
                    return;
                }
                let spoken = match self.rng.below(8) {
                    0 => self.speak_in_exec(&mut client, publisher, &mut number).await,
                    choice => {
                        let count = if choice == 1 { 4 } else { 1 };
                        self.speak_up(&mut client, publisher, &mut number, count).await
                    }
                };
                match spoken {
                    Ok(()) => sleep(Duration::from_millis(self.rng.below(8))).await,
                    Err(Failure::Broken(_)) => break,
                    Err(Failure::Hung) => return self.minutes.complain("PUBLISH was not answered".into()),
                }
            }
        }
    }

    /// The words of a PUBLISH, with its channel and its text.
    fn prepare(&mut self, publisher: u64, number: &mut u64) -> (usize, String, Vec<String>) {
        *number += 1;
        let channel = self.rng.below(CHANNELS as u64) as usize;
        let mut text = format!("{publisher}.{number}.");
        // Longer than what fits into a notification of Postgres.
        if self.rng.below(12) == 0 {
            text += &"long ".repeat(3000);
        }
        let command = if channel == SHARD { "SPUBLISH" } else { "PUBLISH" };
        let words = vec![command.into(), format!("{}{channel}", self.prefix), text.clone()];
        (channel, text, words)
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        match reply {
            Reply::Int(count) => Outcome::Said(vec![*count]),
            Reply::Array(Some(counts)) if counts.iter().all(|count| matches!(count, Reply::Int(_))) => {
                Outcome::Said(counts.iter().filter_map(Reply::int).collect())
            }
            Reply::Error(text) if says_unknown(text) => Outcome::Unknown,
            Reply::Error(text) if says_unavailable(text) => Outcome::Unsaid,
            _ => {
                self.minutes.complain(format!("PUBLISH was answered with {reply:?}"));
                Outcome::Unknown
            }
        }
    }

    async fn speak_up(
        &mut self,
        client: &mut Client,
        publisher: u64,
        number: &mut u64,
        count: usize,
    ) -> Result<(), Failure> {
        let (mut speeches, mut wire) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (channel, text, words) = self.prepare(publisher, number);
            speeches.push(self.minutes.begin_speech(channel, &text, 1));
            wire.push(words);
        }
        client.send(&wire).await?;
        for speech in speeches {
            let reply = client.receive().await?;
            self.minutes.end_speech(speech, self.outcome(&reply));
        }
        Ok(())
    }

    /// The same message twice in one EXEC, or in a transaction that is discarded.
    async fn speak_in_exec(
        &mut self,
        client: &mut Client,
        publisher: u64,
        number: &mut u64,
    ) -> Result<(), Failure> {
        match client.call("MULTI").await? {
            Reply::Status(_) => {}
            reply => {
                self.outcome(&reply);
                return Ok(());
            }
        }
        let (channel, text, words) = self.prepare(publisher, number);
        let speech = self.minutes.begin_speech(channel, &text, 2);
        let end = if self.rng.below(3) == 0 { "DISCARD" } else { "EXEC" };
        client.send(&[words.clone(), words, vec![end.into()]]).await?;
        client.receive().await?;
        client.receive().await?;
        let reply = client.receive().await?;
        let outcome = match &reply {
            Reply::Status(_) if end == "DISCARD" => Outcome::Unsaid,
            _ => self.outcome(&reply),
        };
        self.minutes.end_speech(speech, outcome);
        Ok(())
    }
}
