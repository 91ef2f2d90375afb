//! `--soak`: constant overwrites with TTLs. Memory, tables and indexes must stop growing.

use std::io;
use std::time::Duration;

use crate::generator::{self, Random, Traffic};
use crate::load::VALUE_BYTES;
use crate::options::Options;
use crate::process::{Ports, WorkDir, resident};
use crate::server::Respg;
use crate::wire::request;

/// Sizes and rows of everything in respg's schema, the tables' TOAST included.
const SIZES: &str = "
    SELECT coalesce(sum(pg_table_size(c.oid)), 0), coalesce(sum(pg_indexes_size(c.oid)), 0),
           coalesce(sum(s.n_live_tup), 0), coalesce(sum(s.n_dead_tup), 0),
           coalesce(sum(s.n_tup_upd), 0), coalesce(sum(s.n_tup_hot_upd), 0)
    FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE s.schemaname = 'respg'";

/// One minute of the soak.
struct Minute {
    rate: f64,
    p99_ms: f64,
    resident: u64,
    table: u64,
    index: u64,
    live: u64,
    dead: u64,
    hot_percent: u64,
}

pub fn run(options: &Options, minutes: u64) -> io::Result<()> {
    let work = WorkDir::create(&options.dir)?;
    let respg = Respg::start(options, &work, &mut Ports::from(options.port), &[])?;
    let keys = options.soak_keys;
    let next = move |random: &mut Random, out: &mut Vec<u8>| overwrite(random, keys, out);
    let traffic = Traffic { clients: 50, pipeline: 4, pace: None, next };
    let minute = Duration::from_secs(if options.quick { 2 } else { 60 });

    println!("minute     ops/s  p99 ms   RSS MB  table MB  index MB      live      dead  HOT %");
    let mut history = Vec::new();
    for number in 1..=minutes {
        let load = generator::measure(respg.port, traffic, minute)?;
        let text = respg.postgres.sql(SIZES)?;
        let numbers: Vec<u64> = text.trim().split('|').filter_map(|cell| cell.parse().ok()).collect();
        let [table, index, live, dead, updates, hot] = numbers[..] else {
            return Err(io::Error::other(format!("unexpected sizes: {text}")));
        };
        let now = Minute {
            rate: load.per_second,
            p99_ms: load.p99_ms,
            resident: resident(respg.process.id())?,
            table,
            index,
            live,
            dead,
            hot_percent: (hot * 100).checked_div(updates).unwrap_or(0),
        };
        print(number, &now);
        history.push(now);
    }
    growth(&history);
    Ok(())
}

/// SET with a TTL of 1 to 60 seconds mostly; some keys are read, extended or deleted.
fn overwrite(random: &mut Random, keys: u64, out: &mut Vec<u8>) {
    let key = format!("soak:{:012}", random.below(keys));
    let seconds = (1 + random.below(60)).to_string();
    match random.below(20) {
        0 => request(out, &[b"DEL", key.as_bytes()]),
        1 => request(out, &[b"EXPIRE", key.as_bytes(), seconds.as_bytes()]),
        2 => request(out, &[b"GET", key.as_bytes()]),
        _ => request(out, &[b"SET", key.as_bytes(), &[b'x'; VALUE_BYTES], b"EX", seconds.as_bytes()]),
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

fn print(number: u64, minute: &Minute) {
    println!(
        "{number:6} {:9.0} {:7.2} {:8.1} {:9.1} {:9.1} {:9} {:9} {:6}",
        minute.rate,
        minute.p99_ms,
        megabytes(minute.resident),
        megabytes(minute.table),
        megabytes(minute.index),
        minute.live,
        minute.dead,
        minute.hot_percent
    );
}

/// The largest sizes of the second half of the run beside those of the second quarter: the first quarter is
/// the time in which keys appear and vacuum finds its pace.
fn growth(history: &[Minute]) {
    let count = history.len();
    if count < 8 {
        println!("too short to speak of growth");
        return;
    }
    let (early, late) = (&history[count / 4..count / 2], &history[count / 2..]);
    for (name, of) in [
        ("RSS", (|m: &Minute| m.resident) as fn(&Minute) -> u64),
        ("tables", |m| m.table),
        ("indexes", |m| m.index),
    ] {
        let largest = |part: &[Minute]| part.iter().map(of).max().unwrap_or(0);
        let (before, after) = (largest(early), largest(late));
        let percent = (after as f64 / before.max(1) as f64 - 1.0) * 100.0;
        println!("{name}: {:.1} MB, later {:.1} MB ({percent:+.1} %)", megabytes(before), megabytes(after));
    }
}
