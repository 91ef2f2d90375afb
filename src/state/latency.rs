//! Latency spikes by event (LATENCY).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most spikes kept of an event.
const MOST_SPIKES: usize = 160;

/// The worst moment of one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spike {
    /// Seconds since 1970.
    pub at: u64,
    pub millis: u64,
}

/// What is known of an event.
#[derive(Debug, Clone, Default)]
pub struct Spikes {
    /// Oldest first.
    pub spikes: VecDeque<Spike>,
    /// The worst since the last reset.
    pub worst: u64,
}

#[derive(Debug, Default)]
pub struct Latency(Mutex<BTreeMap<&'static str, Spikes>>);

impl Latency {
    pub fn add(&self, event: &'static str, at: SystemTime, took: Duration) {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let millis = took.as_millis() as u64;
        let mut events = self.0.lock().expect("no panic while held");
        let event = events.entry(event).or_default();
        event.worst = event.worst.max(millis);
        match event.spikes.back_mut() {
            Some(last) if last.at == at => last.millis = last.millis.max(millis),
            _ => {
                if event.spikes.len() == MOST_SPIKES {
                    event.spikes.pop_front();
                }
                event.spikes.push_back(Spike { at, millis });
            }
        }
    }

    pub fn events(&self) -> BTreeMap<&'static str, Spikes> {
        self.0.lock().expect("no panic while held").clone()
    }

    pub fn event(&self, name: &[u8]) -> Option<Spikes> {
        let events = self.0.lock().expect("no panic while held");
        events.iter().find(|(event, _)| event.as_bytes() == name).map(|(_, spikes)| spikes.clone())
    }

    /// Forgets the events that `wanted` admits and says how many there were.
    pub fn reset(&self, wanted: impl Fn(&[u8]) -> bool) -> usize {
        let mut events = self.0.lock().expect("no panic while held");
        let before = events.len();
        events.retain(|event, _| !wanted(event.as_bytes()));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_worst_of_a_second() {
        let latency = Latency::default();
        for (second, millis) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            let at = UNIX_EPOCH + Duration::from_secs(second);
            latency.add("command", at, Duration::from_millis(millis));
        }
        let spikes = latency.event(b"command").unwrap();
        assert_eq!(spikes.spikes, [Spike { at: 1, millis: 9 }, Spike { at: 2, millis: 3 }]);
        assert_eq!(spikes.worst, 9);
        assert_eq!(latency.reset(|name| name == b"other"), 0);
        assert_eq!(latency.reset(|_| true), 1);
        assert!(latency.event(b"command").is_none());
    }
}
