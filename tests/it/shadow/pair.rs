//! respg processes and a Redis that follow one another, and clients that keep them busy.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::workload::{Random, is_id, next};
use crate::support::client::{Client, Protocol, Value};
use crate::support::pg::{Scratch, fresh_database};
use crate::support::redis::Redis;
use crate::support::respg::{Respg, blocking, refusal};

pub const PATIENCE: Duration = Duration::from_secs(120);
/// What a task may take.
const MOST_SECONDS: &str = "300";

/// A database, the Redis that follows it, and folders for respg processes.
pub struct Pair {
    pub database: String,
    pub scratch: Scratch,
    program: &'static str,
}

impl Pair {
    pub fn new(program: &'static str) -> Pair {
        Pair::on(program, blocking(fresh_database()))
    }

    /// On a database that there is.
    pub fn on(program: &'static str, database: String) -> Pair {
        Pair { database, scratch: Scratch::new(), program }
    }

    fn socket(&self) -> String {
        self.scratch.path().join("redis.sock").display().to_string()
    }

    pub fn upstream(&self) -> String {
        format!("unix://{}", self.socket())
    }

    /// With what an earlier one has saved in its folder.
    pub fn redis(&self) -> Redis {
        let (socket, folder) = (self.socket(), self.scratch.path().display().to_string());
        Redis::of(self.program, &["--unixsocket", &socket, "--dir", &folder])
    }

    /// One that has compared all keys, as the first one does, so that nothing is found by that which should have been followed.
    pub fn settled(&self, number: usize, options: &[&str]) -> Respg {
        let respg = self.respg(number, options);
        let begun = Instant::now();
        settle(&respg);
        while self::number(&mut respg.connect(), "marked_slots") > 0 {
            assert!(begun.elapsed() < PATIENCE);
            thread::sleep(Duration::from_millis(20));
        }
        respg
    }

    pub fn respg(&self, number: usize, options: &[&str]) -> Respg {
        self.respg_by(&self.database, number, options)
    }

    /// One that has another way to the database.
    pub fn respg_by(&self, url: &str, number: usize, options: &[&str]) -> Respg {
        let all = self.options(number, options);
        Respg::on(url, &all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The way to the database for one whose sessions are to be told from the others'.
    pub fn named(&self, application: &str) -> String {
        let separator = if self.database.contains('?') { '&' } else { '?' };
        format!("{}{separator}application_name={application}", self.database)
    }

    /// Why one does not start.
    pub fn refusal(&self, options: &[&str]) -> String {
        let all = self.options(9, options);
        refusal(&self.database, &all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn options(&self, number: usize, options: &[&str]) -> Vec<String> {
        let folder = self.scratch.path().join(format!("shadow-{number}")).display().to_string();
        let upstream = self.upstream();
        let all = [&["--upstream", &upstream, "--shadow-dir", &folder], options].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    /// Runs `import` or `verify`.
    pub fn task(&self, name: &str, options: &[&str]) -> Output {
        let mut task = Command::new("timeout");
        task.args([MOST_SECONDS, env!("CARGO_BIN_EXE_respg"), name, &self.upstream()])
            .args(options)
            .env("RESPG_DATABASE_URL", &self.database);
        task.output().expect("respg")
    }

    /// What `respg verify` counts as different.
    pub fn different(&self) -> i64 {
        let output = self.task("verify", &["--json", "--settle", "600"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let different = json["different"].as_i64().expect("a number");
        if different > 0 {
            eprintln!("{json:#}");
        }
        different
    }

    pub fn assert_equal<'a>(&self, processes: impl IntoIterator<Item = &'a Respg>) {
        processes.into_iter().for_each(settle);
        assert_eq!(self.different(), 0);
    }
}

pub fn number(client: &mut Client, name: &str) -> i64 {
    let status = client.plain("RESPG.SHADOW STATUS").map();
    let found = status.iter().find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("no {name}: {status:?}")).1.clone().integer()
}

/// Waits until nothing is left to be followed.
pub fn settle(respg: &Respg) {
    let (begun, mut client, mut quiet) = (Instant::now(), respg.connect(), 0);
    while quiet < 5 {
        let names = ["lag_records", "unsettled_keys", "dirty_slots"];
        let busy = names.iter().any(|name| number(&mut client, name) > 0);
        quiet = if busy { 0 } else { quiet + 1 };
        assert!(begun.elapsed() < PATIENCE, "{:?}", client.plain("RESPG.SHADOW STATUS"));
        thread::sleep(Duration::from_millis(50));
    }
}

/// Commands of every kind, until `stop`; says how many, and how long the slowest took. Whole databases are left alone unless the seed is 1: after
/// that all keys are compared, and nothing else would be noticed.
pub fn work(address: SocketAddr, seed: u64, stop: &AtomicBool) -> (usize, Duration) {
    let (mut client, mut random) = (Client::connect(address, Protocol::Resp2), Random::new(seed));
    let (mut seen, mut count, mut slowest): (Vec<Bytes>, _, _) = (Vec::new(), 0, Duration::ZERO);
    while !stop.load(Relaxed) {
        let calls = next(&mut random, &seen);
        if seed != 1 && [b"FLUSHDB".as_slice(), b"SWAPDB"].contains(&&calls[0][0][..]) {
            continue;
        }
        let (expected, begun) = (calls.len(), Instant::now());
        client.send(calls);
        for _ in 0..expected {
            if let Value::Bulk(text) = client.read()
                && is_id(&text)
            {
                seen.push(text);
            }
        }
        slowest = slowest.max(begun.elapsed());
        let surplus = seen.len().saturating_sub(30);
        seen.drain(..surplus);
        count += expected;
    }
    (count, slowest)
}

/// Several clients at once, while something happens; the slowest call.
pub fn work_while<'a>(
    processes: impl IntoIterator<Item = &'a Respg>,
    clients: u64,
    happens: impl FnOnce(),
) -> Duration {
    let stop = AtomicBool::new(false);
    let addresses: Vec<_> = processes.into_iter().map(Respg::address).collect();
    thread::scope(|scope| {
        let stop = &stop;
        let addresses = &addresses;
        let clients: Vec<_> = (2..clients + 2)
            .map(|seed| {
                let address = addresses[seed as usize % addresses.len()];
                scope.spawn(move || work(address, seed, stop))
            })
            .collect();
        happens();
        stop.store(true, Relaxed);
        let done: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        assert!(done.iter().all(|(count, _)| *count > 0), "{done:?}");
        done.into_iter().map(|(_, slowest)| slowest).max().unwrap_or_default()
    })
}

pub fn pause(seconds: f64) {
    thread::sleep(Duration::from_secs_f64(seconds));
}
