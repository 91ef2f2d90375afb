//! What others push to a client (MONITOR's lines, later messages of channels), until its connection has room to write it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::resp::Reply;

/// When a client that does not read is cut off: one class of client-output-buffer-limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes; 0: none.
    pub hard: u64,
    /// Bytes that may not be exceeded for longer than `soft_time`; 0: none.
    pub soft: u64,
    pub soft_time: Duration,
}

/// A bounded queue of replies that nobody asked for. Filled from any task, emptied by the client's connection, which takes from it only
/// when it has written what it took before: so the queue, not the socket's buffer, is what a slow reader fills.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    arrived: Notify,
    taken: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    replies: VecDeque<Reply>,
    bytes: u64,
    /// Since when there is more in it than the soft limit.
    over_soft: Option<Instant>,
    /// Nothing comes any more, and the connection is to be closed.
    finished: bool,
}

impl Outbox {
    /// Appends a reply. False if the limit is exceeded: then the client is to be killed.
    #[must_use = "a client over its limit must be killed"]
    pub fn push(&self, reply: Reply, limit: OutputLimit) -> bool {
        let mut queue = self.queue.lock().expect("no panic while held");
        queue.bytes += weight(&reply);
        queue.replies.push_back(reply);
        let within = queue.within(limit);
        drop(queue);
        self.arrived.notify_one();
        within
    }

    /// All that waits, at once.
    pub fn try_take(&self) -> Option<VecDeque<Reply>> {
        let mut queue = self.queue.lock().expect("no panic while held");
        if queue.replies.is_empty() {
            return None;
        }
        queue.bytes = 0;
        queue.over_soft = None;
        self.taken.notify_one();
        Some(std::mem::take(&mut queue.replies))
    }

    /// Puts what was taken where it was, before what has come since.
    pub fn put_back(&self, replies: VecDeque<Reply>) {
        let mut queue = self.queue.lock().expect("no panic while held");
        queue.bytes += replies.iter().map(weight).sum::<u64>();
        let later = std::mem::replace(&mut queue.replies, replies);
        queue.replies.extend(later);
        drop(queue);
        self.arrived.notify_one();
    }

    /// Waits until what was there has been taken, or some time.
    pub async fn room(&self) {
        let _ = tokio::time::timeout(Duration::from_millis(100), self.taken.notified()).await;
    }

    /// Says that the connection is to be closed when it has written what is here.
    pub fn finish(&self) {
        self.queue.lock().expect("no panic while held").finished = true;
        self.arrived.notify_one();
    }

    pub fn is_finished(&self) -> bool {
        let queue = self.queue.lock().expect("no panic while held");
        queue.finished && queue.replies.is_empty()
    }

    /// Waits until there is something and takes it. Nothing is lost if the future is dropped.
    pub async fn recv(&self) -> VecDeque<Reply> {
        loop {
            if let Some(replies) = self.try_take() {
                return replies;
            }
            if self.is_finished() {
                return VecDeque::new();
            }
            self.arrived.notified().await;
        }
    }

    /// How many replies wait and how many bytes they hold (CLIENT LIST's oll and omem).
    pub fn size(&self) -> (usize, u64) {
        let queue = self.queue.lock().expect("no panic while held");
        (queue.replies.len(), queue.bytes)
    }
}

impl Queue {
    fn within(&mut self, limit: OutputLimit) -> bool {
        if limit.hard > 0 && self.bytes > limit.hard {
            return false;
        }
        if limit.soft == 0 || self.bytes <= limit.soft {
            self.over_soft = None;
            return true;
        }
        let since = *self.over_soft.get_or_insert_with(Instant::now);
        since.elapsed() <= limit.soft_time
    }
}

/// About the memory a reply holds: its bytes and a little for each element.
fn weight(reply: &Reply) -> u64 {
    const ELEMENT: u64 = 16;
    let inner: u64 = match reply {
        Reply::Status(text)
        | Reply::Bulk(text)
        | Reply::Verbatim(text)
        | Reply::BigNumber(text)
        | Reply::Raw(text) => text.len() as u64,
        Reply::Error(text) => text.as_bytes().len() as u64,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => items.iter().map(weight).sum(),
        Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Entries(pairs) => {
            pairs.iter().map(|(first, second)| weight(first) + weight(second)).sum()
        }
        _ => 0,
    };
    ELEMENT + inner
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: OutputLimit = OutputLimit { hard: 100, soft: 50, soft_time: Duration::ZERO };

    fn line() -> Reply {
        Reply::status("0123456789")
    }

    #[test]
    fn refuses_beyond_the_limits() {
        let outbox = Outbox::default();
        let hard = OutputLimit { soft: 0, ..LIMIT };
        assert_eq!([0; 4].map(|_| outbox.push(line(), hard)), [true, true, true, false]);
        assert_eq!(outbox.size(), (4, 104));

        let outbox = Outbox::default();
        let patient = OutputLimit { soft_time: Duration::from_secs(60), ..LIMIT };
        assert!([0; 3].iter().all(|_| outbox.push(line(), patient)));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!outbox.push(line(), OutputLimit { hard: 0, ..LIMIT }));
        assert_eq!(outbox.try_take().map(|replies| replies.len()), Some(4));
        assert!(outbox.push(line(), LIMIT));
    }

    #[tokio::test]
    async fn gives_everything_in_order() {
        let outbox = Outbox::default();
        let unlimited = OutputLimit { hard: 0, soft: 0, soft_time: Duration::ZERO };
        assert!(outbox.push(Reply::ONE, unlimited) && outbox.push(Reply::ZERO, unlimited));
        let taken = outbox.recv().await;
        assert_eq!(taken, [Reply::ONE, Reply::ZERO]);
        assert!(outbox.push(Reply::Ok, unlimited));
        outbox.put_back(taken);
        assert_eq!(outbox.recv().await, [Reply::ONE, Reply::ZERO, Reply::Ok]);
        assert_eq!(outbox.try_take(), None);
        assert_eq!(outbox.size(), (0, 0));
    }
}
