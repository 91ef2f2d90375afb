//! What was asked and what was told, with the moments at which.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::super::client::Reply;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64, pub u64);

impl Id {
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, sequence) = text.split_once('-')?;
        Some(Id(millis.parse().ok()?, sequence.parse().ok()?))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// What an entry says: who made it, and its number among all that this producer made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Body {
    pub producer: u64,
    pub number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub id: Id,
    pub body: Body,
}

impl Entry {
    /// `[id, [p, producer, n, number]]`
    pub fn parse(reply: &Reply) -> Result<Self, String> {
        let entry = || {
            let [id, Reply::Array(Some(fields))] = items(reply)? else { return None };
            let texts: Vec<&str> = fields.iter().map(text).collect::<Option<_>>()?;
            let ["p", producer, "n", number] = texts[..] else { return None };
            let body = Body { producer: producer.parse().ok()?, number: number.parse().ok()? };
            Some(Entry { id: Id::parse(text(id)?)?, body })
        };
        entry().ok_or_else(|| format!("not an entry: {reply:?}"))
    }

    pub fn parse_all(reply: &Reply) -> Result<Vec<Self>, String> {
        let entries = items(reply).ok_or_else(|| format!("not a list of entries: {reply:?}"))?;
        entries.iter().map(Entry::parse).collect()
    }
}

pub fn items(reply: &Reply) -> Option<&[Reply]> {
    match reply {
        Reply::Array(Some(items)) => Some(items),
        _ => None,
    }
}

pub fn text(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Bulk(Some(text)) => Some(text),
        _ => None,
    }
}

/// What XREAD, XREADGROUP and (of the stream `claimed`) XAUTOCLAIM answer, by stream.
pub fn by_stream(reply: &Reply, claimed: Option<String>) -> Result<Vec<(String, Vec<Entry>)>, String> {
    let unexpected = || format!("an unexpected answer: {reply:?}");
    let parts = items(reply).ok_or_else(unexpected)?;
    if let Some(stream) = claimed {
        let [_, entries, Reply::Array(Some(deleted))] = parts else { return Err(unexpected()) };
        return match deleted.len() {
            0 => Ok(vec![(stream, Entry::parse_all(entries)?)]),
            _ => Err(format!("XAUTOCLAIM calls entries deleted: {deleted:?}")),
        };
    }
    parts
        .iter()
        .map(|part| {
            let Some([stream, entries]) = items(part) else { return Err(unexpected()) };
            Ok((text(stream).ok_or_else(unexpected)?.to_string(), Entry::parse_all(entries)?))
        })
        .collect()
}

#[derive(Clone, Debug)]
pub struct Event {
    pub sent: Instant,
    /// When the reply came, or when the client gave up.
    pub ended: Instant,
    pub deed: Deed,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Deed {
    /// XADD. Those with the same `together` were in one EXEC.
    Add {
        stream: String,
        body: Body,
        together: Option<u64>,
    },
    Read(Read),
    Ack {
        stream: String,
        group: &'static str,
        ids: Vec<Id>,
    },
}

#[derive(Clone, Debug)]
pub struct Read {
    pub how: How,
    pub streams: Vec<String>,
    /// "group consumer", or the reader's name.
    pub who: String,
    pub group: Option<&'static str>,
    /// The milliseconds of BLOCK.
    pub block: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// XREAD after the last id seen.
    Follow,
    /// XREADGROUP >
    New,
    /// XREADGROUP 0
    History,
    /// XAUTOCLAIM with so many milliseconds.
    Claim(u64),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The reply never came, or said that the outcome is unknown.
    Unknown,
    /// An error said that nothing has happened.
    Refused,
    Added(Id),
    Entries(Vec<(String, Vec<Entry>)>),
    Nothing,
    Acked(i64),
}

/// When something was broken on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub from: Instant,
    pub to: Instant,
}

#[derive(Default)]
pub struct Journal {
    pages: Mutex<Pages>,
    no_more: AtomicBool,
    failed: AtomicBool,
}

#[derive(Default)]
pub struct Pages {
    pub events: Vec<Event>,
    pub outages: Vec<Outage>,
    /// What nobody should ever have been told.
    pub complaint: Option<String>,
}

impl Journal {
    /// An event whose outcome is unknown until the returned handle says otherwise, also if it is dropped.
    pub fn begin(self: &Arc<Self>, deed: Deed) -> Pending {
        let now = Instant::now();
        let mut pages = self.pages.lock().unwrap();
        pages.events.push(Event { sent: now, ended: now, deed, outcome: Outcome::Unknown });
        Pending { journal: self.clone(), at: pages.events.len() - 1 }
    }

    pub fn outage(&self, from: Instant) {
        self.pages.lock().unwrap().outages.push(Outage { from, to: Instant::now() });
    }

    pub fn complain(&self, text: String) {
        self.failed.store(true, Ordering::Relaxed);
        self.pages.lock().unwrap().complaint.get_or_insert(text);
    }

    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub fn stop_producing(&self) {
        self.no_more.store(true, Ordering::Relaxed);
    }

    pub fn producing(&self) -> bool {
        !self.no_more.load(Ordering::Relaxed)
    }

    pub fn take(&self) -> Pages {
        std::mem::take(&mut self.pages.lock().unwrap())
    }
}

pub struct Pending {
    journal: Arc<Journal>,
    at: usize,
}

impl Pending {
    pub fn end(self, outcome: Outcome) {
        self.journal.pages.lock().unwrap().events[self.at].outcome = outcome;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After `take` there is nothing left to end.
        if let Some(event) = self.journal.pages.lock().unwrap().events.get_mut(self.at) {
            event.ended = Instant::now();
        }
    }
}
