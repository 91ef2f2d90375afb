//! redis-benchmark as load generator.

use std::io;
use std::process::Command;

use crate::load::{KEYS, Load, VALUE_BYTES, Work};
use crate::process::run;
use crate::stats::Sample;
use crate::streams;

/// Sends `requests` requests of a load to a port. Not all loads are redis-benchmark's.
pub fn measure(port: u16, load: &Load, requests: u64) -> io::Result<Sample> {
    let mut command = Command::new("redis-benchmark");
    command.args(["--csv", "--precision", "3", "-h", "127.0.0.1"]);
    for (flag, value) in [
        ("-p", u64::from(port)),
        ("-c", load.clients as u64),
        ("-P", load.pipeline as u64),
        ("-r", KEYS),
        ("-d", VALUE_BYTES as u64),
        ("-n", requests),
    ] {
        command.args([flag, &value.to_string()]);
    }
    match load.work {
        Work::Set => command.args(["-t", "set"]),
        Work::Get => command.args(["-t", "get"]),
        Work::Incr => command.args(["-t", "incr"]),
        Work::IncrHot => command.args(["incr", "hot"]),
        Work::Xadd => command.args(["xadd", &streams::fresh_name(), "*", "field", &"x".repeat(VALUE_BYTES)]),
        Work::Mixed | Work::Publish { .. } | Work::Queue { .. } => {
            return Err(io::Error::other("redis-benchmark cannot do this"));
        }
    };
    parse(&run(&mut command)?)
}

/// Reads the table: a line of column names, then one line per test.
fn parse(csv: &str) -> io::Result<Sample> {
    let broken = || io::Error::other(format!("cannot read redis-benchmark's result: {csv}"));
    let mut lines = csv.lines().filter(|line| line.starts_with('"'));
    let cells =
        |line: &str| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect::<Vec<_>>();
    let (names, values) =
        lines.next().zip(lines.next()).map(|(a, b)| (cells(a), cells(b))).ok_or_else(broken)?;
    let column = |name: &str| {
        let at = names.iter().position(|n| n == name)?;
        values.get(at)?.parse::<f64>().ok()
    };
    let sample = || {
        Some(Sample {
            per_second: column("rps")?,
            p50_ms: column("p50_latency_ms")?,
            p99_ms: column("p99_latency_ms")?,
        })
    };
    sample().ok_or_else(broken)
}
