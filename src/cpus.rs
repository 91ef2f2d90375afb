//! Lists of processors, in the form of Redis's `server_cpulist` and of taskset: `0,2`, `0-3`, `0-7:2` (every second one).
//!
//! A thread's processors are also those of the programs and threads that it starts.

use std::fmt;
use std::str::FromStr;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processors that threads are confined to: one of this process's at least, those that there are not do not matter.
#[derive(Clone)]
pub struct Cpus {
    set: CpuSet,
    text: String,
}

impl Cpus {
    /// Confines this thread. If none of the processors is this process's any more it goes on where it is, with a warning: a Postgres that has
    /// to be started again must not fail for that.
    pub fn confine(&self) {
        set_to(&self.set);
    }

    /// Confines this thread while `start` starts a program.
    pub fn lend<T>(&self, start: impl FnOnce() -> T) -> T {
        let before = sched_getaffinity(None);
        self.confine();
        let started = start();
        before.iter().for_each(set_to);
        started
    }
}

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Cpus, String> {
        let mut set = CpuSet::new();
        for part in text.split(',') {
            let (first, last, step) = range(part).ok_or("must be like 0,2 or 0-3 or 0-7:2")?;
            (first..=last.min(CpuSet::MAX_CPU - 1)).step_by(step).for_each(|cpu| set.set(cpu));
        }
        let ours = sched_getaffinity(None).map_err(|error| error.to_string())?;
        match (0..CpuSet::MAX_CPU).any(|cpu| set.is_set(cpu) && ours.is_set(cpu)) {
            true => Ok(Cpus { set, text: text.to_owned() }),
            false => Err("respg may use none of these processors".to_owned()),
        }
    }
}

fn set_to(set: &CpuSet) {
    if let Err(error) = sched_setaffinity(None, set) {
        tracing::warn!("a thread stays on the processors that it has: {error}");
    }
}

/// `4`, `0-3` or `0-7:2` as the first, the last and the step.
fn range(text: &str) -> Option<(usize, usize, usize)> {
    let (ends, step) = text.split_once(':').unwrap_or((text, "1"));
    let (first, last) = ends.split_once('-').unwrap_or((ends, ends));
    let (first, last, step) = (first.parse().ok()?, last.parse().ok()?, step.parse().ok()?);
    (first <= last && step > 0).then_some((first, last, step))
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cpus({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let numbers = |text: &str| {
            let cpus: Cpus = text.parse().unwrap();
            (0..CpuSet::MAX_CPU).filter(|cpu| cpus.set.is_set(*cpu)).collect::<Vec<_>>()
        };
        assert_eq!(numbers("0"), [0]);
        assert_eq!(numbers("0,5-7,3"), [0, 3, 5, 6, 7]);
        assert_eq!(numbers("0-7:3"), [0, 3, 6]);
        assert_eq!(numbers("0-18446744073709551615:1023"), [0, 1023]);
        for bad in ["", "x", "0,", "-1", "3-1", "0-", "0-3:0", "0 1", "18446744073709551616"] {
            assert_eq!(bad.parse::<Cpus>().unwrap_err(), "must be like 0,2 or 0-3 or 0-7:2", "{bad}");
        }
        assert_eq!("1023".parse::<Cpus>().unwrap_err(), "respg may use none of these processors");
        assert_eq!("5000".parse::<Cpus>().unwrap_err(), "respg may use none of these processors");
    }

    #[test]
    fn processors_that_are_gone_change_nothing() {
        let before = sched_getaffinity(None).unwrap();
        let mut set = CpuSet::new();
        set.set(CpuSet::MAX_CPU - 1);
        let gone = Cpus { set, text: String::new() };
        gone.confine();
        assert_eq!(gone.lend(|| sched_getaffinity(None).unwrap()), before);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }

    #[test]
    fn a_program_is_lent_them_and_the_thread_keeps_its_own() {
        let before = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).unwrap();
        let cpus: Cpus = first.to_string().parse().unwrap();
        let of_child = cpus.lend(|| {
            std::process::Command::new("grep").args(["Cpus_allowed_list", "/proc/self/status"]).output()
        });
        let text = String::from_utf8(of_child.unwrap().stdout).unwrap();
        assert_eq!(text.split_whitespace().last(), Some(first.to_string().as_str()));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
