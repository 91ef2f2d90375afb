//! The last slow calls (SLOWLOG).

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// A call that took longer than slowlog-log-slower-than.
#[derive(Debug, Clone)]
pub struct SlowCall {
    pub at: SystemTime,
    pub took: Duration,
    pub argv: Vec<Bytes>,
    pub addr: String,
    pub name: Bytes,
}

#[derive(Debug, Default)]
pub struct SlowLog(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    next_id: i64,
    /// Newest first.
    calls: VecDeque<(i64, SlowCall)>,
}

impl SlowLog {
    /// Adds a call and forgets the oldest beyond `most`.
    pub fn add(&self, most: usize, call: SlowCall) {
        let mut log = self.0.lock().expect("no panic while held");
        let id = log.next_id;
        log.next_id += 1;
        log.calls.push_front((id, call));
        log.calls.truncate(most);
    }

    /// The newest `count` calls with their numbers.
    pub fn newest(&self, count: usize) -> Vec<(i64, SlowCall)> {
        self.0.lock().expect("no panic while held").calls.iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.lock().expect("no panic while held").calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&self) {
        self.0.lock().expect("no panic while held").calls.clear();
    }
}
