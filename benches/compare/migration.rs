//! `--migration`: what clients of a Redis notice of respg in front of it. The Redis by itself, respg as a plain proxy, with Postgres following, with a
//! Postgres that hangs, and with Postgres following while keys of other names are moved by patterns, side by side in every round.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::generator::{self, Random, Traffic, mixed};
use crate::load::{KEYS, VALUE_BYTES};
use crate::options::Options;
use crate::process::{Ports, Process, WorkDir, raise_file_limit, run as run_command};
use crate::server::{Kind, Respg, redis};
use crate::stats::{Sample, Spread, ratio};
use crate::wire::{self, Connection, request};

/// What issue 4 asks for: the proxy's throughput by 50 clients, and how much worse the slowest answers may become when the follower hangs.
const PROXY_PART: f64 = 0.6;
const HUNG_PART: f64 = 1.2;

const CLIENTS: usize = 50;
/// Requests per second where the follower is to keep up.
const PACE: f64 = 3000.0;

const PLACES: [Place; 5] = [Place::Plain, Place::Proxy, Place::Healthy, Place::Hung, Place::Moved];
/// By which nothing of the load is moved.
const PATTERNS: [&[u8]; 4] = [b"session:*", b"cart:*", b"*:lock", b"user:[0-9]*:profile"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Proxy,
    Healthy,
    Hung,
    Moved,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Plain => "redis-server",
            Place::Proxy => "mode redis",
            Place::Healthy => "mode shadow",
            Place::Hung => "shadow, hung",
            Place::Moved => "shadow, moved",
        }
    }
}

/// Mixed commands, as in `mixed-50`.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    pipeline: usize,
    pace: Option<f64>,
}

const LOADS: [Load; 3] = [
    Load { name: "50 clients", pipeline: 1, pace: None },
    Load { name: "50 clients, pipeline 16", pipeline: 16, pace: None },
    Load { name: "50 clients, 3000 a second", pipeline: 1, pace: Some(PACE) },
];

/// A Redis, and perhaps a respg before it.
struct Setting {
    port: u16,
    respg: Option<Respg>,
    _redis: Process,
}

pub fn run(options: &Options) -> io::Result<()> {
    raise_file_limit()?;
    let work = WorkDir::create(&options.dir)?;
    let mut ports = Ports::from(options.port);
    let plain = Setting::start(options, &work, &mut ports, None)?;
    let proxy = Setting::start(options, &work, &mut ports, Some("redis"))?;
    let shadow = Setting::start(options, &work, &mut ports, Some("shadow"))?;
    let moved = Setting::start(options, &work, &mut ports, Some("shadow"))?;
    moved.move_keys()?;

    let mut samples = vec![vec![Vec::new(); PLACES.len()]; LOADS.len()];
    for round in 0..options.rounds {
        for (load, samples) in LOADS.iter().zip(&mut samples) {
            for turn in 0..PLACES.len() {
                let at = (round + turn) % PLACES.len();
                let setting = match PLACES[at] {
                    Place::Plain => &plain,
                    Place::Proxy => &proxy,
                    Place::Healthy | Place::Hung => &shadow,
                    Place::Moved => &moved,
                };
                let sample = setting.measure(*load, PLACES[at] == Place::Hung, options.seconds)?;
                let (round, rate) = (round + 1, sample.per_second);
                eprintln!("{:26} round {round} {:14} {rate:9.0}/s", load.name, PLACES[at].name());
                samples[at].push(sample);
            }
        }
    }
    report(&samples);
    Ok(())
}

impl Setting {
    fn start(
        options: &Options,
        work: &WorkDir,
        ports: &mut Ports,
        mode: Option<&str>,
    ) -> io::Result<Setting> {
        let (redis_port, redis) = redis(Kind::RedisMem, work, ports)?;
        let respg = match mode {
            Some(mode) => {
                let upstream = format!("redis://127.0.0.1:{redis_port}");
                let spool = work.folder(&format!("shadow-{redis_port}"))?.display().to_string();
                let mut arguments = vec!["--upstream", &upstream, "--mode", mode];
                if mode == "shadow" {
                    arguments.extend(["--shadow-dir", &spool]);
                }
                Some(Respg::start(options, work, ports, &arguments)?)
            }
            None => None,
        };
        let port = respg.as_ref().map_or(redis_port, |respg| respg.port);
        wire::fill(port, KEYS, &[b'x'; VALUE_BYTES])?;
        let setting = Setting { port, respg, _redis: redis };
        setting.caught_up()?;
        Ok(setting)
    }

