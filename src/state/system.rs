//! What the operating system says about this process and this machine (INFO memory, cpu, server).

use std::fs;

/// Memory of this process in bytes; 0 where /proc does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
}

/// Processor time of this process in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cpu {
    pub system: f64,
    pub user: f64,
    pub children_system: f64,
    pub children_user: f64,
}

pub fn memory() -> Memory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Memory { resident: kilobytes(&status, "VmRSS:"), peak: kilobytes(&status, "VmHWM:") }
}

pub fn total_memory() -> u64 {
    kilobytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:")
}

pub fn cpu() -> Cpu {
    parse_cpu(&fs::read_to_string("/proc/self/stat").unwrap_or_default()).unwrap_or_default()
}

/// As `uname -srm`.
pub fn os() -> String {
    let read = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let (kind, release) = (read("ostype"), read("osrelease"));
    format!("{} {} {}", kind.trim(), release.trim(), std::env::consts::ARCH)
}

/// The value of a line `name   number kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Fields 14 to 17 of /proc/PID/stat, in hundredths of a second; the second field is in parentheses and may hold anything.
fn parse_cpu(stat: &str) -> Option<Cpu> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |field: usize| Some(fields.get(field)?.parse::<f64>().ok()? / 100.0);
    Some(Cpu {
        user: seconds(11)?,
        system: seconds(12)?,
        children_user: seconds(13)?,
        children_system: seconds(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc() {
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmRSS:\t    1234 kB\n", "VmRSS:"), 1234 * 1024);
        assert_eq!(kilobytes("", "VmRSS:"), 0);
        let stat = "12 (a) b) S 1 1 1 0 -1 4194304 8 0 0 0 250 100 7 3 20 0 1 0";
        let cpu = Cpu { user: 2.5, system: 1.0, children_user: 0.07, children_system: 0.03 };
        assert_eq!(parse_cpu(stat), Some(cpu));
        assert!(memory().resident > 0 && total_memory() > memory().resident);
    }
}
