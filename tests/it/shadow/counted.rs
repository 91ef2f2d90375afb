//! Clients of several processes increment the same keys while the mode changes in all ways, on a busy machine, and Postgres stops now and then: each number is answered once, and none is left out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::faults::{Postgres, Stop};
use super::pair::{PATIENCE, Pair, pause};
use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::redis::PROGRAMS;

const KEYS: [&str; 3] = ["a:1", "b:1", "c:1"];

/// What one client was told, and of how many calls it was told nothing.
#[derive(Default)]
struct Told {
    numbers: BTreeMap<&'static str, Vec<i64>>,
    unknown: BTreeMap<&'static str, i64>,
}

fn increment(address: SocketAddr, stop: &AtomicBool, calls: &AtomicU64) -> Told {
    let (mut told, mut client) = (Told::default(), Client::connect(address, Protocol::Resp2));
    client.wait_up_to(100);
    while !stop.load(Relaxed) {
        for key in KEYS {
            match client.plain(["INCR", key]) {
                Value::Integer(number) => {
                    let numbers = told.numbers.entry(key).or_default();
                    assert!(numbers.last() < Some(&number), "{key}: {number} after {:?}", numbers.last());
                    numbers.push(number);
                }
                // Postgres may have stopped.
                _ => *told.unknown.entry(key).or_default() += 1,
            }
            calls.fetch_add(1, Relaxed);
        }
        thread::sleep(Duration::from_millis(3));
    }
    told
}

/// RESPG_CHANGES says how many.
fn changes() -> usize {
    std::env::var("RESPG_CHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[test]
#[ignore = "busy loops on all processors for half a minute; RESPG_CHANGES=60 is the long form"]
fn every_number_once() {
    let postgres = Postgres::start();
    let pair = Pair::on(PROGRAMS[0], postgres.url());
    let _redis = pair.redis();
    let options = ["--postgres-timeout", "1000", "--threads", "1", "--pool-size", "8"];
    let first = pair.settled(0, &[&options[..], &["--mode", "shadow"]].concat());
    let processes = [first, pair.respg(1, &options), pair.respg(2, &options)];
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let told: Vec<Told> = thread::scope(|scope| {
        let (stop, calls, _stopping) = (&stop, &calls, Stop(&stop));
        (0..2).for_each(|_| drop(scope.spawn(|| while !stop.load(Relaxed) {})));
        let addresses = processes.iter().map(|respg| respg.address()).cycle().take(6);
        let clients: Vec<_> =
            addresses.map(|address| scope.spawn(move || increment(address, stop, calls))).collect();
        let ways = [
            "postgres",
            "reverse",
            "redis",
            "shadow",
            "reverse KEYS a:*",
            "reverse KEYS b:* a:1",
            "shadow KEYS a:*",
            "reverse",
            "shadow",
            "READS 50",
            "reverse",
            "postgres",
            "reverse",
            "shadow",
            "READS 100",
        ];
        let (mut made, mut refused) = (0, 0);
        for (number, way) in ways.into_iter().cycle().take(changes()).enumerate() {
            let mut admin = processes[number % 3].connect();
            admin.wait_up_to(100);
            let begun = Instant::now();
            // Every fifth time Postgres stops in the middle of it.
            let stops = number % 5 == 4;
            loop {
                let call = format!("RESPG.MODE SET {way}");
                let call = if way.starts_with("READS") { call.replace("SET ", "") } else { call };
                admin.send([call.as_str()]);
                if stops && begun.elapsed() < Duration::from_millis(500) {
                    pause(0.02 * (number % 4) as f64);
                    postgres.signal(Signal::STOP);
                    pause([2.0, 0.3, 6.0][number % 3]);
                    postgres.signal(Signal::CONT);
                }
                let said = admin.read();
                if said == ok() {
                    made += 1;
                    break;
                }
                eprintln!("{way}: {said:?}");
                refused += 1;
                assert!(begun.elapsed() < PATIENCE, "{way}: {said:?}");
                pause(0.1);
            }
            let before = calls.load(Relaxed);
            let begun = Instant::now();
            while calls.load(Relaxed) < before + 60 {
                assert!(begun.elapsed() < PATIENCE);
                pause(0.01);
            }
        }
        println!("{made} changes, {refused} refused, {} calls", calls.load(Relaxed));
        stop.store(true, Relaxed);
        clients.into_iter().map(|client| client.join().expect("it counts")).collect()
    });
    let mut client = processes[0].connect();
    for key in KEYS {
        let mut numbers: Vec<i64> = told.iter().flat_map(|told| told.numbers[key].clone()).collect();
        let unknown: i64 = told.iter().filter_map(|told| told.unknown.get(key)).sum();
        numbers.sort_unstable();
        let twice: Vec<_> = numbers.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        assert!(twice.is_empty(), "{key}: twice {twice:?}");
        let last: i64 = client.plain(["GET", key]).to_string_lossy().parse().expect("a number");
        let count = numbers.len() as i64;
        println!("{key}: {last}, {count} answered, {unknown} unknown");
        assert!(
            (count..=count + unknown).contains(&last),
            "{key}: {last}, {count} answered, {unknown} unknown"
        );
    }
    pair.assert_equal(&processes);
}
