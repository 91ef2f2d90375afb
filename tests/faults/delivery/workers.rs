//! Who works on the queues. Everybody comes back after a broken connection; consumers are mortal.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::client::{Client, Failure, PATIENCE, Reply};
use super::super::history::{says_unavailable, says_unknown};
use super::super::workload::Rng;
use super::Names;
use super::journal::{self, Body, Deed, Entry, How, Id, Journal, Outcome, Pending, Read, items, text};

const PRODUCERS: u64 = 4;
const CONSUMERS_OF_A_GROUP: u64 = 3;
const FOR_EVER: Duration = Duration::from_secs(3600);

pub async fn make_groups(server: SocketAddr, names: &Names) -> Result<(), String> {
    let mut client = Client::connect(server).await.map_err(|failure| failure.to_string())?;
    for stream in names.all() {
        for group in names.groups(stream) {
            match client.call(&format!("XGROUP CREATE {stream} {group} $ MKSTREAM")).await {
                Ok(Reply::Status(_)) => {}
                other => return Err(format!("XGROUP CREATE answered {other:?}")),
            }
        }
    }
    Ok(())
}

pub fn hire(journal: &Arc<Journal>, names: &Arc<Names>, servers: &[SocketAddr], seed: u64) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    let mut hired = 0;
    let mut worker = || {
        hired += 1;
        let (journal, names) = (journal.clone(), names.clone());
        Worker { journal, names, servers: servers.to_vec(), rng: Rng(seed ^ (hired << 32)) }
    };
    for number in 0..PRODUCERS {
        workers.spawn(worker().produce(number));
    }
    for number in 0..names.lonely.len() {
        workers.spawn(worker().trickle(number));
    }
    for group in super::GROUPS {
        for number in 0..CONSUMERS_OF_A_GROUP {
            let position = Position { group, home: None, streams: names.shared.to_vec() };
            workers.spawn(worker().consume(position, number));
        }
    }
    for (home, stream) in names.lonely.iter().enumerate() {
        let position = Position { group: super::GROUPS[0], home: Some(home), streams: vec![stream.clone()] };
        workers.spawn(worker().consume(position, 0));
    }
    for (number, lifetime) in [(0, FOR_EVER), (1, Duration::from_millis(700))] {
        workers.spawn(worker().follow(number, lifetime));
    }
    workers
}

struct Worker {
    journal: Arc<Journal>,
    names: Arc<Names>,
    servers: Vec<SocketAddr>,
    rng: Rng,
}

/// What a consumer is there for. One with a home stays there, keeps its name, and lives as long as its connection.
struct Position {
    group: &'static str,
    home: Option<usize>,
    streams: Vec<String>,
}

impl Worker {
    async fn connect(&mut self, home: Option<usize>) -> Option<Client> {
        let at = home.unwrap_or_else(|| self.rng.below(self.servers.len() as u64) as usize);
        match Client::connect(self.servers[at]).await {
            Ok(client) => Some(client),
            Err(_) => {
                sleep(Duration::from_millis(20)).await;
                None
            }
        }
    }

    /// What an error makes of what was asked. Only two kinds are allowed.
    fn refusal(&self, asked: &str, reply: &Reply) -> Outcome {
        match reply {
            Reply::Error(text) if says_unknown(text) => Outcome::Unknown,
            Reply::Error(text) if says_unavailable(text) => Outcome::Refused,
            _ => {
                self.journal.complain(format!("{asked} was answered with {reply:?}"));
                Outcome::Unknown
            }
        }
    }

    fn complain_of(&self, asked: &str, failure: Failure) {
        if let Failure::Hung = failure {
            self.journal.complain(format!("{asked}: {failure}"));
        }
    }

    async fn produce(mut self, producer: u64) {
        let mut number = 0;
        while self.journal.producing() {
            let Some(mut client) = self.connect(None).await else { continue };
            for _ in 0..100 {
                if !self.journal.producing() {
                    return;
                }
                let count = [1, 1, 1, 1, 2, 5][self.rng.below(6) as usize];
                let made = match self.rng.below(6) {
                    0 => self.add_together(&mut client, producer, &mut number).await,
                    _ => self.add(&mut client, producer, &mut number, count).await,
                };
                if let Err(failure) = made {
                    self.complain_of("XADD", failure);
                    break;
                }
                // Work comes in bursts, so that consumers sleep and are woken.
                let pause = if self.rng.below(12) == 0 { 150 } else { 6 };
                sleep(Duration::from_millis(self.rng.below(pause))).await;
            }
        }
    }

