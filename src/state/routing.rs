//! Who answers at the moment in this process, and how that is changed: commands are held back while it changes, so there is never one that
//! goes by the old rule while another goes by the new one.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

use tokio::sync::watch;

use super::Mode;

/// What commands go by.
#[derive(Debug)]
pub struct Routing {
    mode: AtomicU8,
    /// Commands under way.
    passing: AtomicUsize,
    /// True while commands are held back.
    held: watch::Sender<bool>,
    /// Says each new mode.
    changed: watch::Sender<Mode>,
}

/// The leave to execute commands by the mode in it; the mode does not change while it lives.
pub struct Passage<'a> {
    pub mode: Mode,
    routing: &'a Routing,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.routing.passing.fetch_sub(1, SeqCst);
    }
}

impl Routing {
    pub fn new(mode: Mode) -> Routing {
        Routing {
            mode: AtomicU8::new(mode as u8),
            passing: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            changed: watch::Sender::new(mode),
        }
    }

    pub fn mode(&self) -> Mode {
        Mode::ALL[usize::from(self.mode.load(SeqCst))]
    }

    /// Waits until commands are not held back. Hot path.
    pub async fn pass(&self) -> Passage<'_> {
        loop {
            // Entered first, then looked at: whoever holds back does it the other way round.
            self.passing.fetch_add(1, SeqCst);
            if !*self.held.borrow() {
                return Passage { mode: self.mode(), routing: self };
            }
            self.passing.fetch_sub(1, SeqCst);
            // The sender is here.
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
    }

    /// Holds back what comes from now on.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Whether nothing is under way any more.
    pub fn is_drained(&self) -> bool {
        self.passing.load(SeqCst) == 0
    }

    /// Lets commands go on, by this mode.
    pub fn release(&self, mode: Mode) {
        let before = self.mode.swap(mode as u8, SeqCst);
        if before != mode as u8 {
            self.changed.send_replace(mode);
        }
        self.held.send_replace(false);
    }

    /// Tells of each change.
    pub fn changes(&self) -> watch::Receiver<Mode> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_goes_by_two_modes() {
        let routing = Routing::new(Mode::Redis);
        let before = routing.pass().await;
        routing.hold();
        assert!(!routing.is_drained());
        let later = routing.pass();
        tokio::pin!(later);
        let early = tokio::time::timeout(std::time::Duration::from_millis(10), &mut later).await;
        assert!(early.is_err());
        assert_eq!(before.mode, Mode::Redis);
        drop(before);
        assert!(routing.is_drained());
        routing.release(Mode::Postgres);
        assert_eq!(later.await.mode, Mode::Postgres);
    }
}
