//! Calls that touch two logical databases, many of them, by clients that meet.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use super::change_mode;
use super::faults::Stop;
use super::pair::{Pair, number, pause};
use super::workload::Random;
use crate::support::redis::PROGRAMS;

/// `K` is a key of few.
const CALLS: &[&str] = &[
    "MOVE K 1",
    "SELECT 1;MOVE K 0;SELECT 0",
    "COPY K K DB 1 REPLACE",
    "SET K 1",
    "WATCH K;MULTI;MOVE K 1;SET K 2;EXEC",
    "WATCH K;MULTI;SELECT 1;COPY K K DB 0 REPLACE;SELECT 0;EXEC",
    "WATCH K;MULTI;RENAME K K;EXEC",
    "WATCH K;COPY K K DB 1 REPLACE;MOVE K 1;MOVE K 99;UNWATCH",
];

fn client(address: SocketAddr, seed: u64, stop: &AtomicBool) {
    let (mut client, mut random) = (super::connect(address), Random::new(seed));
    while !stop.load(Relaxed) {
        let mut calls = Vec::new();
        for _ in 0..8 {
            let line = CALLS[random.below(CALLS.len() as u64) as usize];
            let mut key = || format!("k:{}", random.below(40));
            calls.extend(line.split(';').map(|call| {
                let words = call.split(' ').map(|word| if word == "K" { key() } else { word.to_owned() });
                words.collect::<Vec<_>>().join(" ")
            }));
        }
        client.send(calls.iter().map(String::as_str));
        calls.iter().for_each(|_| drop(client.read()));
    }
}

/// Their keys are read again in both; given up, their slots would be in repair as long as this goes on, and the mode could not be changed.
#[test]
fn the_mode_changes_while_keys_move() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (address, mut admin, stop) = (respg.address(), respg.connect(), &stop);
        let stopping = Stop(stop);
        (1..7).for_each(|seed| drop(scope.spawn(move || client(address, seed, stop))));
        for _ in 0..10 {
            pause(0.03);
            assert_eq!(number(&mut admin, "dirty_slots"), 0);
        }
        change_mode(&mut admin, "reverse");
        pause(0.1);
        drop(stopping);
    });
    pair.assert_equal([&respg]);
}
