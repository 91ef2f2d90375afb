//! The settings that can be asked for and changed while the process runs (CONFIG GET, CONFIG SET).

mod limits;
mod parameters;
mod parse;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;

pub use limits::OutputLimits;
pub use parameters::{PARAMETERS, Parameter};

use crate::config::Config;
use crate::keyspace::Classes;

/// Current values. Units are those of Redis's parameters of the same names.
pub struct Settings {
    /// Empty: no password.
    pub requirepass: RwLock<Bytes>,
    pub maxclients: AtomicU64,
    /// Seconds an idle client is kept; 0: for ever.
    pub timeout: AtomicU64,
    /// Seconds; 0: off.
    pub tcp_keepalive: AtomicU64,
    /// Bytes.
    pub proto_max_bulk_len: AtomicU64,
    pub protected_mode: AtomicBool,
    /// Microseconds; below zero: nothing is logged.
    pub slowlog_log_slower_than: AtomicI64,
    pub slowlog_max_len: AtomicU64,
    /// Milliseconds; 0: off.
    pub latency_monitor_threshold: AtomicU64,
    pub output_limits: RwLock<OutputLimits>,
    /// Bits of [`Classes`]. Belongs to the database: all processes follow a change by one of them.
    pub notify_keyspace_events: Arc<AtomicU32>,
    /// As started.
    pub config: Config,
}

impl Settings {
    pub fn new(config: Config) -> Settings {
        Settings {
            requirepass: RwLock::new(Bytes::from(config.requirepass.clone())),
            maxclients: config.maxclients.into(),
            timeout: config.timeout.into(),
            tcp_keepalive: config.tcp_keepalive.into(),
            proto_max_bulk_len: config.proto_max_bulk_len.into(),
            protected_mode: config.protected_mode.into(),
            slowlog_log_slower_than: config.slowlog_log_slower_than.into(),
            slowlog_max_len: config.slowlog_max_len.into(),
            latency_monitor_threshold: config.latency_monitor_threshold.into(),
            output_limits: RwLock::new(config.client_output_buffer_limit.unwrap_or_default()),
            notify_keyspace_events: Arc::default(),
            config,
        }
    }

    pub fn notify_keyspace_events(&self) -> Classes {
        Classes::from_bits(self.notify_keyspace_events.load(Relaxed))
    }

    pub fn set_notify_keyspace_events(&self, classes: Classes) {
        self.notify_keyspace_events.store(classes.bits(), Relaxed);
    }

    pub fn max_string(&self) -> usize {
        self.proto_max_bulk_len.load(Relaxed) as usize
    }

    pub fn password(&self) -> Bytes {
        self.requirepass.read().expect("no panic while held").clone()
    }

    /// Whether a client of the user `default` may come in with this password; any will do if none is set. Takes the same time
    /// for every wrong password of one length.
    pub fn admits(&self, given: &[u8]) -> bool {
        let password = self.password();
        let differences = password.iter().zip(given).fold(0, |differences, (a, b)| differences | (a ^ b));
        password.is_empty() || (password.len() == given.len() && differences == 0)
    }

    pub fn output_limits(&self) -> OutputLimits {
        *self.output_limits.read().expect("no panic while held")
    }

    /// From which time on a call is noted in the slow log; `None`: never.
    pub fn slowlog_slower_than(&self) -> Option<Duration> {
        u64::try_from(self.slowlog_log_slower_than.load(Relaxed)).ok().map(Duration::from_micros)
    }

    pub fn slowlog_max_len(&self) -> usize {
        self.slowlog_max_len.load(Relaxed) as usize
    }

    /// From which time on a call is a latency event; zero: never.
    pub fn latency_threshold(&self) -> Duration {
        Duration::from_millis(self.latency_monitor_threshold.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        let settings = Settings::new(Config::defaults());
        assert!(settings.admits(b"anything"));
        *settings.requirepass.write().unwrap() = "secret".into();
        assert!(settings.admits(b"secret"));
        for wrong in ["", "secreT", "secret1", "secre"] {
            assert!(!settings.admits(wrong.as_bytes()), "{wrong}");
        }
    }
}
