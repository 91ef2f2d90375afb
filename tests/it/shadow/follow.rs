//! Everything goes well: both sides are the same, and no reply differed.

use std::thread::{self, sleep};
use std::time::Duration;

use bytes::Bytes;

use super::workload::{Random, is_id, next};
use super::{Shadow, send};
use crate::support::client::{Client, Protocol, Value};
use crate::support::redis::{PROGRAMS, Redis};

/// Ids that XADD has answered.
fn remember(seen: &mut Vec<Bytes>, replies: &[Value]) {
    for reply in replies {
        if let Value::Bulk(text) = reply
            && is_id(text)
        {
            seen.push(text.clone());
        }
    }
    let surplus = seen.len().saturating_sub(30);
    seen.drain(..surplus);
}

/// Several clients at once.
pub fn work(shadow: &Shadow, clients: u64, calls: usize) {
    work_from(shadow, clients, calls, 0);
}

fn work_from(shadow: &Shadow, clients: u64, calls: usize, seed: u64) {
    thread::scope(|scope| {
        for number in 0..clients {
            scope.spawn(move || {
                let protocol = [Protocol::Resp2, Protocol::Resp3][number as usize % 2];
                let mut client = Client::connect(shadow.address(), protocol);
                let (mut random, mut seen) = (Random::new(seed + number + 1), Vec::new());
                for _ in 0..calls {
                    let calls = next(&mut random, &seen);
                    remember(&mut seen, &send(&mut client, &calls));
                }
            });
        }
    });
}

/// No difference is invented either. RESPG_CLEAN_RUNS=100 for the long form.
#[test]
fn both_sides_are_the_same_after_a_workload_of_everything() {
    let runs = std::env::var("RESPG_CLEAN_RUNS").map_or(2, |runs| runs.parse().expect("a number"));
    for program in PROGRAMS {
        let shadow = Shadow::start(Redis::of(program, &[]), &[]);
        shadow.settle();
        for run in 0..runs / 2 {
            work_from(&shadow, 8, 1500, run * 100);
            shadow.assert_equal();
            shadow.assert_no_differences();
        }
    }
}

/// Values go from key to key through the pipe while others write those keys on connections of their own, and databases are exchanged: no reply of the taking shows what
/// was taken.
#[test]
fn values_that_are_taken_from_keys_written_elsewhere() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    thread::scope(|scope| {
        for number in 0..6 {
            let shadow = &shadow;
            scope.spawn(move || {
                let mut client = Client::connect(shadow.address(), Protocol::Resp2);
                let mut random = Random::new(number + 1);
                for turn in 0..700 {
                    let a = random.below(4);
                    let lines = match number {
                        0..3 => format!("WATCH a:{a};SET a:{a} {number}.{turn};UNWATCH"),
                        _ => match random.below(60) {
                            0 => "SWAPDB 0 1".to_owned(),
                            1..20 => format!("COPY a:{a} b:{number} REPLACE;GETDEL b:{number}"),
                            20..40 => format!("RENAME a:{a} c:{number};GETDEL c:{number}"),
                            40..50 => format!("MOVE a:{a} 1;SELECT 1;GETDEL a:{a};SELECT 0"),
                            _ => format!("BITOP NOT d:{number} a:{a};GETDEL d:{number}"),
                        },
                    };
                    client.send(lines.split(';'));
                    lines.split(';').for_each(|_| drop(client.read()));
                }
            });
        }
    });
    shadow.call("SET stays 1");
    shadow.assert_equal();
    shadow.assert_no_differences();
}

/// A reader waits, gets what comes, and its consumer or group is gone or another one before anybody hears of that; or while it begins to wait.
#[test]
fn consumers_and_groups_that_go_while_a_reader_waits() {
    for program in PROGRAMS {
        consumers_and_groups_that_go(&Shadow::start(Redis::of(program, &[]), &[]));
    }
}

fn consumers_and_groups_that_go(shadow: &Shadow) {
    shadow.settle();
    shadow.call("XGROUP CREATE s g $ MKSTREAM");
    let mut reader = shadow.respg.connect();
    for what in ["DELCONSUMER s g c", "DESTROY s g;XGROUP CREATE s g $", "SETID s g 0"] {
        reader.send(["XREADGROUP GROUP g c BLOCK 0 STREAMS s >"]);
        sleep(Duration::from_millis(200));
        shadow.call(&format!("XADD s * f v;XGROUP {what}"));
        assert!(!reader.read().is_error());
        shadow.assert_equal();
    }
    let mut readers: Vec<Client> = (0..5).map(|_| shadow.respg.connect()).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        // It has its own connection to the upstream from here on.
        reader.plain("XREAD BLOCK 1 STREAMS none $");
        reader.send([format!("XREADGROUP GROUP g late:{number} BLOCK 0 STREAMS s >").as_str()]);
        sleep(Duration::from_millis(4));
        shadow.call(&format!("XGROUP DELCONSUMER s g late:{number}"));
    }
    shadow.assert_equal();
    shadow.call("XADD s * f v");
    assert!(!readers[0].read().is_error());
    shadow.assert_equal();
}

#[test]
fn what_respg_does_not_have_is_counted_and_does_no_harm() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.call("SET a 1");
    shadow.call("LPUSH a 1; LPUSH list 1 2; DEL a; LPUSH a 1; SINTERSTORE b a");
    shadow.call("EVAL redis.call('set','b','x') 1 b; SORT list STORE c; HSET h f v");
    shadow.settle();
    let report = shadow.respg.connect().plain(["RESPG.SHADOW", "REPORT"]).map();
    let (foreign, types) = (report[1].1.clone().map(), report[2].1.clone().map());
    assert!(foreign.iter().any(|(name, count)| *name == "LPUSH" && *count == 3), "{foreign:?}");
    assert!(types.iter().any(|(name, _)| *name == "list"), "{types:?}");
    shadow.assert_equal();
}
