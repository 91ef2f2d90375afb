//! A client that waits in a blocking command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::command::{Block, Request};
use crate::state::{Blockage, ClientHandle, Place};

/// A blocking command between its attempts.
pub struct Blocked {
    /// As the client sent it.
    pub request: Request,
    pub block: Block,
    pub place: Place,
    /// Time spent on attempts.
    pub worked: Duration,
    deadline: Option<Instant>,
    client: Arc<ClientHandle>,
}

/// Why a blocked command goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// There may be something for it.
    Called,
    /// Its time is over, or CLIENT UNBLOCK says so.
    TimedOut,
    /// CLIENT UNBLOCK ERROR.
    Error,
}

impl Blocked {
    pub fn new(client: &Arc<ClientHandle>, request: Request, block: Block, place: Place) -> Blocked {
        // A time that no clock reaches is for ever.
        let deadline = block.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Blocked { request, block, place, worked: Duration::ZERO, deadline, client: client.clone() }
    }

    /// From here on others see the client as blocked, and may unblock it.
    pub fn begin_waiting(&self) {
        self.client.set_blockage(Blockage::Blocked);
    }

    /// Waits for a reason to go on. Nothing is lost if the future is dropped.
    pub async fn wake(&self) -> Wake {
        tokio::select! {
            biased;
            () = self.place.called() => Wake::Called,
            () = self.time_out() => Wake::TimedOut,
        }
    }

    /// Waits until the time is over.
    pub async fn time_out(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until somebody ends it, as CLIENT UNBLOCK does; nothing if the client is to be closed.
    pub async fn ended(&self) -> Option<Wake> {
        while !self.client.is_killed() {
            if let Some(wake) = self.unblocked() {
                return Some(wake);
            }
            self.client.wake.notified().await;
        }
        None
    }

    /// What CLIENT UNBLOCK has asked for.
    pub fn unblocked(&self) -> Option<Wake> {
        match self.client.blockage() {
            Blockage::Free | Blockage::Blocked => None,
            Blockage::TimeOut => Some(Wake::TimedOut),
            Blockage::Error => Some(Wake::Error),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.client.set_blockage(Blockage::Free);
    }
}
