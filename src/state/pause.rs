//! CLIENT PAUSE: which commands have to wait, and until when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::{MutexGuard, Notify};

/// What is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paused {
    Nothing,
    Writes,
    All,
}

/// The pause of this process. Cheap to ask when there is none.
#[derive(Debug)]
pub struct Pause {
    what: AtomicU8,
    /// `None`: for ever.
    until: Mutex<Option<Instant>>,
    changed: Notify,
    /// Who holds it goes first when the pause ends.
    turn: tokio::sync::Mutex<()>,
    /// How many clients have their turn or wait for it.
    held: AtomicUsize,
}

/// A client's place among those that were held back; the next one's turn comes when it is dropped.
pub struct Turn<'p> {
    _turn: MutexGuard<'p, ()>,
    _held: Held<'p>,
}

/// Counts a client that is held back.
struct Held<'p>(&'p AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Default for Pause {
    fn default() -> Pause {
        Pause {
            what: AtomicU8::new(Paused::Nothing as u8),
            until: Mutex::default(),
            changed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            held: AtomicUsize::new(0),
        }
    }
}

impl Pause {
    /// Pauses for `time` from now. A pause in force is only ever extended, in time and in what it holds back.
    pub fn begin(&self, what: Paused, time: Duration) {
        let current = self.now();
        let mut until = self.until.lock().expect("no panic while held");
        let wanted = Instant::now().checked_add(time);
        *until = match (current, *until, wanted) {
            (Paused::Nothing, _, wanted) => wanted,
            (_, Some(old), Some(new)) => Some(old.max(new)),
            _ => None,
        };
        self.what.store(current.max(what) as u8, Relaxed);
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.what.store(Paused::Nothing as u8, Relaxed);
        self.changed.notify_waiters();
    }

    /// What is held back at this moment. Hot path.
    pub fn now(&self) -> Paused {
        let what = match self.what.load(Relaxed) {
            0 => return Paused::Nothing,
            1 => Paused::Writes,
            _ => Paused::All,
        };
        if self.left().is_zero() {
            self.end();
            return Paused::Nothing;
        }
        what
    }

    /// Whether nothing is held back, and nobody is left who was. Hot path.
    pub fn is_over(&self) -> bool {
        self.held.load(Relaxed) == 0 && self.now() == Paused::Nothing
    }

    /// Whether clients that were held back have not all gone on.
    pub fn has_held(&self) -> bool {
        self.held.load(Relaxed) > 0
    }

    /// Waits for all who were held back earlier.
    pub async fn turn(&self) -> Turn<'_> {
        self.held.fetch_add(1, Relaxed);
        let held = Held(&self.held);
        Turn { _turn: self.turn.lock().await, _held: held }
    }

    /// Waits until the pause ends or changes, or for a moment at most: the caller asks again.
    pub async fn wait(&self) {
        const MOMENT: Duration = Duration::from_millis(100);
        let _ = tokio::time::timeout(self.left().min(MOMENT), self.changed.notified()).await;
    }

    fn left(&self) -> Duration {
        let until = *self.until.lock().expect("no panic while held");
        until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_extended_and_ends() {
        let pause = Pause::default();
        assert_eq!(pause.now(), Paused::Nothing);
        pause.begin(Paused::All, Duration::from_millis(20));
        pause.begin(Paused::Writes, Duration::from_millis(1));
        assert_eq!(pause.now(), Paused::All);
        while pause.now() != Paused::Nothing {
            pause.wait().await;
        }
        pause.begin(Paused::Writes, Duration::from_secs(u64::MAX));
        assert_eq!(pause.now(), Paused::Writes);
        pause.end();
        assert_eq!(pause.now(), Paused::Nothing);
    }
}
