//! Everything goes wrong, one thing after the other, while clients go on: respg is killed, Postgres hangs or is gone, the upstream's connections break, and the spool is small. Afterwards both
//! sides become the same by themselves. Some seconds, or RESPG_WORKLOAD_SECONDS.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use respg::postgres::OwnPostgres;
use rustix::process::{Pid, Signal, kill_process};

use super::Shadow;
use super::workload::{Random, next};
use crate::support::client::{Client, Protocol};
use crate::support::pg::{Scratch, options};
use crate::support::redis::Redis;

/// Shared by the clients.
struct Load {
    address: Mutex<SocketAddr>,
    stop: AtomicBool,
    /// Calls that were answered.
    answered: AtomicU64,
    /// The longest time that one took, in milliseconds.
    slowest: AtomicU64,
}

impl Load {
    /// A client that comes again whenever its connection breaks.
    fn run(&self, number: u64) {
        let mut random = Random::new(number + 1);
        let protocol = [Protocol::Resp2, Protocol::Resp3][number as usize % 2];
        while !self.stop.load(Relaxed) {
            let address = *self.address.lock().unwrap();
            let Ok(mut client) = Client::try_connect(address, protocol) else {
                sleep(Duration::from_millis(20));
                continue;
            };
            while !self.stop.load(Relaxed) {
                let begun = Instant::now();
                if client.try_calls(next(&mut random, &[])).is_err() {
                    break;
                }
                self.answered.fetch_add(1, Relaxed);
                self.slowest.fetch_max(begun.elapsed().as_millis() as u64, Relaxed);
            }
        }
    }

    /// Lets clients work; says how many calls were answered.
    fn go_on(&self, time: Duration) -> u64 {
        let before = self.answered.load(Relaxed);
        sleep(time);
        self.answered.load(Relaxed) - before
    }
}

/// Ends the load also when the test fails.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A Postgres of this test alone: its backends can be stopped.
pub struct Postgres {
    runtime: tokio::runtime::Runtime,
    server: Option<OwnPostgres>,
    scratch: Scratch,
}

impl Postgres {
    pub fn start() -> Postgres {
        let (runtime, scratch) = (tokio::runtime::Runtime::new().unwrap(), Scratch::new());
        let server = runtime.block_on(OwnPostgres::start(&options(scratch.path()))).expect("a Postgres");
        Postgres { runtime, server: Some(server), scratch }
    }

    /// The server itself and its backends.
    fn processes(&self) -> Vec<Pid> {
        let pid = std::fs::read_to_string(self.scratch.path().join("data/postmaster.pid")).expect("it runs");
        let server: i32 = pid.lines().next().and_then(|line| line.parse().ok()).expect("a number");
        let mut all = vec![server];
        for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent == Some(&server.to_string()) {
                all.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
            }
        }
        all.into_iter().filter_map(Pid::from_raw).collect()
    }

    pub fn url(&self) -> String {
        self.server.as_ref().expect("it runs").url().to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        // One may have ended meanwhile.
        for pid in self.processes() {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        if let Some(server) = self.server.take() {
            let _ = self.runtime.block_on(server.stop());
        }
    }
}

fn seconds() -> f64 {
    std::env::var("RESPG_WORKLOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5.0)
}

#[test]
fn everything_goes_wrong_and_both_sides_become_the_same() {
    let postgres = Postgres::start();
    let url = postgres.url();
    let small = ["--shadow-memory", "1", "--shadow-spool", "2"];
    let mut shadow = Shadow::on(Redis::start(), url, &small);
    shadow.settle();
    let load = Load {
        address: Mutex::new(shadow.address()),
        stop: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        slowest: AtomicU64::new(0),
    };
    // Five things happen one after the other, as long as there is time, and at least once.
    let part = Duration::from_secs_f64((seconds() / 10.0).min(12.0));
    let begun = Instant::now();
    thread::scope(|scope| {
        let (load, _stop) = (&load, Stop(&load.stop));
        (0..6).for_each(|number| drop(scope.spawn(move || load.run(number))));
        let mut round = 0;
        while round == 0 || begun.elapsed().as_secs_f64() < seconds() {
            round += 1;
            load.go_on(part);
            // Nobody answers for a while; what others do to the Redis meanwhile is not followed, so they do nothing.
            shadow.kill(|| sleep(part / 4));
            *load.address.lock().unwrap() = shadow.address();
            load.go_on(part);
            // Postgres hangs, in the long form for a minute: clients do not notice.
            load.slowest.store(0, Relaxed);
            postgres.signal(Signal::STOP);
            let answered = load.go_on(if seconds() > 60.0 { Duration::from_secs(60) } else { part * 2 });
            postgres.signal(Signal::CONT);
            let slowest = load.slowest.load(Relaxed);
            assert!(
                answered > 100 && slowest < 1500,
                "{answered} calls while it hung, one took {slowest} ms"
            );
            load.go_on(part);
            // Its connections break.
            let postmaster = postgres.processes()[0];
            postgres.processes().into_iter().filter(|pid| *pid != postmaster).for_each(|pid| {
                let _ = kill_process(pid, Signal::TERM);
            });
            load.go_on(part);
            shadow.redis.connect().plain("CLIENT KILL TYPE normal SKIPME yes");
            load.go_on(part);
            if seconds() > 60.0 {
                let (time, calls) = (begun.elapsed().as_secs(), load.answered.load(Relaxed));
                println!("{time} s: {calls} calls, {:?} {:?}", shadow.status(), shadow.differences());
            }
            // Killed while Postgres hangs.
            postgres.signal(Signal::STOP);
            load.go_on(part / 2);
            shadow.kill(|| postgres.signal(Signal::CONT));
            *load.address.lock().unwrap() = shadow.address();
            if seconds() > 60.0 {
                println!(
                    "{:.0} s: {} calls, {:?}",
                    begun.elapsed().as_secs_f64(),
                    load.answered.load(Relaxed),
                    shadow.status()
                );
            }
        }
    });
    shadow.assert_equal();
    println!("{} calls, {:?}", load.answered.load(Relaxed), shadow.status());
    drop(shadow);
}
