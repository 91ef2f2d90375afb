//! What clients of other processes wait for: a writer signals a key over the bus only if some other process has announced it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::Topic;

/// Keys with the processes that have announced them.
#[derive(Debug, Default)]
pub struct Elsewhere {
    topics: Mutex<HashMap<Topic, BTreeSet<i32>>>,
    count: AtomicUsize,
}

impl Elsewhere {
    /// Whether no other process waits for anything. Hot path.
    pub fn is_empty(&self) -> bool {
        self.count.load(SeqCst) == 0
    }

    pub fn contains(&self, topic: &Topic) -> bool {
        self.topics.lock().expect("no panic while held").contains_key(topic)
    }

    /// A process has said whether clients of it wait for the key.
    pub fn announced(&self, process: i32, topic: Topic, waits: bool) {
        self.change(|topics| match waits {
            true => drop(topics.entry(topic).or_default().insert(process)),
            false => {
                if let Some(processes) = topics.get_mut(&topic) {
                    processes.remove(&process);
                    if processes.is_empty() {
                        topics.remove(&topic);
                    }
                }
            }
        });
    }

    pub fn gone(&self, process: i32) {
        self.change(|topics| {
            topics.retain(|_, processes| {
                processes.remove(&process);
                !processes.is_empty()
            });
        });
    }

    pub fn forget(&self) {
        self.change(HashMap::clear);
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Topic, BTreeSet<i32>>)) {
        let mut topics = self.topics.lock().expect("no panic while held");
        change(&mut topics);
        self.count.store(topics.len(), SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn counts_processes() {
        let elsewhere = Elsewhere::default();
        let topic = Topic::from_bytes(Bytes::from_static(b"0:a"));
        for process in [1, 2, 2] {
            elsewhere.announced(process, topic.clone(), true);
        }
        elsewhere.announced(1, topic.clone(), false);
        assert!(elsewhere.contains(&topic));
        elsewhere.gone(2);
        assert!(!elsewhere.contains(&topic) && elsewhere.is_empty());
        elsewhere.announced(3, topic.clone(), true);
        assert!(!elsewhere.is_empty());
        elsewhere.forget();
        assert!(elsewhere.is_empty());
    }
}