    /// Adds to a lonely stream, now and then, and at first in another process than the one where its reader sleeps.
    async fn trickle(mut self, lonely: usize) {
        let (names, mut number) = (self.names.clone(), 0);
        let producer = PRODUCERS + lonely as u64;
        let mut home = Some((lonely + 1) % self.servers.len());
        while self.journal.producing() {
            let Some(mut client) = self.connect(home.take()).await else { continue };
            for _ in 0..100 {
                sleep(Duration::from_millis(20 + self.rng.below(300))).await;
                if !self.journal.producing() {
                    return;
                }
                let stream = &names.lonely[lonely];
                let (pending, words) = self.begin_adding(stream, producer, &mut number, None);
                let reply = match client.send(&[words]).await {
                    Ok(()) => client.receive().await,
                    Err(failure) => Err(failure),
                };
                match reply {
                    Ok(reply) => self.added(pending, &reply),
                    Err(failure) => {
                        self.complain_of("XADD", failure);
                        break;
                    }
                }
            }
        }
    }

    fn begin_adding(
        &mut self,
        stream: &str,
        producer: u64,
        number: &mut u64,
        together: Option<u64>,
    ) -> (Pending, Vec<String>) {
        *number += 1;
        let body = Body { producer, number: *number };
        let words = format!("XADD {stream} * p {producer} n {number}");
        let deed = Deed::Add { stream: stream.into(), body, together };
        (self.journal.begin(deed), words.split(' ').map(String::from).collect())
    }

    fn added(&self, pending: Pending, reply: &Reply) {
        pending.end(match text(reply).and_then(Id::parse) {
            Some(id) => Outcome::Added(id),
            None => self.refusal("XADD", reply),
        });
    }

    async fn add(
        &mut self,
        client: &mut Client,
        producer: u64,
        number: &mut u64,
        count: u64,
    ) -> Result<(), Failure> {
        let mut pending = Vec::new();
        let mut wire = Vec::new();
        for _ in 0..count {
            let names = self.names.clone();
            let stream = self.rng.pick(&names.shared);
            let (one, words) = self.begin_adding(stream, producer, number, None);
            pending.push(one);
            wire.push(words);
        }
        client.send(&wire).await?;
        for one in pending {
            let reply = client.receive().await?;
            self.added(one, &reply);
        }
        Ok(())
    }

    /// An entry for each of the two shared streams, in one EXEC.
    async fn add_together(
        &mut self,
        client: &mut Client,
        producer: u64,
        number: &mut u64,
    ) -> Result<(), Failure> {
        match client.call("MULTI").await? {
            Reply::Status(_) => {}
            reply => {
                self.refusal("MULTI", &reply);
                return Ok(());
            }
        }
        let names = self.names.clone();
        let together = Some(*number);
        let (first, one) = self.begin_adding(&names.shared[0], producer, number, together);
        let (second, other) = self.begin_adding(&names.shared[1], producer, number, together);
        client.send(&[one, other, vec!["EXEC".into()]]).await?;
        client.receive().await?;
        client.receive().await?;
        let reply = client.receive().await?;
        match items(&reply) {
            Some([one, other]) => {
                self.added(first, one);
                self.added(second, other);
            }
            _ => {
                let outcome = self.refusal("EXEC", &reply);
                first.end(outcome.clone());
                second.end(outcome);
            }
        }
        Ok(())
    }

    async fn consume(mut self, position: Position, number: u64) {
        for life in 0.. {
            // Some come back as themselves, others leave their work to whoever claims it.
            let (name, lifetime) = match position.home {
                Some(_) => (format!("c{number}"), FOR_EVER),
                None => (format!("c{number}.{}", life / 2), Duration::from_millis(30 + self.rng.below(700))),
            };
            let Some(client) = self.connect(position.home).await else { continue };
            // At the end of its life it leaves in the middle of whatever it does.
            if let Ok(Err(failure)) = timeout(lifetime, self.live(client, &position, &name)).await {
                self.complain_of("a consumer", failure);
            }
        }
    }

