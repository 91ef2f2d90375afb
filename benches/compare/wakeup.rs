//! `--wake-up`: how long after an XADD was sent a reader that blocks on the stream has the entry.

use std::io;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::process::{Ports, WorkDir, raise_file_limit};
use crate::server::{Kind, Respg, redis};
use crate::stats::percentile;
use crate::streams::fresh_name;
use crate::wire::{Connection, request};

/// What issue 3 allows: the median within a process, 99 of 100 from another one.
const SAME_P50_MS: f64 = 2.0;
const OTHER_P99_MS: f64 = 20.0;

pub fn run(options: &Options) -> io::Result<()> {
    raise_file_limit()?;
    let work = WorkDir::create(&options.dir)?;
    let mut ports = Ports::from(options.port);
    let (redis_port, _redis) = redis(Kind::RedisAof, &work, &mut ports)?;
    let near = Respg::start(options, &work, &mut ports, &[])?;
    let far = near.beside(options, &work, &mut ports)?;

    println!("{:24} {:>8} {:>8} {:>8} {:>8}", "wake-up, ms", "p50", "p90", "p99", "max");
    measure(options, "redis-server", redis_port, redis_port)?;
    let same = measure(options, "respg, same process", near.port, near.port)?;
    let other = measure(options, "respg, other process", near.port, far.port)?;
    let state = |is_ok| if is_ok { "ok" } else { "above" };
    println!("same process: p50 under {SAME_P50_MS} ms: {}", state(same.p50 < SAME_P50_MS));
    println!("other process: p99 under {OTHER_P99_MS} ms: {}", state(other.p99 < OTHER_P99_MS));
    Ok(())
}

struct Times {
    p50: f64,
    p99: f64,
}

fn measure(options: &Options, name: &str, reads_at: u16, writes_at: u16) -> io::Result<Times> {
    let mut others = Vec::new();
    for _ in 0..options.blocked {
        let mut connection = Connection::open(reads_at)?;
        connection.send(&read(&fresh_name()))?;
        others.push(connection);
    }
    let (mut reader, mut writer) = (Connection::open(reads_at)?, Connection::open(writes_at)?);
    let times = if options.quick { 20 } else { options.requests.unwrap_or(500) };
    let mut micros = Vec::new();
    for number in 0..times {
        let stream = fresh_name();
        reader.send(&read(&stream))?;
        // Long enough to be asleep, and not always at the same distance from anybody's clock.
        std::thread::sleep(Duration::from_micros(20_000 + number * 137 % 10_000));
        let mut out = Vec::new();
        request(&mut out, &[b"XADD", stream.as_bytes(), b"*", b"field", b"value"]);
        let sent = Instant::now();
        writer.send(&out)?;
        reader.reply()?;
        micros.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        writer.reply()?;
    }
    micros.sort_unstable();
    let [p50, p90, p99, max] =
        [0.5, 0.9, 0.99, 1.0].map(|part| f64::from(percentile(&micros, part)) / 1000.0);
    println!("{name:24} {p50:8.2} {p90:8.2} {p99:8.2} {max:8.2}");
    Ok(Times { p50, p99 })
}

fn read(stream: &str) -> Vec<u8> {
    let mut out = Vec::new();
    request(&mut out, &[b"XREAD", b"BLOCK", b"0", b"STREAMS", stream.as_bytes(), b"$"]);
    out
}
