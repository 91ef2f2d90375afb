//! How long the upstream may have been without this process: whoever asks it who is there (CLIENT LIST) takes a process that is not for gone after some time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use super::Pipe;
use crate::resp::Protocol;

/// So long after it was last certainly connected a process may go on as before when it is again; later it has to ask Postgres.
pub const LEASE: Duration = Duration::from_secs(3);
const PULSE: Duration = Duration::from_secs(1);

/// When the upstream has certainly seen us.
#[derive(Default)]
pub(super) struct Pulse {
    seen: Option<Instant>,
    pub(super) is_connected: bool,
}

impl Pulse {
    pub(super) fn is_stale(&self) -> bool {
        self.seen.is_none_or(|seen| seen.elapsed() > LEASE)
    }

    /// It has answered what was sent at this moment.
    pub(super) fn seen(&mut self, at: Instant) {
        self.seen = self.seen.max(Some(at));
    }
}

impl Pipe {
    /// Asks the upstream for a sign of life now and then, for ever.
    pub(super) async fn pulse(&self) {
        let ping = [Bytes::from_static(b"PING")];
        loop {
            let sent = Instant::now();
            let answer = self.call(self.url.db, Protocol::Resp2, std::iter::once(&ping[..]), None);
            let answered = tokio::time::timeout(PULSE, answer).await;
            let is_away = {
                let pulse = &mut self.state().pulse;
                if let Ok(Ok(_)) = answered {
                    pulse.seen(sent);
                }
                !pulse.is_connected && pulse.is_stale()
            };
            if is_away {
                self.away.send_replace(true);
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Says when this process may have been away from the upstream for too long to go on on other connections.
    pub fn away(&self) -> watch::Receiver<bool> {
        self.away.subscribe()
    }
}
