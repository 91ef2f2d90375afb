//! The settings that can be asked for and changed while the process runs (CONFIG GET, CONFIG SET).

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

use crate::config::Config;

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
            config,
        }
    }

    pub fn max_string(&self) -> usize {
        self.proto_max_bulk_len.load(Relaxed) as usize
    }

    pub fn password(&self) -> Bytes {
        self.requirepass.read().expect("no panic while held").clone()
    }
}
