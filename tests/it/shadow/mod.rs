//! Shadow mode: what clients do to a real Redis is done again in Postgres.

mod absent;
mod brought;
mod counted;
mod deaths;
mod faults;
mod follow;
mod held_up;
mod keys;
mod keys_moving;
mod lapsed;
mod late;
mod look;
mod modes;
mod more_databases;
mod own_connections;
mod pair;
mod reads;
mod report;
mod reverse;
mod round_trip;
mod scripts;
mod tended;
mod trouble;
mod two_databases;
mod workload;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Protocol, Value};
use crate::support::pg::{Scratch, fresh_database};
use crate::support::redis::Redis;
use crate::support::respg::{Respg, blocking};
use crate::support::way::{Leg, way};

/// A Redis, and a respg in shadow mode before it.
pub struct Shadow {
    pub redis: Redis,
    pub database: String,
    pub respg: Respg,
    options: Vec<String>,
    scratch: Scratch,
}

/// What RESPG.SHADOW DIFFS says of one kind of difference.
#[derive(Debug)]
pub struct Difference {
    pub class: String,
    pub command: String,
    pub pattern: String,
    pub _told: String,
}

impl Shadow {
    pub fn start(redis: Redis, options: &[&str]) -> Shadow {
        Shadow::on(redis, blocking(fresh_database()), options)
    }

    /// On a database that there is.
    pub fn on(redis: Redis, database: String, options: &[&str]) -> Shadow {
        let scratch = Scratch::new();
        let mode = ["--mode", "shadow"].iter();
        let options: Vec<String> = mode.chain(options).map(|word| (*word).to_owned()).collect();
        let respg = run(&redis, &database, &scratch, &options);
        Shadow { redis, database, respg, options, scratch }
    }

    /// Kills respg in the middle of whatever it does, does something, and starts it again.
    pub fn kill(&mut self, meanwhile: impl FnOnce()) {
        self.respg.kill();
        meanwhile();
        self.respg = run(&self.redis, &self.database, &self.scratch, &self.options);
    }

    /// Waits for its end and starts it again.
    pub fn restart(&mut self) {
        self.respg.wait();
        self.respg = run(&self.redis, &self.database, &self.scratch, &self.options);
    }

    /// Where it keeps what is to survive it.
    pub fn folder(&self) -> PathBuf {
        folder(&self.scratch)
    }

    pub fn address(&self) -> SocketAddr {
        self.respg.address()
    }

    /// Sends a client's calls, divided by `;`.
    pub fn call(&self, lines: &str) -> Vec<Value> {
        let mut client = self.respg.connect();
        client.send(lines.split(';'));
        lines.split(';').map(|_| client.read()).collect()
    }

    pub fn status(&self) -> BTreeMap<String, i64> {
        let status = self.respg.connect().plain(["RESPG.SHADOW", "STATUS"]).map();
        status.into_iter().map(|(name, value)| (name.to_string_lossy(), value.integer())).collect()
    }

    pub fn number(&self, name: &str) -> i64 {
        self.status()[name]
    }

    /// Waits until nothing is left to be done.
    pub fn settle(&self) {
        let started = Instant::now();
        let mut client = self.respg.connect();
        let mut quiet = 0;
        while quiet < 3 {
            let status = client.plain(["RESPG.SHADOW", "STATUS"]).map();
            let busy = ["lag_records", "lag_ms", "unsettled_keys", "dirty_slots"]
                .iter()
                .any(|name| status.iter().any(|(key, value)| *key == *name && *value != 0));
            quiet = if busy { 0 } else { quiet + 1 };
            assert!(started.elapsed() < Duration::from_secs(180), "does not settle: {status:?}");
            sleep(Duration::from_millis(20));
        }
    }

