//! What the numbers belong to: the machine, its disk, how busy it was, the versions.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::process::run;
use crate::stats::percentile;

pub struct Machine {
    cores: usize,
    /// Median of one appended block with its flush, in microseconds.
    flush_micros: u32,
    /// Median of a byte's way to a thread on another core and back, in microseconds: what waking takes, twice.
    wake_micros: u32,
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
            wake_micros: wake_micros()?,
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
        let Machine { cores, flush_micros, wake_micros, busy, redis, postgres } = self;
        let warning = if *busy > 10 { "; not quiet: its numbers are worth little" } else { "" };
        format!(
            "{cores} cores shared by clients and servers, a flush takes {flush_micros} us, \
             a byte to another core and back {wake_micros} us, redis-server {redis}, Postgres {postgres}\n\
             {busy} % of the machine in use before the start{warning}"
        )
    }

    pub fn json(&self) -> String {
        let Machine { cores, flush_micros, wake_micros, busy, redis, postgres } = self;
        format!(
            "{{\"cores\": {cores}, \"flush_us\": {flush_micros}, \"wake_us\": {wake_micros}, \"busy_percent\": {busy}, \
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

/// On virtual machines it differs tenfold, by whether a core that has nothing to do polls for a while or is given back to the host.
fn wake_micros() -> io::Result<u32> {
    let ours = sched_getaffinity(None)?;
    let cores = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core));
    let only = |core: Option<usize>| {
        let mut set = CpuSet::new();
        core.into_iter().for_each(|core| set.set(core));
        set
    };
    let (near, far) = (only(cores.clone().min()), only(cores.max()));
    let (mut here, mut there) = UnixStream::pair()?;
    let echo = std::thread::spawn(move || -> io::Result<()> {
        sched_setaffinity(None, &far)?;
        let mut byte = [0];
        while there.read(&mut byte)? > 0 {
            there.write_all(&byte)?;
        }
        Ok(())
    });
    let ask = std::thread::spawn(move || -> io::Result<Vec<u32>> {
        sched_setaffinity(None, &near)?;
        let mut micros = Vec::new();
        for _ in 0..2000 {
            let start = Instant::now();
            here.write_all(&[0])?;
            here.read_exact(&mut [0])?;
            micros.push(start.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
        }
        Ok(micros)
    });
    let ended = "neither thread panics";
    let mut micros = ask.join().expect(ended)?;
    echo.join().expect(ended)?;
    micros.sort_unstable();
    Ok(percentile(&micros, 0.5))
}
