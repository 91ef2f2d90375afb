//! Things go wrong under load. Whatever it is: what was acknowledged is there, what was refused is not, what is unknown was
//! said to be, nobody waits for ever, and service resumes without help.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bank::Bank;
use super::client::{Client, Failure, PATIENCE, Reply};
use super::history::{History, says_unknown};
use super::ledger::Ledger;
use super::postgres::Postgres;
use super::respg::Respg;
use super::workload::{self, Load};

/// Service resumes within this time after its cause is gone.
const RESUMES: Duration = Duration::from_secs(5);

/// What the processes are told in the scenario in which Postgres hangs, and then some.
const PATIENCE_OF_RESPG: Duration = Duration::from_millis(3000);

/// A Postgres and two respg processes on a database of their own.
pub struct World {
    pub postgres: Postgres,
    pub processes: Vec<Respg>,
    pub database: String,
    folder: PathBuf,
}

impl World {
    pub async fn new(folder: &Path) -> Result<Self, String> {
        let postgres = Postgres::start(folder).await?;
        Ok(World { postgres, processes: Vec::new(), database: String::new(), folder: folder.into() })
    }

    /// A new database and two new processes.
    pub async fn renew(&mut self, flags: &[&str]) -> Result<(), String> {
        self.renew_with(2, flags).await
    }

    pub async fn renew_with(&mut self, count: usize, flags: &[&str]) -> Result<(), String> {
        self.processes.clear();
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        self.database = format!("faults{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let admin = self.postgres.connect("postgres").await?;
        let create = format!("CREATE DATABASE {}", self.database);
        admin.batch_execute(&create).await.map_err(|error| error.to_string())?;
        for _ in 0..count {
            let process = Respg::start(&self.postgres, &self.database, &self.folder, flags).await?;
            self.processes.push(process);
        }
        Ok(())
    }

    pub fn servers(&self) -> Vec<SocketAddr> {
        self.processes.iter().map(|process| process.address).collect()
    }

    /// Stops Postgres hard, starts it again, and waits until all processes serve.
    pub async fn stop_postgres(&mut self, gently: bool) -> Result<Duration, String> {
        match gently {
            true => self.postgres.stop_immediately(),
            false => self.postgres.kill(),
        }
        sleep(Duration::from_millis(300)).await;
        self.postgres.restart().await?;
        self.resumed().await
    }

    /// For a while, commits lose their answers, now and then in every process.
    pub async fn cut_commits(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            for process in &self.processes {
                process.proxy.orders.cuts.store(1, Ordering::SeqCst);
            }
            sleep(Duration::from_millis(100)).await;
        }
        for process in &self.processes {
            process.proxy.orders.cuts.store(0, Ordering::SeqCst);
        }
    }

    /// Ends connections of respg from the side of Postgres, those for which `condition` holds. Returns how many.
    pub async fn cut_connections(&self, condition: &str) -> Result<usize, String> {
        self.connections("pg_terminate_backend(pid)", condition).await
    }

    pub async fn count_connections(&self, condition: &str) -> Result<usize, String> {
        self.connections("pid", condition).await
    }

    async fn connections(&self, what: &str, condition: &str) -> Result<usize, String> {
        let admin = self.postgres.connect("postgres").await?;
        let database = &self.database;
        let query =
            format!("SELECT {what} FROM pg_stat_activity WHERE datname = '{database}' AND ({condition})");
        admin.query(&query, &[]).await.map(|rows| rows.len()).map_err(|error| error.to_string())
    }

    /// How long it takes until all processes serve.
    pub async fn resumed(&self) -> Result<Duration, String> {
        let start = Instant::now();
        for process in &self.processes {
            process.wait_until_serving(RESUMES).await?;
        }
        Ok(start.elapsed())
    }
}

/// All kinds of clients at once.
struct Crowd {
    history: Arc<History>,
    load: Load,
    ledger: Ledger,
    bank: Arc<Bank>,
    clerks: JoinSet<Result<(), String>>,
    servers: Vec<SocketAddr>,
}

