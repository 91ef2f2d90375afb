//! Which keys the other processes know to be waited for here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Topic;

/// So long after the last waiter a key stays announced: workers that wait in a loop do not announce it anew each time.
const LINGER: Duration = Duration::from_secs(10);

/// The announced keys.
#[derive(Debug, Default)]
pub struct Announced {
    topics: Mutex<HashMap<Topic, Announcement>>,
    /// There are new ones.
    pub news: Notify,
}

#[derive(Debug)]
struct Announcement {
    /// Since when nobody waits for it.
    left: Option<Instant>,
    /// Somebody has begun to wait since it was last looked at.
    arrived: bool,
}

impl Announced {
    /// Somebody begins to wait for these: those that are new.
    pub fn add<'t>(&self, topics: &'t [Topic]) -> Vec<&'t Topic> {
        let mut announced = self.topics.lock().expect("no panic while held");
        let arrival = || Announcement { left: None, arrived: true };
        let is_new = |topic: &&Topic| announced.insert((*topic).clone(), arrival()).is_none();
        let new: Vec<&Topic> = topics.iter().filter(is_new).collect();
        if !new.is_empty() {
            self.news.notify_one();
        }
        new
    }

    pub fn contains(&self, topic: &Topic) -> bool {
        self.topics.lock().expect("no panic while held").contains_key(topic)
    }

    /// These are going to be looked at: which of them somebody has begun to wait for since the last time.
    pub fn arrivals(&self, topics: &[Topic]) -> Vec<bool> {
        let mut announced = self.topics.lock().expect("no panic while held");
        let arrived =
            |topic| announced.get_mut(topic).is_some_and(|known| std::mem::take(&mut known.arrived));
        topics.iter().map(arrived).collect()
    }

    pub fn all(&self) -> Vec<Topic> {
        self.topics.lock().expect("no panic while held").keys().cloned().collect()
    }

    /// It could not be announced: whoever waits for it next tries again.
    pub fn remove(&self, topic: &Topic) {
        self.topics.lock().expect("no panic while held").remove(topic);
    }

    /// Gives up those that nobody has waited for for long: these.
    pub fn withdraw(&self, is_waited_for: impl Fn(&Topic) -> bool, now: Instant) -> Vec<Topic> {
        let mut withdrawn = Vec::new();
        self.topics.lock().expect("no panic while held").retain(|topic, Announcement { left, .. }| {
            if is_waited_for(topic) {
                *left = None;
                return true;
            }
            let stays = now.duration_since(*left.get_or_insert(now)) < LINGER;
            if !stays {
                withdrawn.push(topic.clone());
            }
            stays
        });
        withdrawn
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn lingers() {
        let topics = ["0:a", "0:b"].map(|topic| Topic::from_bytes(Bytes::from_static(topic.as_bytes())));
        let announced = Announced::default();
        assert_eq!(announced.add(&topics).len(), 2);
        assert_eq!(announced.arrivals(&topics), [true, true]);
        assert_eq!(announced.add(&topics[..1]).len(), 0);
        assert_eq!(announced.arrivals(&topics), [true, false]);
        let begun = Instant::now();
        let only_a = |topic: &Topic| *topic == topics[0];
        assert!(announced.withdraw(only_a, begun).is_empty());
        assert!(announced.withdraw(|_| false, begun + LINGER / 2).is_empty());
        assert_eq!(announced.withdraw(|_| false, begun + LINGER), [topics[1].clone()]);
        // The other one has been waited for a while longer.
        announced.add(&topics[..1]);
        assert!(announced.withdraw(|_| false, begun + LINGER * 2).is_empty());
        assert!(announced.contains(&topics[0]) && !announced.contains(&topics[1]));
        assert_eq!(announced.all().len(), 1);
        announced.remove(&topics[0]);
        assert!(announced.all().is_empty());
    }
}
