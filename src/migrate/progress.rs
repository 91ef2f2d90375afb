//! How far a task has come: one line on standard error that is written over, or now and then a line if that is no terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(10);
/// The rate is that of the last while.
const MEMORY: f64 = 5.0;

pub struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    terminal: bool,
    began: Instant,
    shown: Instant,
    shown_done: u64,
    rate: f64,
}

impl Progress {
    /// Of `total` keys, as far as is known.
    pub fn new(what: &'static str, total: u64) -> Progress {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Progress { what, total, done: 0, terminal, began: now, shown: now, shown_done: 0, rate: 0.0 }
    }

    pub fn add(&mut self, keys: u64) {
        self.done += keys;
        let since = self.shown.elapsed();
        if since < if self.terminal { ON_TERMINAL } else { ELSEWHERE } {
            return;
        }
        let recent = (self.done - self.shown_done) as f64 / since.as_secs_f64();
        let weight = (since.as_secs_f64() / MEMORY).min(1.0);
        self.rate = if self.rate == 0.0 { recent } else { self.rate + weight * (recent - self.rate) };
        (self.shown, self.shown_done) = (Instant::now(), self.done);
        self.show();
    }

    fn show(&self) {
        let total = self.total.max(self.done);
        let share = if total == 0 { 1.0 } else { self.done as f64 / total as f64 };
        let left = (total - self.done) as f64 / self.rate.max(0.001);
        let bar: String =
            (0..30).map(|i| if (f64::from(i) + 0.5) / 30.0 < share { '=' } else { ' ' }).collect();
        let line = format!(
            "{} [{bar}] {:3.0} %  {} of {total} keys, {:.0}/s, {} left",
            self.what,
            share * 100.0,
            self.done,
            self.rate,
            clock(left)
        );
        let mut out = std::io::stderr().lock();
        // Nobody may be reading.
        let _ = if self.terminal { write!(out, "\r{line}\x1b[K") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    /// Takes the line away.
    pub fn finish(self) -> Duration {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        self.began.elapsed()
    }
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.min(359_999.0) as u64;
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}
