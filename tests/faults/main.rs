//! Concurrency and faults: histories of concurrent clients on several respg processes, checked for linearizability,
//! while nothing happens and while everything does.
//!
//! `cargo test --test faults` is the short form. `cargo test --release --test faults -- --long 600` gives the scenarios
//! 600 seconds together; words select scenarios by name; `--against HOST:PORT,...` runs those that need no faults
//! against servers that are already there (redis-server, say); `--seed N` repeats the programs of a run. RESPG_BINARY
//! and RESPG_POSTGRES_BIN choose other programs than the freshly built one and the newest installed.
//!
//! That the tests fail when they should is part of the run: the checker on histories written by hand, and every peaceful
//! scenario on a server of our own with one defect at a time (`fake.rs`). On respg itself these breakages were tried by
//! hand, on 2026-11-21, and noticed:
//!
//! | broken on purpose | noticed by | as |
//! |---|---|---|
//! | LOCK without FOR UPDATE | mix, order | lost appends; RENAME finds no key that was there |
//! | absences not held by placeholders | mix, order | store buffering: both miss the other's write |
//! | a key that came and went in a batch not held | order | INCR x; DEL x; GET y against SET x; INCR y |
//! | EXEC does not compare watched versions | mix, bank | both compare-and-sets succeed; the sum changes |
//! | a lost commit counts as a failure before it, and is retried | one cut, cuts | OK instead of unknown; counters too high |
//! | synchronous_commit off for durable data | restart | an acknowledged INCR is gone |
//! | the clock of LOCK is the transaction's beginning | expiry (long form) | seen expired, then alive |
//! | READ takes an expired key whose row somebody holds for gone | moment of expiry | seen expired, then alive |
//! | a PUBLISH whose commit got no answer is sent again | channels under fire | a message comes twice |
//! | XACK says what it has not done for every fifth entry | queues under fire | pending after all were acknowledged |
//! | XREADGROUP does not move the group on every fifth time | queues under fire | an entry is given after a later one |
//! | an XADD whose commit got no answer is done again | queues under fire | the id said is not the entry's |
//! | synchronous_commit off | queues under fire | an acknowledged XADD is not there |
//! | every fifth delivery is not entered as pending | queues under fire | XACK of an entry just read says 0 |
//! | other processes' waiters are not told, and the poll does not look again | queues | somebody slept while there was work |
//! | (it was so) echoes are told from messages by what LISTEN is known to be in effect for | channels under fire | a message comes twice, or `respg.message(5)` does |
//! | lanes wait for row locks as long as the pool | row lock | neighbours get errors instead of answers |

mod bank;
mod checks;
mod client;
mod delivery;
mod expiry;
mod fake;
mod fire;
mod history;
mod ledger;
mod linear;
mod model;
mod order;
mod postgres;
mod proxy;
mod pubsub;
mod recorder;
mod respg;
mod row_lock;
mod scenarios;
mod workload;

use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fake::Defect;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut report = Report { words: Vec::new(), failed: 0, ran: 0 };
    let mut long = None;
    let mut against: Vec<SocketAddr> = Vec::new();
    let mut seed = std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 & 0xffff_ffff);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value for the flag");
        match argument.as_str() {
            "--long" => long = Some(value().parse::<u64>().expect("seconds")),
            "--seed" => seed = value().parse().expect("a number"),
            "--against" => {
                against = value().split(',').map(|text| text.parse().expect("an address")).collect()
            }
            flag if flag.starts_with('-') => {}
            word => report.words.push(word.to_string()),
        }
    }
    println!("seed {seed}");
    runtime.block_on(async {
        report.run("handwritten histories", async { checks::handwritten() }).await;
        broken(&mut report).await;
        broken_messages(&mut report).await;
        if !against.is_empty() {
            let budget = Duration::from_secs(long.unwrap_or(20) / 4);
            peaceful(&mut report, &against, budget, seed).await;
            return messages(&mut report, &against, budget, seed).await;
        }
        let folder = std::env::temp_dir().join(format!("respg-faults-{}", std::process::id()));
        match scenarios::World::new(&folder).await {
            Ok(mut world) => ours(&mut report, &mut world, long, seed).await,
            Err(text) => report.run("start", async { Err(text) }).await,
        }
    });
    println!("{} scenarios, {} failed", report.ran, report.failed);
    if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Report {
    words: Vec<String>,
    ran: usize,
    failed: usize,
}

