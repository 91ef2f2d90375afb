//! What the numbers belong to: the machine, its disk, how busy it was, the versions.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::run;
use crate::stats::percentile;

pub struct Machine {
    cores: usize,
    /// Median of one appended block with its flush, in microseconds.
    flush_micros: u32,
    /// Percent of all cores that were in use by others before the start.
    busy: u64,
    redis: String,
    pub postgres: String,
}

impl Machine {
    /// Looks at the machine before any load is put on it; `folder` is on the disk the servers use.
    pub fn look(folder: &Path) -> io::Result<Machine> {
        let version = run(Command::new("redis-server").arg("--version"))?;
        Ok(Machine {
            cores: std::thread::available_parallelism()?.get(),
            flush_micros: flush_micros(folder)?,
            busy: busy_percent()?,
            redis: version
                .split_whitespace()
                .find_map(|word| word.strip_prefix("v="))
                .unwrap_or("-")
                .to_owned(),
            postgres: "-".to_owned(),
        })
    }

    pub fn describe(&self) -> String {
        let Machine { cores, flush_micros, busy, redis, postgres } = self;
        let warning = if *busy > 10 { "; not quiet: its numbers are worth little" } else { "" };
        format!(
            "{cores} cores shared by clients and servers, a flush takes {flush_micros} us, \
             redis-server {redis}, Postgres {postgres}\n\
             {busy} % of the machine in use before the start{warning}"
        )
    }

    pub fn json(&self) -> String {
        let Machine { cores, flush_micros, busy, redis, postgres } = self;
        format!(
            "{{\"cores\": {cores}, \"flush_us\": {flush_micros}, \"busy_percent\": {busy}, \
             \"redis\": \"{redis}\", \"postgres\": \"{postgres}\"}}"
        )
    }
}

/// Time not idle over one second, of all cores.
fn busy_percent() -> io::Result<u64> {
    let before = jiffies()?;
    std::thread::sleep(Duration::from_secs(1));
    let after = jiffies()?;
    let (total, idle) = (after.0 - before.0, after.1 - before.1);
    Ok((total.saturating_sub(idle) * 100).checked_div(total).unwrap_or(0))
}

/// All time and idle time since boot.
fn jiffies() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    let times: Vec<u64> = first.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let idle = times.iter().skip(3).take(2).sum();
    Ok((times.iter().take(8).sum(), idle))
}

fn flush_micros(folder: &Path) -> io::Result<u32> {
    let path = folder.join("flush");
    let mut file = File::create(&path)?;
    let mut micros = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        micros.push(start.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
    }
    fs::remove_file(path)?;
    micros.sort_unstable();
    Ok(percentile(&micros, 0.5))
}
