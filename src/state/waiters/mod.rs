//! Clients that wait for keys (XREAD BLOCK, XREADGROUP BLOCK, later BLPOP and its like): who waits for what, and whose turn it is.
//! Holds no connection and no task; the clients' connections wait for their [`Call`].
//!
//! What is promised: of the clients of one process that wait in the same line (of a group, of a list), whoever came first is served
//! first. A writer's commit calls before its reply is sent. Between processes the order is that of their attempts' commits.

mod announced;
mod elsewhere;
mod line;
mod poll;
mod topic;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::Notify;

use announced::Announced;
use elsewhere::Elsewhere;
use line::Line;
pub use poll::poll_forever;
pub use topic::Topic;

use crate::store::StoreError;
use crate::store::bus::{Bus, Item, Kind};

/// The clients of this process that wait, and what those of other processes wait for.
#[derive(Default)]
pub struct Waiters {
    queues: Mutex<HashMap<Topic, Queue>>,
    /// How many queues there are.
    topics: AtomicUsize,
    arrivals: AtomicU64,
    announced: Announced,
    pub elsewhere: Elsewhere,
    /// To the other processes, if there can be any.
    bus: Option<Arc<Bus>>,
}

/// What is signalled when all keys may have changed. No topic looks like this.
const ALL: &[u8] = b"*";

/// Who waits for one key, in order of arrival.
#[derive(Debug, Default)]
struct Queue {
    /// Those who may all be served by the same thing.
    readers: BTreeMap<u64, Arc<Call>>,
    /// Those of whom it serves one, by the name of their line.
    lines: SmallVec<[(Bytes, Line); 1]>,
}

/// Tells a client to make an attempt.
#[derive(Debug, Default)]
pub struct Call {
    called: AtomicBool,
    arrived: Notify,
    /// Whose attempt has to find something first, if it is called together with others.
    before: Mutex<Option<Arc<Call>>>,
    /// Whether the attempt has found something.
    found: AtomicBool,
    /// In several lines.
    is_alone: bool,
}

impl Call {
    fn call(&self, before: Option<&Arc<Call>>) {
        *self.before.lock().expect("no panic while held") = before.cloned();
        self.called.store(true, SeqCst);
        self.arrived.notify_one();
    }

    /// Whether it is this client's turn, at the moment when its attempt is executed: those who are called together take nothing before the one before
    /// them has found something.
    pub fn is_due(&self) -> bool {
        let before = self.before.lock().expect("no panic while held");
        before.as_ref().is_none_or(|before| before.found.load(SeqCst))
    }

    /// What the attempt has come to; said each time that it is executed.
    pub fn has_found(&self, something: bool) {
        self.found.store(something, SeqCst);
    }
}

/// A client's place in the queues of all keys it waits for; it leaves them when this is dropped.
pub struct Place {
    waiters: Arc<Waiters>,
    number: u64,
    topics: SmallVec<[Topic; 1]>,
    line: Option<Bytes>,
    pub call: Arc<Call>,
    /// Whether others wait for each of the keys already.
    pub is_behind: bool,
}

impl Waiters {
    /// Those of a process on this bus.
    pub fn on(bus: Arc<Bus>) -> Arc<Waiters> {
        let waiters = Arc::new(Waiters { bus: Some(bus.clone()), ..Waiters::default() });
        let (heard, own) = (Arc::downgrade(&waiters), bus.process);
        bus.on_signal(move |process, topic| {
            // Its own writers call directly.
            if process != own
                && let Some(waiters) = heard.upgrade()
            {
                match &topic[..] {
                    ALL => waiters.signal_all(),
                    _ => waiters.signal([&Topic::from_bytes(topic.clone())]),
                }
            }
        });
        waiters
    }

    /// Takes a place behind all who wait for any of the keys: as a reader, or in a line of which one key serves one client. The
    /// first attempt comes after this, so that no write is missed.
    pub fn join(self: &Arc<Waiters>, topics: impl IntoIterator<Item = Topic>, line: Option<Bytes>) -> Place {
        let mut distinct = SmallVec::<[Topic; 1]>::new();
        for topic in topics {
            if !distinct.contains(&topic) {
                distinct.push(topic);
            }
        }
        let call = Arc::new(Call { is_alone: distinct.len() > 1, ..Call::default() });
        let mut queues = self.queues.lock().expect("no panic while held");
        // Under the lock: nobody gets a place before somebody who has his already.
        let number = self.arrivals.fetch_add(1, SeqCst);
        let mut is_behind = line.is_some();
        for topic in &distinct {
            let queue = queues.entry(topic.clone()).or_default();
            match &line {
                None => drop(queue.readers.insert(number, call.clone())),
                Some(name) => is_behind &= queue.line(name).is_awaited(),
            }
        }
        if let Some(name) = &line {
            for topic in &distinct {
                let line = queues.get_mut(topic).expect("just made").line(name);
                match is_behind {
                    true => line.wait(number, &call),
                    false => line.try_first(number, &call),
                }
            }
        }
        self.topics.store(queues.len(), SeqCst);
        drop(queues);
        if !is_behind {
            call.call(None);
        }
        Place { waiters: self.clone(), number, topics: distinct, line, call, is_behind }
    }

    /// Whether nobody waits for anything, here or elsewhere. Hot path.
    pub fn is_empty(&self) -> bool {
        self.topics.load(SeqCst) == 0 && self.elsewhere.is_empty()
    }