impl Report {
    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    async fn run(&mut self, name: &str, scenario: impl Future<Output = Result<String, String>>) {
        if name != "start" && !self.wants(name) {
            return;
        }
        let start = Instant::now();
        let result = scenario.await;
        let seconds = start.elapsed().as_secs_f32();
        self.ran += 1;
        match result {
            Ok(text) => println!("ok     {name} ({seconds:.1} s): {text}"),
            Err(text) => {
                self.failed += 1;
                println!("FAILED {name} ({seconds:.1} s): {text}");
            }
        }
    }
}

/// Scenarios in which nothing is broken.
async fn peaceful(report: &mut Report, servers: &[SocketAddr], budget: Duration, seed: u64) {
    report.run("mix", workload::mix(servers, budget, seed)).await;
    report.run("order", order::play(order::TABLE, servers, budget, seed)).await;
    report.run("bank", bank::sums(servers, budget, seed)).await;
    report.run("expiry", expiry::visible(servers, budget, seed)).await;
    report.run("moment of expiry", order::play(expiry::RACES, servers, budget, seed)).await;
}

/// The same for queues and channels.
async fn messages(report: &mut Report, servers: &[SocketAddr], budget: Duration, seed: u64) {
    let bound = Duration::from_secs(1);
    report.run("queues", delivery::peaceful(servers, budget, bound, seed)).await;
    report.run("channels", pubsub::peaceful(servers, budget, bound, seed)).await;
}

/// Everything, on respg.
async fn ours(report: &mut Report, world: &mut scenarios::World, long: Option<u64>, seed: u64) {
    let part = |short: u64| Duration::from_secs(long.map_or(short, |long| long * short / 50));
    if let Err(text) = world.renew(&[]).await {
        return report.run("start", async { Err(text) }).await;
    }
    peaceful(report, &world.servers(), part(3), seed).await;
    for process in &world.processes {
        process.proxy.orders.delay.store(3000, Ordering::Relaxed);
    }
    report
        .run("order with slow messages", order::play(order::TABLE, &world.servers(), part(3), seed + 1))
        .await;
    let name = "moment of expiry with slow messages";
    report.run(name, order::play(expiry::RACES, &world.servers(), part(3), seed + 1)).await;
    report.run("one cut", scenarios::one_cut(world)).await;
    report.run("cuts", scenarios::cuts(world, part(3), seed)).await;
    report.run("kill", scenarios::kill(world, part(4), seed)).await;
    report.run("restart", scenarios::restart(world, part(5), seed)).await;
    report.run("hang", scenarios::hang(world, part(5), seed)).await;
    report.run("row lock", row_lock::delays_one_key_only(world, part(3))).await;

    if let Err(text) = world.renew(&[]).await {
        return report.run("start", async { Err(text) }).await;
    }
    messages(report, &world.servers(), part(2), seed).await;
    report.run("queues under fire", fire::queues(world, part(5), seed)).await;
    report.run("channels under fire", fire::channels(world, part(3), seed)).await;
}