impl Crowd {
    async fn gather(world: &World, seed: u64) -> Result<Self, String> {
        let servers = world.servers();
        let history = History::new();
        let bank = Bank::open(&servers, seed).await?;
        Ok(Crowd {
            load: Load::start(&history, &servers, &workload::ALL, 3, seed),
            ledger: Ledger::start(&servers, seed),
            clerks: bank.run(),
            history,
            bank,
            servers,
        })
    }

    /// Lets them finish, reads everything once more and compares.
    async fn disperse(self) -> Result<String, String> {
        let finished = tokio::time::timeout(PATIENCE * 2, self.load.stop()).await;
        finished.map_err(|_| "a client does not come to an end".to_string())?;
        let sums = self.bank.close(self.clerks).await?;
        let books = self.ledger.close(&self.servers).await?;
        workload::read_all(&self.history, &self.servers).await;
        let unknown = self.history.unknown.load(Ordering::Relaxed);
        let checked = tokio::task::block_in_place(|| self.history.check())?;
        Ok(format!("{checked} operations are linearizable, {unknown} of them unknown; {books}; {sums}"))
    }
}

/// kill -9 of one process after the other.
pub async fn kill(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew(&[]).await?;
    let crowd = Crowd::gather(world, seed).await?;
    let end = Instant::now() + budget;
    let mut kills = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(700)).await;
        let count = world.processes.len();
        world.processes[kills % count].kill();
        kills += 1;
        // The other goes on, even if the dead one held locks.
        let other = &world.processes[kills % count];
        for _ in 0..10 {
            other.wait_until_serving(Duration::from_secs(2)).await?;
            sleep(Duration::from_millis(20)).await;
        }
        world.processes[(kills - 1) % count].restart().await?;
    }
    sleep(Duration::from_millis(300)).await;
    Ok(format!("{kills} kills; {}", crowd.disperse().await?))
}

/// Postgres is stopped hard and started again.
pub async fn restart(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew(&[]).await?;
    let crowd = Crowd::gather(world, seed).await?;
    let end = Instant::now() + budget;
    let mut stops = 0;
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        sleep(Duration::from_secs(1)).await;
        slowest = slowest.max(world.stop_postgres(stops % 2 == 0).await?);
        stops += 1;
    }
    sleep(Duration::from_millis(500)).await;
    Ok(format!("{stops} stops, service after {slowest:?}; {}", crowd.disperse().await?))
}

/// Postgres hangs, and later goes on as if nothing had happened. In between everybody gets an answer.
pub async fn hang(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew(&["--postgres-timeout", "1000"]).await?;
    let crowd = Crowd::gather(world, seed).await?;
    let end = Instant::now() + budget;
    let mut hangs = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(700)).await;
        // Shorter than respg's patience, then longer; then the network instead of Postgres.
        let pause = Duration::from_millis(if hangs % 3 == 0 { 700 } else { 3500 });
        if hangs % 3 < 2 {
            world.postgres.freeze();
            let answered = answered_in_time(world, pause).await;
            world.postgres.thaw();
            answered?;
        } else {
            silence(world, true);
            let answered = answered_in_time(world, pause).await;
            silence(world, false);
            answered?;
        }
        hangs += 1;
        world.resumed().await?;
    }
    sleep(Duration::from_millis(300)).await;
    Ok(format!("{hangs} times; {}", crowd.disperse().await?))
}

fn silence(world: &World, silent: bool) {
    for process in &world.processes {
        process.proxy.orders.silent.store(silent, Ordering::Relaxed);
    }
}

/// Waits for `pause`, in which Postgres answers nobody. If that is longer than respg's patience, clients get an answer
/// of some kind before it is over.
async fn answered_in_time(world: &World, pause: Duration) -> Result<(), String> {
    let until = Instant::now() + pause;
    let mut asking = JoinSet::new();
    for (number, command) in
        ["GET a", "SET a 1", "INCR a", "MGET a b", "DEL a b", "SCAN 0"].into_iter().enumerate()
    {
        for in_transaction in [false, true] {
            let server = world.processes[number % world.processes.len()].address;
            asking.spawn(async move {
                let mut client = Client::connect(server).await?;
                let texts = if in_transaction { vec!["MULTI", command, "EXEC"] } else { vec![command] };
                for text in texts {
                    client.call(text).await?;
                }
                Ok::<_, Failure>((command, in_transaction))
            });
        }
    }
    tokio::time::sleep_until(until.into()).await;
    if pause < PATIENCE_OF_RESPG {
        return Ok(());
    }
    let mut answered = Vec::new();
    while let Some(asked) = asking.try_join_next() {
        match asked.map_err(|error| error.to_string())? {
            Ok(command) => answered.push(command),
            Err(Failure::Broken(_)) => {}
            Err(Failure::Hung) => return Err("no answer while Postgres hangs".into()),
        }
    }
    match asking.len() {
        0 => Ok(()),
        left => Err(format!(
            "{left} clients had no answer after {pause:?} in which Postgres hung; answered: {answered:?}"
        )),
    }
}

