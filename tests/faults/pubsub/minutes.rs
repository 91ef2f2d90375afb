//! Who said what, and who heard it when.

use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

#[derive(Clone, Debug)]
pub struct Speech {
    pub channel: usize,
    pub text: String,
    /// In one EXEC, so often.
    pub times: usize,
    pub sent: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Unknown,
    /// Refused, or discarded with its transaction.
    Unsaid,
    /// The receivers that the reply counted, for each time.
    Said(Vec<i64>),
}

/// One connection of a subscriber.
#[derive(Debug)]
pub struct Seat {
    pub who: String,
    pub server: usize,
    pub channels: Vec<usize>,
    pub asked: Instant,
    /// When all subscriptions were confirmed.
    pub from: Option<Instant>,
    /// When the connection broke, or was closed, if it was.
    pub to: Option<Instant>,
    pub broken: bool,
    pub heard: Vec<Heard>,
}

#[derive(Clone, Debug)]
pub struct Heard {
    pub at: Instant,
    pub channel: usize,
    pub text: String,
}

#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub from: Instant,
    pub to: Instant,
}

#[derive(Default)]
pub struct Minutes {
    pages: Mutex<Pages>,
    silent: AtomicBool,
}

#[derive(Default)]
pub struct Pages {
    pub speeches: Vec<Speech>,
    pub seats: Vec<Seat>,
    /// What was said then may get lost.
    pub outages: Vec<Outage>,
    /// Which process was killed when.
    pub kills: Vec<(usize, Instant)>,
    pub complaint: Option<String>,
}

impl Minutes {
    /// The outcome stays unknown unless `end_speech` is called.
    pub fn begin_speech(&self, channel: usize, text: &str, times: usize) -> usize {
        let now = Instant::now();
        let text = digest(text);
        let mut pages = self.pages.lock().unwrap();
        pages.speeches.push(Speech {
            channel,
            text,
            times,
            sent: now,
            ended: now,
            outcome: Outcome::Unknown,
        });
        pages.speeches.len() - 1
    }

    pub fn end_speech(&self, at: usize, outcome: Outcome) {
        let speech = &mut self.pages.lock().unwrap().speeches[at];
        (speech.ended, speech.outcome) = (Instant::now(), outcome);
    }

    pub fn take_seat(self: &Arc<Self>, who: &str, server: usize, channels: &[usize]) -> Taken {
        let (who, channels) = (who.to_string(), channels.to_vec());
        let asked = Instant::now();
        let seat =
            Seat { who, server, channels, asked, from: None, to: None, broken: false, heard: Vec::new() };
        let mut pages = self.pages.lock().unwrap();
        pages.seats.push(seat);
        Taken { minutes: self.clone(), at: pages.seats.len() - 1 }
    }

    pub fn listening(&self) -> usize {
        let pages = self.pages.lock().unwrap();
        pages.seats.iter().filter(|seat| seat.from.is_some() && seat.to.is_none()).count()
    }

    pub fn outage(&self, from: Instant) {
        self.pages.lock().unwrap().outages.push(Outage { from, to: Instant::now() });
    }

    /// To be called before it is done.
    pub fn killed(&self, server: usize) {
        self.pages.lock().unwrap().kills.push((server, Instant::now()));
    }

    pub fn complain(&self, text: String) {
        self.pages.lock().unwrap().complaint.get_or_insert(text);
    }

    pub fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    pub fn over(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    pub fn take(&self) -> Pages {
        std::mem::take(&mut self.pages.lock().unwrap())
    }
}

/// Long texts are remembered by their beginning and a hash of all of it.
fn digest(text: &str) -> String {
    if text.len() < 30 {
        return text.into();
    }
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(text.as_bytes());
    format!("{}... #{:x}", &text[..20], hasher.finish())
}

/// A seat that is left when this is dropped.
pub struct Taken {
    minutes: Arc<Minutes>,
    at: usize,
}

impl Taken {
    fn with(&self, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.minutes.pages.lock().unwrap().seats.get_mut(self.at) {
            change(seat);
        }
    }

    pub fn listens(&self) {
        self.with(|seat| seat.from = Some(Instant::now()));
    }

    pub fn hears(&self, channel: usize, text: &str) {
        self.with(|seat| seat.heard.push(Heard { at: Instant::now(), channel, text: digest(text) }));
    }

    pub fn breaks(&self) {
        self.with(|seat| seat.broken = true);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.with(|seat| seat.to = Some(Instant::now()));
    }
}
