//! The state of the listening connection: whether it is up, and which channels of SQL's it listens to.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use tokio::sync::Notify;

/// The listening connection.
#[derive(Debug, Clone, Default)]
pub struct Link {
    pub up: bool,
    /// How often it has been made.
    pub epoch: u64,
    /// Why it is down.
    pub reason: Option<String>,
}

/// The channels of SQL's that somebody wants.
#[derive(Debug, Default)]
pub struct Wanted {
    state: Mutex<State>,
    /// Something is to be done.
    pub changed: Notify,
    /// Something has been done.
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    wanted: HashMap<String, usize>,
    active: HashSet<String>,
    dirty: HashSet<String>,
}

impl Wanted {
    /// Wants a channel, once more.
    pub fn add(&self, channel: &str) {
        let mut state = self.state();
        *state.wanted.entry(channel.to_owned()).or_default() += 1;
        if !state.active.contains(channel) {
            state.dirty.insert(channel.to_owned());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Waits until a channel is listened to.
    pub async fn active(&self, channel: &str) {
        let done = self.done.notified();
        tokio::pin!(done);
        loop {
            done.as_mut().enable();
            if self.is_active(channel) {
                return;
            }
            done.as_mut().await;
            done.set(self.done.notified());
        }
    }

    pub fn remove(&self, channel: &str) {
        let mut state = self.state();
        if let Some(count) = state.wanted.get_mut(channel) {
            *count -= 1;
            if *count == 0 {
                state.wanted.remove(channel);
                state.dirty.insert(channel.to_owned());
                drop(state);
                self.changed.notify_one();
            }
        }
    }

    /// The channels to leave and those to listen to.
    pub fn work(&self) -> Option<(Vec<String>, Vec<String>)> {
        let mut state = self.state();
        let dirty = std::mem::take(&mut state.dirty);
        let (wanted, gone): (Vec<String>, Vec<String>) =
            dirty.into_iter().partition(|channel| state.wanted.contains_key(channel));
        let gone: Vec<String> = gone.into_iter().filter(|channel| state.active.remove(channel)).collect();
        let wanted: Vec<String> =
            wanted.into_iter().filter(|channel| !state.active.contains(channel)).collect();
        (!gone.is_empty() || !wanted.is_empty()).then_some((gone, wanted))
    }

    /// These are listened to now.
    pub fn did(&self, channels: Vec<String>) {
        self.state().active.extend(channels);
        self.done.notify_waiters();
    }

    /// The connection is gone: everything is to be done again.
    pub fn lost(&self) {
        let mut state = self.state();
        state.active.clear();
        state.dirty = state.wanted.keys().cloned().collect();
    }

    /// Whether a channel is listened to.
    pub fn is_active(&self, channel: &str) -> bool {
        self.state().active.contains(channel)
    }

    pub fn len(&self) -> usize {
        self.state().wanted.len()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wanted_channels_are_listened_to() {
        let wanted = Wanted::default();
        wanted.add("a");
        wanted.add("a");
        let two = async { tokio::join!(wanted.active("a"), wanted.active("a")) };
        let work = async {
            wanted.changed.notified().await;
            let (gone, channels) = wanted.work().unwrap();
            assert_eq!((gone.len(), channels.as_slice()), (0, &["a".to_owned()][..]));
            wanted.did(channels);
        };
        tokio::join!(two, work);
        assert!(wanted.is_active("a"));
        wanted.remove("a");
        assert_eq!(wanted.work(), None);
        wanted.remove("a");
        assert_eq!(wanted.work(), Some((vec!["a".to_owned()], vec![])));
        assert_eq!(wanted.work(), None);
        assert_eq!(wanted.len(), 0);
    }
}