    async fn live(&mut self, mut client: Client, position: &Position, name: &str) -> Result<(), Failure> {
        let mut how = How::History;
        loop {
            let (group, all) = (position.group, &position.streams);
            let (streams, block, command) = match how {
                How::Claim(idle) => {
                    let stream = self.rng.pick(all).clone();
                    let command = format!("XAUTOCLAIM {stream} {group} {name} {idle} 0-0 COUNT 50");
                    (vec![stream], None, command)
                }
                _ => {
                    let block = (how == How::New).then(|| *self.rng.pick(&[0, 100, 10_000, 10_000]));
                    let option = block.map_or(String::new(), |millis| format!(" BLOCK {millis}"));
                    let from = if how == How::New { " >" } else { " 0" }.repeat(all.len());
                    let head = format!("XREADGROUP GROUP {group} {name} COUNT {}", 1 + self.rng.below(20));
                    (all.clone(), block, format!("{head}{option} STREAMS {}{from}", all.join(" ")))
                }
            };
            let who = format!("{group} {name}");
            let read = Read { how, streams, who, group: Some(group), block };
            let given = self.read(&mut client, read, &command).await?;
            let nothing = given.iter().all(|(_, entries)| entries.is_empty());
            for (stream, entries) in given {
                sleep(Duration::from_millis(self.rng.below(3))).await;
                // Now and then somebody forgets.
                if position.home.is_some() || self.rng.below(20) > 0 {
                    self.acknowledge(&mut client, &stream, group, &entries).await?;
                }
                // Or has forgotten that it did not.
                if self.rng.below(20) == 0 {
                    self.acknowledge(&mut client, &stream, group, &entries).await?;
                }
            }
            how = match how {
                // One's own old work first, as long as it can be got rid of.
                How::History if !nothing && self.rng.below(4) > 0 => How::History,
                _ if position.home.is_none() && self.rng.below(6) == 0 => {
                    How::Claim(*self.rng.pick(&[50, 300]))
                }
                _ => How::New,
            };
        }
    }

    /// Reads entries by stream. Refusals are written down, and found to be nothing.
    async fn read(
        &mut self,
        client: &mut Client,
        read: Read,
        command: &str,
    ) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
        let patience = match read.block {
            Some(0) => FOR_EVER,
            block => PATIENCE + Duration::from_millis(block.unwrap_or(0)),
        };
        let claimed = matches!(read.how, How::Claim(_)).then(|| read.streams[0].clone());
        let pending = self.journal.begin(Deed::Read(read));
        client.send(&[command.split(' ').collect()]).await?;
        let reply = client.receive_within(patience).await?;
        let outcome = match (&reply, claimed) {
            (Reply::Error(_), _) => self.refusal(command, &reply),
            (Reply::Array(None), None) => Outcome::Nothing,
            (reply, claimed) => match journal::by_stream(reply, claimed) {
                Ok(entries) => Outcome::Entries(entries),
                Err(text) => {
                    self.journal.complain(format!("{command}: {text}"));
                    Outcome::Unknown
                }
            },
        };
        pending.end(outcome.clone());
        match outcome {
            Outcome::Entries(entries) => Ok(entries),
            Outcome::Nothing => Ok(Vec::new()),
            _ => {
                sleep(Duration::from_millis(10)).await;
                Ok(Vec::new())
            }
        }
    }

    async fn acknowledge(
        &mut self,
        client: &mut Client,
        stream: &str,
        group: &'static str,
        entries: &[Entry],
    ) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<Id> = entries.iter().map(|entry| entry.id).collect();
        let list: String = ids.iter().map(|id| format!(" {id}")).collect();
        let pending = self.journal.begin(Deed::Ack { stream: stream.into(), group, ids });
        let reply = client.call(&format!("XACK {stream} {group}{list}")).await?;
        pending.end(match reply {
            Reply::Int(count) => Outcome::Acked(count),
            reply => self.refusal("XACK", &reply),
        });
        Ok(())
    }

    /// Reads all streams from their beginning, without a group.
    async fn follow(mut self, number: u64, lifetime: Duration) {
        let names = self.names.clone();
        let streams: Vec<String> = names.all().cloned().collect();
        let mut last: HashMap<String, Id> = streams.iter().map(|name| (name.clone(), Id(0, 0))).collect();
        loop {
            let Some(mut client) = self.connect(None).await else { continue };
            let reading = async {
                loop {
                    let ids: String = streams.iter().map(|name| format!(" {}", last[name])).collect();
                    let block = *self.rng.pick(&[0, 200, 10_000]);
                    let command = format!("XREAD COUNT 50 BLOCK {block} STREAMS {}{ids}", streams.join(" "));
                    let who = format!("reader {number}");
                    let read = Read {
                        how: How::Follow,
                        streams: streams.clone(),
                        who,
                        group: None,
                        block: Some(block),
                    };
                    for (stream, entries) in self.read(&mut client, read, &command).await? {
                        last.extend(entries.last().map(|entry| (stream, entry.id)));
                    }
                }
            };
            if let Ok(Err::<(), _>(failure)) = timeout(lifetime, reading).await {
                self.complain_of("XREAD", failure);
            }
        }
    }
}
