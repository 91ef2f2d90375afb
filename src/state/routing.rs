//! Who answers at the moment in this process, and how that is changed: commands are held back while it changes, so there is never one that
//! goes by the old rule while another goes by the new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::watch;

use super::{Mode, Rule, Side};

/// What commands go by.
#[derive(Debug)]
pub struct Routing {
    gate: watch::Sender<Gate>,
    /// Commands under way.
    passing: AtomicUsize,
    /// Says each new rule.
    changed: watch::Sender<Arc<Rule>>,
}

#[derive(Debug)]
struct Gate {
    /// Whether commands are held back.
    held: bool,
    rule: Arc<Rule>,
}

/// The leave to execute commands by the rule in it; the rule does not change while it lives.
pub struct Passage<'a> {
    pub rule: Arc<Rule>,
    routing: &'a Routing,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.routing.passing.fetch_sub(1, SeqCst);
    }
}

impl Routing {
    pub fn new(rule: Rule) -> Routing {
        let rule = Arc::new(rule);
        Routing {
            gate: watch::Sender::new(Gate { held: false, rule: rule.clone() }),
            passing: AtomicUsize::new(0),
            changed: watch::Sender::new(rule),
        }
    }

    pub fn mode(&self) -> Mode {
        self.gate.borrow().rule.mode
    }

    pub fn rule(&self) -> Arc<Rule> {
        self.gate.borrow().rule.clone()
    }

    /// Whether this side follows the other, be it for some keys. Hot path.
    pub fn is_followed_by(&self, side: Side) -> bool {
        self.gate.borrow().rule.is_followed_by(side)
    }

    /// Waits until commands are not held back. Hot path.
    pub async fn pass(&self) -> Passage<'_> {
        loop {
            // Entered first, then looked at: whoever holds back does it the other way round.
            self.passing.fetch_add(1, SeqCst);
            if let Some(rule) = self.open() {
                return Passage { rule, routing: self };
            }
            self.passing.fetch_sub(1, SeqCst);
            // The sender is here.
            let _ = self.gate.subscribe().wait_for(|gate| !gate.held).await;
        }
    }

    fn open(&self) -> Option<Arc<Rule>> {
        let gate = self.gate.borrow();
        (!gate.held).then(|| gate.rule.clone())
    }

    /// Holds back what comes from now on.
    pub fn hold(&self) {
        self.gate.send_modify(|gate| gate.held = true);
    }

    pub fn is_held(&self) -> bool {
        self.gate.borrow().held
    }

    /// How many commands are.
    pub fn under_way(&self) -> usize {
        self.passing.load(SeqCst)
    }

    /// Whether nothing is under way any more.
    pub fn is_drained(&self) -> bool {
        self.under_way() == 0
    }

    /// Lets commands go on, by this rule.
    pub fn release(&self, rule: Arc<Rule>) {
        if self.rule() != rule {
            self.changed.send_replace(rule.clone());
        }
        self.gate.send_replace(Gate { held: false, rule });
    }

    /// Tells of each change.
    pub fn changes(&self) -> watch::Receiver<Arc<Rule>> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_goes_by_two_rules() {
        let routing = Routing::new(Rule::of(Mode::Redis));
        let before = routing.pass().await;
        routing.hold();
        assert!(!routing.is_drained());
        let later = routing.pass();
        tokio::pin!(later);
        let early = tokio::time::timeout(std::time::Duration::from_millis(10), &mut later).await;
        assert!(early.is_err());
        assert_eq!(before.rule.mode, Mode::Redis);
        drop(before);
        assert!(routing.is_drained());
        routing.release(Arc::new(Rule::of(Mode::Postgres)));
        assert_eq!(later.await.rule.mode, Mode::Postgres);
    }
}
