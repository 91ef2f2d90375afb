//! The database's clock is set forward and back (libfaketime in Postgres). Seen to fail when XADD takes the time without looking at the last id.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use super::processes::id;
use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::Scratch;
use crate::support::respg::Respg;
use crate::support::tcp_postgres::TcpPostgres;

const HOUR_MS: u64 = 3_600_000;

/// A Postgres whose clock can be set.
struct Stepping {
    postgres: TcpPostgres,
    clock: PathBuf,
    _scratch: Scratch,
}

impl Stepping {
    fn start() -> Stepping {
        let scratch = Scratch::new();
        let clock = scratch.path().join("clock");
        fs::write(&clock, "+0").unwrap();
        let library = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
        let library = if library.exists() { library.to_owned() } else { other_library() };
        let on = Path::new("1");
        let variables = [
            ("LD_PRELOAD", &*library),
            ("FAKETIME_TIMESTAMP_FILE", &clock),
            ("FAKETIME_NO_CACHE", on),
            ("FAKETIME_DONT_FAKE_MONOTONIC", on),
        ];
        let rules = ["host all all 127.0.0.1/32 trust"];
        let postgres = TcpPostgres::start_with(&variables, &[], &[], &rules);
        Stepping { postgres, clock, _scratch: scratch }
    }

    fn respg(&self) -> Respg {
        Respg::on(&format!("postgres://respg@127.0.0.1:{}/respg", self.postgres.port()), &[])
    }

    /// Sets the clock so many hours off.
    fn step(&self, hours: i32) {
        // Not half written when Postgres looks.
        let new = self.clock.with_extension("new");
        fs::write(&new, format!("{hours:+}h")).unwrap();
        fs::rename(&new, &self.clock).unwrap();
    }
}

fn other_library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let library = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists());
    library.expect("libfaketime: tests/install.sh installs it")
}

#[test]
fn ids_go_on_where_the_clock_was() {
    let postgres = Stepping::start();
    let respg = postgres.respg();
    let mut c = respg.connect();
    assert_eq!(c.plain("XGROUP CREATE s g $ MKSTREAM"), ok());
    let first = id(&c.plain("XADD s * f v"));
    postgres.step(1);
    let ahead = id(&c.plain("XADD s * f v"));
    assert!(ahead.0 >= first.0 + HOUR_MS);
    assert_eq!(c.plain("XREADGROUP GROUP g c STREAMS s >").entries().len(), 1);
    let mut waiting = c.sibling();
    waiting.send(["XREAD BLOCK 0 STREAMS s $"]);
    while !c.plain("INFO clients").to_string_lossy().contains("blocked_clients:1\r") {
        thread::yield_now();
    }
    postgres.step(-1);
    assert_eq!(id(&c.plain("XADD s * f v")), (ahead.0, ahead.1 + 1));
    assert_eq!(waiting.read().entries().len(), 1);
    assert_eq!(id(&c.plain("XADD s * f v")), (ahead.0, ahead.1 + 2));
    // Delivered in the future: no idle time, and not less.
    let Value::Array(pending) = c.plain("XPENDING s g - + 9") else { panic!("no list") };
    assert_eq!(pending.len(), 2);
    for entry in pending {
        let Value::Array(parts) = entry else { panic!("no entry") };
        assert_eq!(parts[2], 0);
    }
    assert_eq!(c.plain("XLEN s"), 4);
}

#[test]
fn what_ends_at_a_time_goes_by_the_clock() {
    let postgres = Stepping::start();
    let respg = postgres.respg();
    let mut c = respg.connect();
    assert_eq!(c.plain("SET k v EX 1800"), ok());
    postgres.step(1);
    assert_eq!(c.plain("GET k"), Value::Null);
    assert_eq!(c.plain("SET k v EX 1800"), ok());
    postgres.step(-1);
    let left = c.plain("TTL k").integer();
    assert!((9000 - 60..=9000).contains(&left), "{left}");
    assert_eq!(c.plain("SET lock me NX PX 60000"), ok());
    assert_eq!(c.plain("SET lock me NX PX 60000"), Value::Null);
}

/// The clock jumps about while clients of two processes add: each client's ids increase, and the stream has all of them in order.
#[test]
fn ids_increase_whatever_the_clock_does() {
    const ENTRIES: usize = 200;
    let postgres = Stepping::start();
    let processes = [postgres.respg(), postgres.respg()];
    let mut all: Vec<(u64, u64)> = thread::scope(|scope| {
        let producers: Vec<_> = (0..4)
            .map(|n| {
                let address = processes[n % 2].address();
                scope.spawn(move || {
                    let mut c = Client::connect(address, Protocol::Resp2);
                    let ids: Vec<_> = (0..ENTRIES).map(|_| id(&c.plain("XADD s * f v"))).collect();
                    assert!(ids.is_sorted_by(|a, b| a < b), "ids of one producer increase");
                    ids
                })
            })
            .collect();
        for hours in [2, -3, 5, 0, -9, 1].into_iter().cycle() {
            if producers.iter().all(|producer| producer.is_finished()) {
                break;
            }
            postgres.step(hours);
            thread::sleep(std::time::Duration::from_millis(20));
        }
        producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect()
    });
    all.sort_unstable();
    let before = all.len();
    all.dedup();
    assert_eq!((before, all.len()), (4 * ENTRIES, 4 * ENTRIES));
    let Value::Array(entries) = processes[0].connect().plain("XRANGE s - +") else { panic!("no entries") };
    let found = entries.iter().map(|entry| match entry {
        Value::Array(parts) => id(&parts[0]),
        other => panic!("not an entry: {other:?}"),
    });
    assert_eq!(found.collect::<Vec<_>>(), all);
}