    /// A commit of this process has changed these keys.
    pub fn written(&self, topics: &[Topic]) {
        self.signal(topics);
        if let Some(bus) = self.bus.as_ref().filter(|_| !self.elsewhere.is_empty()) {
            let awaited = topics.iter().filter(|topic| self.elsewhere.contains(topic));
            awaited.for_each(|topic| bus.signal(topic.as_bytes().clone()));
        }
    }

    /// A commit of this process may have changed any key.
    pub fn all_written(&self) {
        self.signal_all();
        if let Some(bus) = self.bus.as_ref().filter(|_| !self.elsewhere.is_empty()) {
            bus.signal(ALL);
        }
    }

    /// These keys have changed: calls all readers and the first of each line.
    fn signal<'t>(&self, topics: impl IntoIterator<Item = &'t Topic>) {
        let mut queues = self.queues.lock().expect("no panic while held");
        for topic in topics {
            if let Some(queue) = queues.get_mut(topic) {
                queue.signal();
            }
        }
    }

    /// Any key may have changed.
    fn signal_all(&self) {
        self.queues.lock().expect("no panic while held").values_mut().for_each(Queue::signal);
    }

    /// What is waited for.
    fn topics(&self) -> Vec<Topic> {
        self.queues.lock().expect("no panic while held").keys().cloned().collect()
    }

    /// Whether other processes are to know that clients of this one wait for it, or did so lately.
    pub fn is_announced(&self, topic: &Topic) -> bool {
        self.announced.contains(topic)
    }

    pub fn all_announced(&self) -> Vec<Topic> {
        self.announced.all()
    }

    /// Says over the bus whether a key is announced.
    fn say(self: &Arc<Waiters>, topic: &Topic) {
        let Some(bus) = &self.bus else { return };
        let item = Item::Count { kind: Kind::Key, name: topic.as_bytes().clone(), clients: 0 };
        let (waiters, topic) = (Arc::downgrade(self), topic.clone());
        let receipt = move |outcome: Result<i64, StoreError>| {
            if let (Err(_), Some(waiters)) = (outcome, waiters.upgrade()) {
                waiters.announced.remove(&topic);
            }
        };
        bus.say(item, Some(Box::new(receipt)));
    }

    /// Which of the keys somebody has begun to wait for since the last time.
    fn arrivals(&self, topics: &[Topic]) -> Vec<bool> {
        self.announced.arrivals(topics)
    }

    /// Waits until something is newly announced.
    async fn news(&self) {
        self.announced.news.notified().await;
    }

    /// Takes back announcements that have lost their point.
    fn withdraw(self: &Arc<Waiters>) {
        let withdrawn = {
            let queues = self.queues.lock().expect("no panic while held");
            self.announced.withdraw(|topic| queues.contains_key(topic), Instant::now())
        };
        withdrawn.iter().for_each(|topic| self.say(topic));
    }
}

impl Queue {
    fn line(&mut self, name: &Bytes) -> &mut Line {
        let known = self.lines.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            // The name may be a slice of a read buffer.
            self.lines.push((Bytes::copy_from_slice(name), Line::default()));
            self.lines.len() - 1
        });
        &mut self.lines[at].1
    }

    fn signal(&mut self) {
        self.readers.values().for_each(|call| call.call(None));
        self.lines.iter_mut().for_each(|(_, line)| line.signal());
    }

    fn is_empty(&self) -> bool {
        self.readers.is_empty() && self.lines.is_empty()
    }
}

impl Place {
    /// Waits until an attempt is due.
    pub async fn called(&self) {
        while !self.is_called() {
            self.call.arrived.notified().await;
        }
    }

    /// Whether an attempt is due.
    pub fn is_called(&self) -> bool {
        self.call.called.load(SeqCst)
    }

    /// An attempt begins: what is signalled from now on calls again.
    pub fn begin(&self) {
        self.call.called.store(false, SeqCst);
        self.in_lines(Line::begin);
    }

    /// The attempt has found nothing: there is nothing for those behind either.
    pub fn found_nothing(&self) {
        self.in_lines(Line::found_nothing);
    }

    /// The client is going to wait for long: the other processes are to know.
    pub fn announce(&self) {
        let new = self.waiters.announced.add(&self.topics);
        new.into_iter().for_each(|topic| self.waiters.say(topic));
    }

    fn in_lines(&self, mut tell: impl FnMut(&mut Line, u64)) {
        let Some(name) = &self.line else { return };
        let mut queues = self.waiters.queues.lock().expect("no panic while held");
        for topic in &self.topics {
            if let Some(queue) = queues.get_mut(topic) {
                tell(queue.line(name), self.number);
            }
        }
    }
}

impl Drop for Place {
    /// Whose turn it was leaves it to the next: there may be more.
    fn drop(&mut self) {
        let mut queues = self.waiters.queues.lock().expect("no panic while held");
        for topic in &self.topics {
            let Some(queue) = queues.get_mut(topic) else { continue };
            match &self.line {
                None => drop(queue.readers.remove(&self.number)),
                Some(name) => {
                    queue.line(name).leave(self.number);
                    queue.lines.retain(|(_, line)| !line.is_empty());
                }
            }
            if queue.is_empty() {
                queues.remove(topic);
            }
        }
        self.waiters.topics.store(queues.len(), SeqCst);
    }
}

#[cfg(test)]
mod tests;
