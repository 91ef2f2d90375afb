//! Money moves between accounts in transactions; every reader finds the same sum at every moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::client::{Client, Failure, Reply};
use super::history::{says_unavailable, says_unknown};
use super::workload::Rng;

const ACCOUNTS: u64 = 6;
const EACH: i64 = 100;

pub struct Bank {
    keys: String,
    servers: Vec<SocketAddr>,
    seed: u64,
    stop: AtomicBool,
    reads: AtomicUsize,
    transfers: AtomicUsize,
}

impl Bank {
    pub async fn open(servers: &[SocketAddr], seed: u64) -> Result<Arc<Self>, String> {
        let bank = Bank {
            keys: format!("bank:{seed:x}:"),
            servers: servers.to_vec(),
            seed,
            stop: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            transfers: AtomicUsize::new(0),
        };
        let pairs: String = (0..ACCOUNTS).map(|at| format!(" {} {EACH}", bank.account(at))).collect();
        let mut client = Client::connect(servers[0]).await.map_err(|failure| failure.to_string())?;
        match client.call(&format!("MSET{pairs}")).await {
            Ok(Reply::Status(_)) => Ok(Arc::new(bank)),
            other => Err(format!("MSET answered {other:?}")),
        }
    }

    /// Clerks transfer and auditors read until the bank is closed; then the result is whether all sums were right.
    pub fn run(self: &Arc<Self>) -> JoinSet<Result<(), String>> {
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let bank = self.clone();
            tasks.spawn(async move { bank.work(number).await });
        }
        tasks
    }

    pub async fn close(&self, mut tasks: JoinSet<Result<(), String>>) -> Result<String, String> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(result) = tasks.join_next().await {
            result.map_err(|error| error.to_string())??;
        }
        let (transfers, reads) = (self.transfers.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed));
        match transfers.min(reads) {
            0 => Err("no transfer or no read got through".into()),
            _ => Ok(format!("{transfers} transfers, {reads} sums were right")),
        }
    }

    async fn work(&self, number: usize) -> Result<(), String> {
        let mut rng = Rng(self.seed ^ number as u64);
        let mut server = number;
        while !self.stop.load(Ordering::Relaxed) {
            let address = self.servers[server % self.servers.len()];
            server += 1;
            let Ok(mut client) = Client::connect(address).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            while !self.stop.load(Ordering::Relaxed) {
                let step = match number % 4 {
                    0 => self.transfer_watched(&mut client, &mut rng).await,
                    1 | 2 => self.transfer_blind(&mut client, &mut rng).await,
                    _ => self.audit(&mut client, &mut rng).await?,
                };
                match step {
                    Ok(()) => {}
                    Err(Failure::Hung) => return Err("a clerk of the bank got no answer".into()),
                    Err(Failure::Broken(_)) => break,
                }
            }
        }
        Ok(())
    }

    async fn transfer_blind(&self, client: &mut Client, rng: &mut Rng) -> Result<(), Failure> {
        let (from, to) = (self.account(rng.below(ACCOUNTS)), self.account(rng.below(ACCOUNTS)));
        let amount = rng.below(5);
        self.exec(client, &[format!("DECRBY {from} {amount}"), format!("INCRBY {to} {amount}")]).await?;
        Ok(())
    }

    async fn transfer_watched(&self, client: &mut Client, rng: &mut Rng) -> Result<(), Failure> {
        let from = rng.below(ACCOUNTS);
        let to = (from + 1 + rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        let (from, to) = (self.account(from), self.account(to));
        if client.call(&format!("WATCH {from} {to}")).await? != Reply::ok() {
            return Ok(());
        }
        let balances = client.call(&format!("MGET {from} {to}")).await?;
        let Reply::Array(Some(balances)) = balances else { return Ok(()) };
        let [Some(from_balance), Some(to_balance)] = [balances[0].int(), balances[1].int()] else {
            return Ok(());
        };
        let amount = rng.below(5) as i64;
        let sets =
            [format!("SET {from} {}", from_balance - amount), format!("SET {to} {}", to_balance + amount)];
        self.exec(client, &sets).await?;
        Ok(())
    }

    async fn exec(&self, client: &mut Client, commands: &[String]) -> Result<Reply, Failure> {
        let texts = ["MULTI"].into_iter().chain(commands.iter().map(String::as_str)).chain(["EXEC"]);
        let wire: Vec<Vec<&str>> = texts.map(|text| text.split(' ').collect()).collect();
        client.send(&wire).await?;
        let mut reply = Reply::nil();
        for _ in &wire {
            reply = client.receive().await?;
        }
        if let Reply::Array(Some(_)) = reply {
            self.transfers.fetch_add(1, Ordering::Relaxed);
        }
        Ok(reply)
    }

    async fn audit(&self, client: &mut Client, rng: &mut Rng) -> Result<Result<(), Failure>, String> {
        let first = rng.below(ACCOUNTS);
        let accounts: Vec<String> = (0..ACCOUNTS).map(|at| self.account((first + at) % ACCOUNTS)).collect();
        let reply = match rng.below(3) {
            0 => client.call(&format!("MGET {}", accounts.join(" "))).await,
            1 => {
                self.exec(
                    client,
                    &accounts.iter().map(|account| format!("GET {account}")).collect::<Vec<_>>(),
                )
                .await
            }
            _ => self.exec(client, &[format!("MGET {}", accounts.join(" "))]).await,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(failure) => return Ok(Err(failure)),
        };
        match &reply {
            Reply::Error(text) if says_unavailable(text) || says_unknown(text) => return Ok(Ok(())),
            _ => {}
        }
        let balances = numbers(&reply);
        self.reads.fetch_add(1, Ordering::Relaxed);
        match balances.iter().sum::<i64>() == EACH * ACCOUNTS as i64 && balances.len() == ACCOUNTS as usize {
            true => Ok(Ok(())),
            false => Err(format!("the bank's sum is {} in {reply:?}", balances.iter().sum::<i64>())),
        }
    }

    fn account(&self, number: u64) -> String {
        format!("{}{number}", self.keys)
    }
}

fn numbers(reply: &Reply) -> Vec<i64> {
    match reply {
        Reply::Array(Some(items)) => items.iter().flat_map(numbers).collect(),
        other => other.int().into_iter().collect(),
    }
}

pub async fn sums(servers: &[SocketAddr], budget: Duration, seed: u64) -> Result<String, String> {
    let bank = Bank::open(servers, seed).await?;
    let tasks = bank.run();
    tokio::time::sleep(budget).await;
    bank.close(tasks).await
}
