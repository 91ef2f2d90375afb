//! Waiting for a client's own connection, so that something can be answered here in its place among the replies from there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;

use super::aside::Aside;
use super::sent::{Effect, Sent};
use super::{aside_of, with_aside};
use crate::resp::Reply;
use crate::session::Session;

/// Between two looks at what has come, however much that is.
const GLANCE: Duration = Duration::from_millis(10);

/// What the upstream makes of the client, when nothing is pending.
#[derive(Debug, Default, Clone, Copy)]
pub struct Standing {
    /// There is a connection that the client's next requests would have to go to.
    pub busy: bool,
    /// WATCH or MULTI holds on there.
    pub held: bool,
    /// A subscriber of RESP2: nearly everything is refused.
    pub restricted: bool,
    /// It is somebody whom respg does not know.
    pub somebody_else: bool,
}

/// Waits until everything that was sent to the client's own connection is answered. `pushed`: what it has brought. `None` if the client's connection is over.
pub async fn quiet(session: &mut Session, pushed: &mut VecDeque<Reply>) -> Option<Standing> {
    probe(session);
    let client = session.client.clone();
    let standing = loop {
        let Some(aside) = aside_of(session) else { return Some(Standing::default()) };
        let state = aside.state.clone();
        let is_pending = state.pending.load(Acquire) > 0;
        // Replies are there before they are no longer pending.
        pushed.extend(client.outbox.try_take().into_iter().flatten());
        if client.is_killed() || (aside.is_broken() && aside.is_busy()) {
            session.close = true;
            return None;
        }
        if !is_pending {
            let busy = aside.is_busy();
            let is = |flag: &AtomicBool| busy && flag.load(Relaxed);
            break Standing {
                busy,
                held: is(&state.held),
                restricted: is(&state.restricted),
                somebody_else: is(&state.somebody_else),
            };
        }
        let _ = tokio::time::timeout(GLANCE, state.quiet.notified()).await;
    };
    // What the client has done there is true of the client.
    with_aside(session, Aside::settle);
    Some(standing)
}

/// Subscriptions are confirmed whenever it pleases the upstream, but before what is sent after them is answered.
fn probe(session: &mut Session) {
    with_aside(session, |aside, session| {
        if aside.subscribes && !aside.queues {
            let ping = [Bytes::from_static(b"PING")];
            aside.send(session, Sent { effect: Effect::Probes, ..Sent::silent(ping) });
        }
    });
}
