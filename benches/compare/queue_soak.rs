//! `--queue-soak`: a queue that runs for long, with a transaction held open elsewhere for a part of the time. Throughput must stay, tables
//! must stop growing; what the held transaction keeps vacuum from removing must go afterwards. Now and then a new queue on new servers
//! shows how fast the machine is at that moment.

use std::io;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::options::Options;
use crate::postgres::Postgres;
use crate::process::{Ports, WorkDir, resident};
use crate::server::Respg;
use crate::stats::{Sample, Spread};
use crate::streams::Stream;

const PRODUCERS: usize = 50;
const COUNT: usize = 10;
/// The stream keeps about so many entries, as queues in Redis do.
const MAXLEN: u64 = 100_000;

/// How long a new queue is measured; before that as long unmeasured.
const CONTROL: Duration = Duration::from_secs(15);

/// Every table of respg's that has had rows: name, MB with TOAST, MB of indexes, live and dead rows.
const TABLES: &str = "
    SELECT s.relname, pg_table_size(s.relid), pg_indexes_size(s.relid), s.n_live_tup, s.n_dead_tup
    FROM pg_stat_user_tables s
    WHERE s.schemaname = 'respg' AND s.n_tup_ins > 1000
    ORDER BY pg_total_relation_size(s.relid) DESC";

pub fn run(options: &Options, minutes: u64) -> io::Result<()> {
    let work = WorkDir::create(&options.dir)?;
    let mut ports = Ports::from(options.port);
    let respg = Respg::start(options, &work, &mut ports, &[])?;
    let stream = Stream { port: respg.port, name: "soak".to_owned(), maxlen: Some(MAXLEN) };
    stream.create()?;
    let minute = Duration::from_secs(if options.quick { 2 } else { 60 });
    let held = minutes / 4 + 1..minutes / 4 + 1 + options.held;

    println!("minute  messages/s  p99 ms    passed  RSS MB  tables: MB + indexes MB, live rows, dead rows");
    let mut holder = None;
    let (mut rates, mut passed, mut control) = (Vec::new(), 0.0, None);
    for number in 1..=minutes {
        if number == held.start && !held.is_empty() {
            holder = Some(Holder::start(&respg.postgres)?);
        }
        if number == held.end {
            holder = None;
        }
        if options.control > 0 && (number - 1).is_multiple_of(options.control) {
            let rate = new_queue(options, &work, &mut ports)?;
            println!("        {rate:10.0}  by a new queue on new servers");
            control = Some(rate);
        }
        let sample = stream.measure(PRODUCERS, COUNT, minute)?;
        passed += sample.per_second * minute.as_secs_f64();
        let mark = if holder.is_some() { "held" } else { "" };
        print(number, &sample, passed, resident(respg.process.id())?, &respg.postgres, mark)?;
        rates.push(Minute { number, rate: sample.per_second, control });
    }
    drop(holder);
    summary(&rates, &held);
    Ok(())
}

struct Minute {
    number: u64,
    /// Messages per second.
    rate: f64,
    /// What a new queue made last.
    control: Option<f64>,
}

/// Messages per second of a queue that has just begun.
fn new_queue(options: &Options, work: &WorkDir, ports: &mut Ports) -> io::Result<f64> {
    let respg = Respg::start(options, work, ports, &[])?;
    let stream = Stream { port: respg.port, name: "new".to_owned(), maxlen: Some(MAXLEN) };
    stream.create()?;
    let time = if options.quick { CONTROL / 15 } else { CONTROL };
    stream.measure(PRODUCERS, COUNT, time)?;
    Ok(stream.measure(PRODUCERS, COUNT, time)?.per_second)
}

fn print(
    number: u64,
    sample: &Sample,
    passed: f64,
    resident: u64,
    postgres: &Postgres,
    mark: &str,
) -> io::Result<()> {
    let megabytes = |bytes: f64| bytes / (1024.0 * 1024.0);
    let mut tables = Vec::new();
    for line in postgres.sql(TABLES)?.lines() {
        let cells: Vec<&str> = line.split('|').collect();
        let [name, table, index, live, dead] = cells[..] else { continue };
        let size = |cell: &str| megabytes(cell.parse().unwrap_or(0.0));
        tables.push(format!("{name} {:.0}+{:.0} {live} {dead}", size(table), size(index)));
    }
    println!(
        "{number:6}  {:10.0} {:7.2} {:8.2}M {:7.1}  {}  {mark}",
        sample.per_second,
        sample.p99_ms,
        passed / 1e6,
        megabytes(resident as f64),
        tables.join("; ")
    );
    Ok(())
}

fn summary(minutes: &[Minute], held: &Range<u64>) {
    let rates: Vec<_> = minutes.iter().map(|minute| (minute.number, minute.rate)).collect();
    compare("messages/s", &rates, held);
    let ratio = |minute: &Minute| Some((minute.number, minute.rate / minute.control?));
    let ratios: Vec<_> = minutes.iter().filter_map(ratio).collect();
    compare("messages per one of a new queue", &ratios, held);
}

/// The first minutes beside those of the held transaction and the last ones.
fn compare(what: &str, minutes: &[(u64, f64)], held: &Range<u64>) {
    let median = |part: Range<u64>| {
        let chosen = minutes.iter().filter(|(number, _)| part.contains(number));
        Spread::of(chosen.map(|(_, value)| *value)).map(|spread| spread.median)
    };
    let last = minutes.len() as u64;
    let quarter = (last / 4).max(1);
    let Some(first) = median(1..quarter + 1) else { return };
    for (name, part) in
        [("while a transaction was held open", held.clone()), ("at the end", last - quarter + 1..last + 1)]
    {
        if let Some(now) = median(part) {
            let percent = (now / first - 1.0) * 100.0;
            println!("{what} {name}: {now:.2}, at the beginning {first:.2} ({percent:+.1} %)");
        }
    }
}

/// A session with a snapshot that keeps every row deleted from now on.
struct Holder(Child);

impl Holder {
    fn start(postgres: &Postgres) -> io::Result<Holder> {
        let script = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM respg.migrations; SELECT pg_sleep(86400)";
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-c", script, postgres.url()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Holder)
    }
}

impl Drop for Holder {
    /// psql's end is not noticed by the server while it sleeps: the interrupt makes psql cancel the statement.
    fn drop(&mut self) {
        let interrupt = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        if interrupt.is_err() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
