//! `--memory`: what respg keeps resident when idle, per idle connection, and after load.

use std::io;
use std::time::Duration;

use crate::load::{KEYS, LOADS, VALUE_BYTES};
use crate::options::Options;
use crate::process::{Ports, WorkDir, raise_file_limit, resident};
use crate::redis_benchmark;
use crate::server::Respg;
use crate::wire::{self, Connection};

/// What issue 2 allows.
const IDLE_LIMIT: f64 = 50.0 * 1024.0 * 1024.0;
const CONNECTION_LIMIT: f64 = 10.0 * 1024.0;
/// Connections beyond the idle ones that must still be let in.
const SPARE: usize = 100;

pub fn run(options: &Options) -> io::Result<()> {
    raise_file_limit()?;
    let work = WorkDir::create(&options.dir)?;
    let mut ports = Ports::from(options.port);
    let maxclients = format!("--maxclients={}", options.connections + SPARE);
    let respg = Respg::start(options, &work, &mut ports, &[&maxclients])?;
    let id = respg.process.id();
    let settle = || std::thread::sleep(Duration::from_secs(2));

    settle();
    let idle = resident(id)?;
    report("idle", idle, Some(IDLE_LIMIT));

    let mut ping = Vec::new();
    wire::request(&mut ping, &[b"PING"]);
    let mut connections = Vec::with_capacity(options.connections);
    for _ in 0..options.connections {
        let mut connection = Connection::open(respg.port)?;
        connection.exchange(&ping, 1)?;
        connections.push(connection);
    }
    settle();
    let connected = resident(id)?;
    report(&format!("with {} idle connections", connections.len()), connected, None);
    let each = connected.saturating_sub(idle) as f64 / options.connections.max(1) as f64;
    println!("{:34} {:8.2} KB  {}", "  per idle connection", each / 1024.0, state(each, CONNECTION_LIMIT));
    drop(connections);
    settle();
    report("after they closed", resident(id)?, None);

    wire::fill(respg.port, KEYS, &[b'x'; VALUE_BYTES])?;
    for load in
        LOADS.iter().filter(|load| load.clients == 50 && matches!(load.family, "set" | "get" | "incr"))
    {
        let rate = redis_benchmark::measure(respg.port, load, 20_000)?.per_second;
        redis_benchmark::measure(respg.port, load, (rate * options.seconds) as u64)?;
    }
    report("after load, at once", resident(id)?, None);
    settle();
    report("after load, two seconds later", resident(id)?, None);
    Ok(())
}

fn report(what: &str, bytes: u64, limit: Option<f64>) {
    let state = limit.map_or("", |limit| state(bytes as f64, limit));
    println!("{what:34} {:8.2} MB  {state}", bytes as f64 / (1024.0 * 1024.0));
}

fn state(value: f64, limit: f64) -> &'static str {
    if value < limit { "ok" } else { "above" }
}
