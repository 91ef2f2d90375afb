//! What was done with each command: calls, time, failures (INFO commandstats, errorstats, latencystats; LATENCY HISTOGRAM). Hot path.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::histogram::Histogram;
use crate::command::{self, Command};

/// Most different error codes that are counted.
const MOST_ERRORS: usize = 128;

/// A command's place among all commands and sub-commands; stable while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandNumber(pub u32);

/// The counters of every command.
pub struct Commands {
    numbers: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    usage: Vec<Usage>,
    errors: Mutex<BTreeMap<Box<[u8]>, u64>>,
}

/// One command's counters.
pub struct Usage {
    pub command: &'static Command,
    pub calls: AtomicU64,
    pub nanos: AtomicU64,
    /// Refused before they ran: wrong number of arguments, not allowed now.
    pub rejected: AtomicU64,
    /// Answered with an error.
    pub failed: AtomicU64,
    latencies: OnceLock<Histogram>,
}

impl Default for Commands {
    fn default() -> Commands {
        let usage: Vec<Usage> = command::all()
            .flat_map(|command| std::iter::once(command).chain(command.subcommands.iter().copied()))
            .map(Usage::new)
            .collect();
        let numbers = usage.iter().enumerate();
        let numbers =
            numbers.map(|(i, usage)| (std::ptr::from_ref(usage.command) as usize, i as u32)).collect();
        Commands { numbers, usage, errors: Mutex::default() }
    }
}

impl Commands {
    pub fn number(&self, command: &'static Command) -> CommandNumber {
        CommandNumber(self.numbers[&(std::ptr::from_ref(command) as usize)])
    }

    pub fn usage(&self, command: &'static Command) -> &Usage {
        &self.usage[self.number(command).0 as usize]
    }

    /// Lower-case name of a command, `NULL` for none, as CLIENT LIST prints it.
    pub fn name(&self, number: Option<CommandNumber>) -> String {
        match number.and_then(|number| self.usage.get(number.0 as usize)) {
            Some(usage) => usage.command.lower_name(),
            None => "NULL".to_owned(),
        }
    }

    /// The counters of all commands that were called or refused.
    pub fn used(&self) -> impl Iterator<Item = &Usage> {
        self.usage.iter().filter(|usage| usage.calls() + usage.rejected.load(Relaxed) > 0)
    }

    /// Counts an error reply by its code.
    pub fn count_error(&self, code: &[u8]) {
        let mut errors = self.errors.lock().expect("no panic while held");
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < MOST_ERRORS {
            errors.insert(code.into(), 1);
        }
    }

    /// Error codes and how often each was answered.
    pub fn errors(&self) -> Vec<(Box<[u8]>, u64)> {
        let errors = self.errors.lock().expect("no panic while held");
        errors.iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.usage.iter().for_each(Usage::reset);
        self.errors.lock().expect("no panic while held").clear();
    }
}

impl Usage {
    fn new(command: &'static Command) -> Usage {
        Usage {
            command,
            calls: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            latencies: OnceLock::new(),
        }
    }

    pub fn count(&self, time: Duration, failed: bool) {
        let nanos = time.as_nanos() as u64;
        self.calls.fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
        self.latencies.get_or_init(Histogram::default).record(nanos, 1);
        if failed {
            self.failed.fetch_add(1, Relaxed);
        }
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Of commands that were called.
    pub fn latencies(&self) -> Option<&Histogram> {
        self.latencies.get().filter(|_| self.calls() > 0)
    }

    fn reset(&self) {
        for counter in [&self.calls, &self.nanos, &self.rejected, &self.failed] {
            counter.store(0, Relaxed);
        }
        if let Some(latencies) = self.latencies.get() {
            latencies.reset();
        }
    }
}

/// Addresses of statics need no more than their bits spread.
#[derive(Default)]
pub struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_resets() {
        let commands = Commands::default();
        let client = command::lookup(b"client").unwrap();
        let id = command::lookup_subcommand(client, b"ID").unwrap();
        commands.usage(id).count(Duration::from_micros(3), true);
        commands.usage(client).rejected.fetch_add(1, Relaxed);
        commands.count_error(b"ERR");
        let used: Vec<(&str, u64)> =
            commands.used().map(|usage| (usage.command.name, usage.calls())).collect();
        assert_eq!(used, [("CLIENT", 0), ("CLIENT|ID", 1)]);
        assert_eq!(commands.name(Some(commands.number(id))), "client|id");
        assert_eq!(commands.errors(), [(b"ERR".as_slice().into(), 1)]);
        commands.reset();
        assert_eq!(commands.used().count(), 0);
        assert!(commands.errors().is_empty());
    }
}
