//! The clients that watch what others do (MONITOR).

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use super::clients::ClientHandle;
use super::outbox::OutputLimit;
use crate::resp::Reply;

#[derive(Default)]
pub struct Monitors {
    clients: Mutex<Vec<Weak<ClientHandle>>>,
    count: AtomicUsize,
}

impl Monitors {
    /// Whether nobody watches. Hot path.
    pub fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    pub fn add(&self, client: &Arc<ClientHandle>) {
        self.change(|clients| clients.push(Arc::downgrade(client)));
    }

    pub fn remove(&self, client: &Arc<ClientHandle>) {
        if !self.is_empty() {
            self.change(|clients| clients.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(client))));
        }
    }

    /// Sends a line to all of them; those that are gone are forgotten.
    pub fn push(&self, line: &Reply, limit: OutputLimit) {
        self.change(|clients| {
            clients.retain(|client| match client.upgrade() {
                Some(client) if !client.is_killed() => {
                    client.push(line.clone(), limit);
                    true
                }
                _ => false,
            });
        });
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Weak<ClientHandle>>)) {
        let mut clients = self.clients.lock().expect("no panic while held");
        change(&mut clients);
        self.count.store(clients.len(), Relaxed);
    }
}