    pub fn differences(&self) -> Vec<Difference> {
        let Value::Array(found) = self.respg.connect().plain(["RESPG.SHADOW", "DIFFS"]) else {
            panic!("no array")
        };
        found
            .into_iter()
            .map(|found| {
                let fields = found.map();
                let word = |at: usize| fields[at].1.to_string_lossy();
                Difference {
                    class: word(0),
                    command: word(1),
                    pattern: word(2),
                    _told: format!("{:?}", &fields[3..]),
                }
            })
            .collect()
    }

    /// Both sides are the same, says `respg verify`.
    pub fn assert_equal(&self) {
        self.settle();
        let json = verify(&self.redis, &self.database);
        let told = || format!("{:?} {:#?}", self.status(), self.differences());
        assert_eq!(json["different"], 0, "{json:#}\n{}", told());
        assert!(json["keys"].as_u64().is_some_and(|keys| keys > 0), "{json:#}");
    }

    /// That no reply differed and no key had to be repaired.
    pub fn assert_no_differences(&self) {
        let differences = self.differences();
        assert!(differences.is_empty(), "{differences:#?}");
    }

    /// RESPG.MODE SET; on a loaded machine processes may be late, then nothing has changed.
    pub fn change_mode(&self, mode: &str) {
        change_mode(&mut self.respg.connect(), mode);
    }
}

/// In mode redis, with a way to the Redis on which BLPOP takes 300 ms and nothing else does.
pub fn with_late_blpop() -> (Redis, Respg) {
    let is_late = |leg, piece: &[u8]| leg == Leg::There && piece.windows(5).any(|word| word == b"BLPOP");
    let late =
        move |leg, piece: &[u8]| sleep(Duration::from_millis(if is_late(leg, piece) { 300 } else { 0 }));
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let upstream = format!("redis://{}", way(redis.address(), late));
    let respg = Respg::on(&database, &["--upstream", &upstream, "--mode", "redis"]);
    (redis, respg)
}

/// Asks until the answer is as wanted.
pub fn until(client: &mut Client, call: &str, wanted: &Value) {
    let begun = Instant::now();
    loop {
        match client.plain(call) {
            found if found == *wanted => return,
            found => assert!(begun.elapsed() < Duration::from_secs(20), "{found:?}"),
        }
        sleep(Duration::from_millis(50));
    }
}

pub fn change_mode(admin: &mut Client, mode: &str) {
    let begun = Instant::now();
    loop {
        match admin.plain(format!("RESPG.MODE SET {mode}").as_str()) {
            Value::Status(ok) if ok == "OK" => return,
            refused => assert!(begun.elapsed() < Duration::from_secs(60), "{refused:?}"),
        }
        sleep(Duration::from_millis(100));
    }
}

fn folder(scratch: &Scratch) -> PathBuf {
    scratch.path().join("shadow")
}

fn run(redis: &Redis, database: &str, scratch: &Scratch, options: &[String]) -> Respg {
    let (url, folder) = (redis.url(), folder(scratch).display().to_string());
    let all = ["--upstream", &url, "--shadow-dir", &folder, "--postgres-timeout", "1000"];
    let options: Vec<&str> = all.into_iter().chain(options.iter().map(String::as_str)).collect();
    Respg::on(database, &options)
}

/// What `respg verify` says.
pub fn verify(redis: &Redis, database: &str) -> serde_json::Value {
    let output = task("verify", redis, database, &["--json", "--settle", "600"]);
    serde_json::from_slice(&output).expect("JSON")
}

/// What a task of the program prints.
pub fn task(name: &str, redis: &Redis, database: &str, options: &[&str]) -> Vec<u8> {
    let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
    respg.args([name, &redis.url()]).args(options).env("RESPG_DATABASE_URL", database);
    let output = respg.output().expect("it runs");
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A connection that gives the replies of a client's calls.
pub fn send(client: &mut Client, calls: &[Vec<bytes::Bytes>]) -> Vec<Value> {
    client.send(calls.iter().cloned());
    calls.iter().map(|_| client.read()).collect()
}

/// One that fails when the server is gone, instead of ending the test.
pub fn connect(address: SocketAddr) -> Client {
    Client::connect(address, Protocol::Resp2)
}
