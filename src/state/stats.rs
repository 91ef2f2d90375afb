//! Counters since the start (INFO stats).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub struct Stats {
    pub connections_received: AtomicU64,
    pub connections_rejected: AtomicU64,
    pub commands_processed: AtomicU64,
    pub input_bytes: AtomicU64,
    pub output_bytes: AtomicU64,
    pub error_replies: AtomicU64,
    pub expired_keys: AtomicU64,
    pub commands_rate: Rate,
    pub input_rate: Rate,
    pub output_rate: Rate,
}

impl Stats {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        let counters = [
            &self.connections_received,
            &self.connections_rejected,
            &self.commands_processed,
            &self.input_bytes,
            &self.output_bytes,
            &self.error_replies,
            &self.expired_keys,
        ];
        counters.iter().for_each(|counter| counter.store(0, Relaxed));
        for rate in [&self.commands_rate, &self.input_rate, &self.output_rate] {
            *rate.0.lock().expect("no panic while held") = None;
        }
    }
}

/// How fast a counter grows: between the last two times somebody asked, which lie at least a second apart.
#[derive(Debug, Default)]
pub struct Rate(Mutex<Option<(Instant, u64, f64)>>);

impl Rate {
    /// The growth per second of a counter that is at `count` now.
    pub fn per_second(&self, count: u64) -> f64 {
        let now = Instant::now();
        let mut last = self.0.lock().expect("no panic while held");
        let (since, from, rate) = *last.get_or_insert((now, count, 0.0));
        let elapsed = now - since;
        if elapsed < Duration::from_secs(1) {
            return rate;
        }
        let rate = count.saturating_sub(from) as f64 / elapsed.as_secs_f64();
        *last = Some((now, count, rate));
        rate
    }
}