/// Each test fails on a server that is broken in the way it is there to find, and passes on the same server unbroken.
async fn broken(report: &mut Report) {
    let short = Duration::from_millis(400);
    for (defect, finder) in [
        (Defect::None, "mix"),
        (Defect::RacyUpdate, "mix"),
        (Defect::StaleReads, "mix"),
        (Defect::EarlyReply, "mix"),
        (Defect::Retry, "mix"),
        (Defect::SplitKeys, "mix"),
        (Defect::SplitExec, "mix"),
        (Defect::IgnoresWatch, "mix"),
        (Defect::SpuriousAbort, "mix"),
        (Defect::RacyNx, "mix"),
        (Defect::None, "order"),
        (Defect::StaleReads, "order"),
        (Defect::EarlyReply, "order"),
        (Defect::OldSnapshotDelete, "order"),
        (Defect::SplitKeys, "order"),
        (Defect::None, "bank"),
        (Defect::SplitKeys, "bank"),
        (Defect::SplitExec, "bank"),
        (Defect::IgnoresWatch, "bank"),
        (Defect::None, "expiry"),
        (Defect::SkewedClocks, "expiry"),
        (Defect::LateExpiry, "expiry"),
    ] {
        let name = format!("self-test: {finder} on a server with {defect:?}");
        let scenario = async {
            let mut unnoticed = String::new();
            // Luck is part of finding a race; a right server is never found wrong.
            for seed in 0..20 {
                let (servers, _running) = fake::start(defect).await;
                let result = match finder {
                    "mix" => workload::mix(&servers, short, seed).await,
                    "order" => order::play(order::TABLE, &servers, short * 3, seed).await,
                    "bank" => bank::sums(&servers, short, seed).await,
                    _ => expiry::visible(&servers, short, seed).await,
                };
                match result {
                    result if defect == Defect::None => return result,
                    Err(text) if text.contains(linear::TOO_AMBIGUOUS) => return Err(text),
                    Err(text) => return Ok(format!("noticed: {}", text.lines().next().unwrap_or_default())),
                    Ok(text) => unnoticed = text,
                }
            }
            Err(format!("the defect was not noticed: {unnoticed}"))
        };
        report.run(&name, scenario).await;
    }
}

/// The same for queues and channels, several at a time: they mostly wait.
async fn broken_messages(report: &mut Report) {
    let short = Duration::from_millis(1200);
    let mut tests: Vec<(String, BoxFuture)> = Vec::new();
    for defect in delivery::DEFECTS {
        let name = format!("self-test: queues on a server with {defect:?}");
        let right = defect == delivery::Defect::None;
        let test = noticed(right, move |seed| async move {
            let (servers, _running) = delivery::start_fake(defect).await;
            delivery::peaceful(&servers, short, short / 2, seed).await
        });
        tests.push((name, Box::pin(test)));
    }
    for defect in pubsub::DEFECTS {
        let name = format!("self-test: channels on a server with {defect:?}");
        let right = defect == pubsub::Defect::None;
        let test = noticed(right, move |seed| async move {
            let (servers, _running) = pubsub::start_fake(defect).await;
            pubsub::peaceful(&servers, short / 2, short / 2, seed).await
        });
        tests.push((name, Box::pin(test)));
    }
    tests.retain(|(name, _)| report.wants(name));
    while !tests.is_empty() {
        let some: Vec<_> = tests.drain(..tests.len().min(6)).collect();
        let running = some.into_iter().map(|(name, test)| (name, tokio::spawn(test)));
        for (name, test) in running.collect::<Vec<_>>() {
            report.run(&name, async { test.await.map_err(|error| error.to_string())? }).await;
        }
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// Luck is part of finding a race; a right server is never found wrong.
async fn noticed<F>(right: bool, scenario: impl Fn(u64) -> F) -> Result<String, String>
where
    F: Future<Output = Result<String, String>>,
{
    let mut unnoticed = String::new();
    for seed in 0..5 {
        match scenario(seed).await {
            result if right => return result,
            Err(text) if text != delivery::IDLE => return Ok(format!("noticed: {text}")),
            Ok(text) | Err(text) => unnoticed = text,
        }
    }
    Err(format!("the defect was not noticed: {unnoticed}"))
}
