//! Clients that keep books of what was acknowledged to them, to be compared with the data at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::client::{Client, Failure, Reply};
use super::history::{says_unavailable, says_unknown};

const CLIENTS: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Acknowledged,
    Unknown,
    Refused,
}

/// One client's books: the fate of its writes number 1, 2, 3 ... to each of its three keys.
struct Book {
    keys: String,
    last: Vec<Fate>,
    count: Vec<Fate>,
    log: Vec<Fate>,
}

pub struct Ledger {
    tasks: JoinSet<Result<Book, String>>,
    stop: Arc<AtomicBool>,
}

impl Ledger {
    pub fn start(servers: &[SocketAddr], seed: u64) -> Self {
        let stop: Arc<AtomicBool> = Arc::default();
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let keys = format!("ledger:{seed:x}:{number}");
            let book = Book { keys, last: Vec::new(), count: Vec::new(), log: Vec::new() };
            tasks.spawn(book.keep(servers.to_vec(), number, stop.clone()));
        }
        Ledger { tasks, stop }
    }

    /// Stops the clients and compares their books with what each server says.
    pub async fn close(mut self, servers: &[SocketAddr]) -> Result<String, String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut totals = [0; 3];
        while let Some(book) = self.tasks.join_next().await {
            let book = book.map_err(|error| error.to_string())??;
            for &address in servers {
                let mut client = Client::connect(address).await.map_err(|failure| failure.to_string())?;
                book.compare(&mut client).await.map_err(|text| format!("{}: {text}", book.keys))?;
            }
            for fate in book.last.iter().chain(&book.count).chain(&book.log) {
                totals[*fate as usize] += 1;
            }
        }
        match totals {
            [0, ..] => Err("no write was acknowledged".into()),
            [acknowledged, unknown, refused] => {
                Ok(format!("{acknowledged} writes acknowledged, {unknown} unknown, {refused} refused"))
            }
        }
    }
}

impl Book {
    async fn keep(
        mut self,
        servers: Vec<SocketAddr>,
        first: usize,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let mut next = first;
        while !stop.load(Ordering::Relaxed) {
            let address = servers[next % servers.len()];
            next += 1;
            let Ok(mut client) = Client::connect(address).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            while !stop.load(Ordering::Relaxed) {
                match self.write(&mut client).await {
                    Ok(()) => {}
                    Err(Failure::Broken(_)) => break,
                    Err(Failure::Hung) => return Err(format!("{}: no answer in time", self.keys)),
                }
            }
        }
        Ok(self)
    }

    async fn write(&mut self, client: &mut Client) -> Result<(), Failure> {
        let number = self.last.len() + 1;
        let keys = &self.keys;
        let texts = [
            format!("SET {keys}:last {number}"),
            format!("INCR {keys}:count"),
            format!("APPEND {keys}:log {number},"),
        ];
        let mut failure =
            client.send(&texts.map(|text| text.split(' ').map(String::from).collect::<Vec<_>>())).await.err();
        for fates in [&mut self.last, &mut self.count, &mut self.log] {
            let fate = match (&failure, failure.is_none().then(|| client.receive())) {
                (None, Some(reply)) => match reply.await {
                    Ok(Reply::Error(text)) if says_unavailable(&text) => Fate::Refused,
                    Ok(Reply::Error(text)) if says_unknown(&text) => Fate::Unknown,
                    Ok(Reply::Error(text)) => panic!("an unexpected error: {text}"),
                    Ok(_) => Fate::Acknowledged,
                    Err(error) => {
                        failure = Some(error);
                        Fate::Unknown
                    }
                },
                _ => Fate::Unknown,
            };
            fates.push(fate);
        }
        failure.map_or(Ok(()), Err)
    }

    async fn compare(&self, client: &mut Client) -> Result<(), String> {
        let last = read(client, &format!("{}:last", self.keys)).await?;
        let last: usize = if last.is_empty() { 0 } else { last.parse().map_err(|_| "not a number")? };
        let acknowledged =
            self.last.iter().rposition(|fate| *fate == Fate::Acknowledged).map_or(0, |at| at + 1);
        let may_be = last == acknowledged || last > 0 && self.last.get(last - 1) == Some(&Fate::Unknown);
        if !may_be {
            return Err(format!("SET number {acknowledged} was acknowledged, {last} is there"));
        }
        let count = read(client, &format!("{}:count", self.keys)).await?;
        let count: usize = if count.is_empty() { 0 } else { count.parse().map_err(|_| "not a number")? };
        let fates = |wanted| self.count.iter().filter(|fate| **fate == wanted).count();
        let (least, most) = (fates(Fate::Acknowledged), fates(Fate::Acknowledged) + fates(Fate::Unknown));
        if !(least..=most).contains(&count) {
            return Err(format!("the counter is {count}, it should be from {least} to {most}"));
        }
        let log = read(client, &format!("{}:log", self.keys)).await?;
        let mut seen = vec![0; self.log.len()];
        let mut newest = 0;
        for number in log.split_terminator(',') {
            let number: usize = number.parse().map_err(|_| "not a number in the log")?;
            seen[number - 1] += 1;
            if self.log[number - 1] == Fate::Acknowledged {
                if number < newest {
                    return Err(format!("the log has {newest} before {number}"));
                }
                newest = number;
            }
        }
        for (at, (fate, times)) in self.log.iter().zip(&seen).enumerate() {
            let right = match fate {
                Fate::Acknowledged => *times == 1,
                Fate::Unknown => *times <= 1,
                Fate::Refused => *times == 0,
            };
            if !right {
                return Err(format!("APPEND number {} was {fate:?}, it is in the log {times} times", at + 1));
            }
        }
        Ok(())
    }
}

async fn read(client: &mut Client, key: &str) -> Result<String, String> {
    match client.call(&format!("GET {key}")).await {
        Ok(Reply::Bulk(value)) => Ok(value.unwrap_or_default()),
        other => Err(format!("GET {key} answered {other:?}")),
    }
}