/// Connections are cut between COMMIT and its answer, under load.
pub async fn cuts(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew(&[]).await?;
    let crowd = Crowd::gather(world, seed).await?;
    world.cut_commits(budget).await;
    world.resumed().await?;
    let done: usize =
        world.processes.iter().map(|process| process.proxy.orders.cuts_done.load(Ordering::SeqCst)).sum();
    if done < 2 {
        return Err("no commit was cut".into());
    }
    Ok(format!("{done} cuts; {}", crowd.disperse().await?))
}

/// `before`, the command whose commit is cut, and what is there afterwards: it happened exactly once.
const CUT_COMMANDS: &[(&str, &str, &str, &str)] = &[
    ("SET k 1", "SET k 2", "GET k", "2"),
    ("DEL k", "SET k 1", "GET k", "1"),
    ("DEL k", "SET k 1 NX", "GET k", "1"),
    ("SET k 1", "SET k 2 XX PX 60000", "GET k", "2"),
    ("SET k 5", "INCR k", "GET k", "6"),
    ("DEL k", "INCRBY k 3", "GET k", "3"),
    ("SET k 5", "DECRBY k 3", "GET k", "2"),
    ("SET k a", "APPEND k b", "GET k", "ab"),
    ("SET k a", "GETSET k b", "GET k", "b"),
    ("SET k a", "GETDEL k", "EXISTS k", "0"),
    ("SET k a", "DEL k", "EXISTS k", "0"),
    ("SET k a", "PEXPIRE k 1", "STRLEN k", "0"),
    ("SET k 1", "MSET k 2 l 3", "GET k", "2"),
    ("SET k a", "RENAME k m", "GET m", "a"),
];

/// The same for one client, which must be told that the outcome is unknown, and for every way in which a write travels.
pub async fn one_cut(world: &mut World) -> Result<String, String> {
    world.renew(&[]).await?;
    let process = &world.processes[0];
    let orders = &process.proxy.orders;
    let mut client = Client::connect(process.address).await.map_err(|failure| failure.to_string())?;
    for in_transaction in [false, true] {
        for (before, command, read, expected) in CUT_COMMANDS {
            let name = format!("{command} {}", if in_transaction { "in MULTI" } else { "" });
            client.call(before).await.map_err(|failure| format!("{before}: {failure}"))?;
            orders.cuts.store(1, Ordering::SeqCst);
            let mut texts = vec![*command];
            if in_transaction {
                texts = vec!["MULTI", *command, "EXEC"];
            }
            let mut reply = Ok(Reply::nil());
            for text in texts {
                reply = client.call(text).await;
            }
            if orders.cuts.swap(0, Ordering::SeqCst) != 0 {
                return Err(format!("{name}: no commit was seen, the answer is {reply:?}"));
            }
            match reply {
                Ok(Reply::Error(text)) if says_unknown(&text) => {}
                other => return Err(format!("{name}: the lost commit was answered with {other:?}")),
            }
            sleep(Duration::from_millis(5)).await;
            let found = client.call(read).await.map_err(|failure| format!("{read}: {failure}"))?;
            let found = match found {
                Reply::Bulk(text) => text.unwrap_or_default(),
                Reply::Int(number) => number.to_string(),
                other => format!("{other:?}"),
            };
            if found != *expected {
                return Err(format!("{name}: then {read} finds {found}, expected {expected}"));
            }
        }
    }
    Ok(format!("{} lost commits were reported and happened once", CUT_COMMANDS.len() * 2))
}
