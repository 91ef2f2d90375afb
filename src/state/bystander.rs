//! Changes of the mode as they are seen by a process that answers no clients (`respg import`, `respg verify` ...): it goes along, or says why not yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Process;
use super::stored_rule::Stored;
use super::switch::CHANGED;
use super::token::{done, ready_topic, refusal};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Process {
    /// Until it is dropped. `busy`: what must not be disturbed.
    pub async fn go_along(self: Arc<Process>, busy: watch::Receiver<Option<&'static str>>) {
        let changed = Arc::new(Notify::new());
        let heard = changed.clone();
        self.bus.on_signal(move |_, topic| {
            if topic == CHANGED {
                heard.notify_one();
            }
        });
        let mut last = None;
        loop {
            match self.stored_rule().await {
                Ok(Some(Stored::Changing { token, .. })) if last.as_ref() != Some(&token) => {
                    self.bus.signal(match *busy.borrow() {
                        None => ready_topic(&token, self.bus.process),
                        Some(why) => refusal(&token, why),
                    });
                    last = Some(token);
                }
                Ok(Some(Stored::Settled(_))) => {
                    if let Some(token) = last.take() {
                        self.bus.signal(ready_topic(&done(&token), self.bus.process));
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "cannot read the rule"),
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changed.notified()).await;
        }
    }
}