    fn measure(&self, load: Load, hung: bool, seconds: f64) -> io::Result<Sample> {
        let stopped = hung.then(|| self.stop_postgres()).transpose()?;
        let value = [b'x'; VALUE_BYTES];
        let next = move |random: &mut Random, out: &mut Vec<u8>| mixed(random, &value, out);
        let traffic = Traffic { clients: CLIENTS, pipeline: load.pipeline, pace: load.pace, next };
        let sample = generator::measure(self.port, traffic, Duration::from_secs_f64(seconds));
        drop(stopped);
        self.caught_up()?;
        sample
    }

    /// Postgres answers for keys with certain names.
    fn move_keys(&self) -> io::Result<()> {
        let mut out = Vec::new();
        let words = [b"RESPG.MODE".as_slice(), b"SET", b"reverse", b"KEYS"];
        request(&mut out, &words.into_iter().chain(PATTERNS).collect::<Vec<_>>());
        match Connection::open(self.port)?.exchange(&out, 1)? {
            ok if ok == b"+OK\r\n" => Ok(()),
            refused => Err(io::Error::other(String::from_utf8_lossy(&refused).into_owned())),
        }
    }

    /// Processes of respg's Postgres, which stand still until the value is dropped.
    fn stop_postgres(&self) -> io::Result<Stopped> {
        let Some(respg) = &self.respg else { return Err(io::Error::other("there is no Postgres here")) };
        let stopped = Stopped(respg.postgres.processes()?);
        stopped.signal("STOP")?;
        Ok(stopped)
    }

    /// Waits until nothing is left for the follower to do.
    fn caught_up(&self) -> io::Result<()> {
        if self.respg.is_none() {
            return Ok(());
        }
        let mut connection = Connection::open(self.port)?;
        let begun = Instant::now();
        loop {
            let mut out = Vec::new();
            request(&mut out, &[b"RESPG.SHADOW", b"STATUS"]);
            let status = connection.exchange(&out, 1)?;
            if ["lag_records", "unsettled_keys", "dirty_slots"].iter().all(|name| count(&status, name) == 0) {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(120) {
                return Err(io::Error::other("the follower does not catch up"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An integer of a status.
fn count(status: &[u8], name: &str) -> u64 {
    let text = String::from_utf8_lossy(status);
    let after = text.split_once(&format!("{name}\r\n:")).map_or("0", |(_, after)| after);
    after.split('\r').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

struct Stopped(Vec<String>);

impl Stopped {
    fn signal(&self, name: &str) -> io::Result<()> {
        run_command(Command::new("kill").args(["-s", name]).args(&self.0)).map(drop)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Err(error) = self.signal("CONT") {
            eprintln!("Postgres stands still: {error}");
        }
    }
}

fn report(samples: &[Vec<Vec<Sample>>]) {
    println!(
        "{:26} {:14} {:>10} {:>12} {:>9} {:>9}",
        "mixed commands", "", "a second", "of Redis's", "p50 ms", "p99 ms"
    );
    let median = |samples: &[Sample], of: fn(&Sample) -> f64| {
        Spread::of(samples.iter().map(of)).map_or(0.0, |spread| spread.median)
    };
    for (load, samples) in LOADS.iter().zip(samples) {
        for (place, list) in PLACES.iter().zip(samples) {
            let part = ratio(list, &samples[0]).map_or(0.0, |ratio| ratio.median);
            println!(
                "{:26} {:14} {:10.0} {part:12.2} {:9.2} {:9.2}",
                load.name,
                place.name(),
                median(list, |s| s.per_second),
                median(list, |s| s.p50_ms),
                median(list, |s| s.p99_ms)
            );
        }
        let state = |is_ok| if is_ok { "ok" } else { "missed" };
        if load.pipeline == 1 && load.pace.is_none() {
            let part = ratio(&samples[1], &samples[0]).map_or(0.0, |ratio| ratio.median);
            println!("proxy at least {PROXY_PART} of Redis: {}", state(part >= PROXY_PART));
        }
        let [healthy, hung] = [2, 3].map(|at| median(&samples[at], |s| s.p99_ms));
        println!(
            "p99 with a hung follower at most {HUNG_PART} of the healthy one's: {}",
            state(hung <= healthy * HUNG_PART)
        );
    }
}
