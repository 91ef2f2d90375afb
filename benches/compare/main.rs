//! How fast is respg, held against redis-server and against Postgres used directly?
//!
//! `cargo bench --bench compare` starts all servers on one machine and one disk, puts the same loads on them in
//! alternating rounds and prints medians, ratios and their spread. Absolute numbers belong to the machine, ratios travel
//! better. `-- --help` lists the options; `--memory`, `--soak` and `--queue-soak` look at respg's memory and tables
//! instead, `--wake-up` at blocked readers, `--migration` at what clients notice of respg in front of their Redis.

mod chart;
mod generator;
mod load;
mod machine;
mod memory;
mod migration;
mod options;
mod pgbench;
mod pgmq;
mod postgres;
mod process;
mod pubsub;
mod queue;
mod queue_soak;
mod redis_benchmark;
mod report;
mod result;
mod server;
mod soak;
mod stats;
mod streams;
mod wakeup;
mod wire;

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;

use crate::load::{LOADS, Load, Target};
use crate::options::Options;
use crate::result::Results;
use crate::server::{Amount, Fleet, Server};

fn main() -> ExitCode {
    let mut options = Options::parse();
    if !options.bench {
        println!("nothing measured: run cargo bench --bench compare");
        return ExitCode::SUCCESS;
    }
    if options.quick {
        options.rounds = 1;
        options.seconds = 0.5;
    }
    let done = if options.list {
        list();
        Ok(())
    } else if options.memory {
        memory::run(&options)
    } else if let Some(minutes) = options.soak {
        soak::run(&options, minutes)
    } else if let Some(minutes) = options.queue_soak {
        queue_soak::run(&options, minutes)
    } else if options.wake_up {
        wakeup::run(&options)
    } else if options.migration {
        migration::run(&options)
    } else {
        compare(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for load in &LOADS {
        let target = match load.target {
            Target::Of(kind, part) => format!("at least {part} of {}", kind.name()),
            Target::OfLoad(other, part) => format!("at least {part} of respg's {other}"),
            Target::None => String::new(),
        };
        println!("{:16} {:2} clients, pipeline {:2}  {target}", load.name, load.clients, load.pipeline);
    }
}

fn compare(options: &Options) -> io::Result<()> {
    let loads = options.chosen_loads().map_err(io::Error::other)?;
    let fleet = Fleet::start(options)?;
    println!("{}", fleet.machine.describe());
    let mut results = Results::default();
    for load in loads {
        measure(options, &fleet, load, &mut results)?;
    }
    println!("\n{}", report::table(&results));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder)?;
    let json = folder.join("compare.json");
    fs::write(&json, report::json(&fleet.machine, &results))?;
    let svg = match &options.svg {
        Some(path) => path.clone(),
        None if options.is_complete() => Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare.svg"),
        None => folder.join("compare.svg"),
    };
    fs::write(&svg, chart::draw(&results))?;
    println!("written: {} and {}", json.display(), svg.display());
    Ok(())
}

/// What a server does after its load, as letting processors sleep again (`--respg-arg=--cpu-dma-latency=0`), shall not be the next one's.
const REST: Duration = Duration::from_millis(300);

/// Measures every server once per round. The order rotates, so that what one server leaves behind for the disk does not
/// always hit the same neighbour.
fn measure(options: &Options, fleet: &Fleet, load: &'static Load, results: &mut Results) -> io::Result<()> {
    let amount = Amount { seconds: options.seconds, requests: options.requests };
    let trial =
        Amount { seconds: options.seconds.min(0.5), requests: options.requests.map(|n| n.div_ceil(10)) };
    let servers: Vec<&Server> = fleet.servers.iter().filter(|server| server.kind().serves(load)).collect();
    let mut rates = Vec::new();
    for server in &servers {
        let first = server.measure(load, trial, None)?.per_second;
        let second = server.measure(load, trial, Some(first))?.per_second;
        rates.push(second);
    }
    for round in 0..options.rounds {
        for turn in 0..servers.len() {
            let at = (round + turn) % servers.len();
            let server = servers[at];
            sleep(REST);
            let sample = server.measure(load, amount, Some(rates[at]))?;
            eprintln!(
                "{:16} round {} {:10} {:9.0}/s",
                load.name,
                round + 1,
                server.kind().name(),
                sample.per_second
            );
            rates[at] = sample.per_second;
            results.add(load, server.kind(), sample);
        }
    }
    Ok(())
}
