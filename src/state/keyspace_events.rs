//! Keyspace notifications: which are wanted, and their way to the channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;

use crate::keyspace::{Classes, DbIndex, Event};
use crate::store::Store;
use crate::store::bus::{Bus, Item, Kind};

/// An event with its key.
#[derive(Debug, Clone)]
pub struct KeyEvent {
    pub db: DbIndex,
    pub key: Bytes,
    pub event: Event,
}

/// Where the events of keys go. The default takes none.
#[derive(Default)]
pub struct KeyspaceEvents {
    classes: Arc<AtomicU32>,
    to: Option<(Arc<Bus>, Arc<Store>)>,
}

impl KeyspaceEvents {
    /// `classes` are the bits of notify-keyspace-events.
    pub fn new(classes: Arc<AtomicU32>, bus: Arc<Bus>, store: Arc<Store>) -> KeyspaceEvents {
        KeyspaceEvents { classes, to: Some((bus, store)) }
    }

    /// The classes whose events are to be noted. Hot path.
    pub fn wanted(&self) -> Classes {
        Classes::from_bits(self.classes.load(Relaxed)).published()
    }

    /// Publishes what has happened; to be called when it is committed. Nobody waits for it.
    pub fn publish(&self, events: Vec<KeyEvent>) {
        let Some((bus, _)) = &self.to else { return };
        for (channel, body) in self.messages(events) {
            bus.say(Item::Message { kind: Kind::Channel, channel, body }, None);
        }
    }

    /// The messages that tell of events, with their channels.
    pub fn messages(&self, events: Vec<KeyEvent>) -> Vec<(Bytes, Bytes)> {
        let wanted = self.wanted();
        let mut messages = Vec::new();
        for KeyEvent { db, key, event } in events {
            if wanted.has(Classes::KEYSPACE) {
                let channel = [format!("__keyspace@{}__:", db.0).as_bytes(), &key].concat();
                messages.push((channel.into(), Bytes::from_static(event.name.as_bytes())));
            }
            if wanted.has(Classes::KEYEVENT) {
                messages.push((format!("__keyevent@{}__:{}", db.0, event.name).into(), key));
            }
        }
        messages
    }

    /// Keys that will expire, or have: milliseconds that they have left, space and stored key. Their ends are told in time.
    pub fn expect_ends(&self, keys: &[(i64, i32, &[u8])]) {
        let Some((_, store)) = &self.to else { return };
        for (left, space, key) in keys {
            let left = Duration::from_millis(u64::try_from(*left).unwrap_or_default());
            store.expirer.add(left, *space, key);
        }
    }

    /// Tells that keys have expired.
    pub fn expired(&self, keys: Vec<(DbIndex, Bytes)>) {
        if self.wanted().has(Classes::EXPIRED) {
            self.publish(
                keys.into_iter().map(|(db, key)| KeyEvent { db, key, event: Event::EXPIRED }).collect(),
            );
        }
    }
}
