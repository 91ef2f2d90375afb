//! Compares the journal with what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::estate::{Estate, GroupEstate};
use super::journal::{Body, Deed, Entry, Event, How, Id, Outage, Outcome, Pages, Read};
use super::rules::{accounted_for, acks_count, not_after_ack, not_too_soon, once_new};

/// Says that a run has tested nothing.
pub const IDLE: &str = "nothing happened that could go wrong";

/// Between two clocks' milliseconds.
pub const ROUNDING: Duration = Duration::from_millis(3);

pub fn judge(pages: &Pages, estates: &[Estate], bound: Duration) -> Result<String, String> {
    if let Some(text) = &pages.complaint {
        return Err(text.clone());
    }
    let mut totals = Totals::default();
    for estate in estates {
        let book = Book::of(pages, estate, bound);
        book.check(&mut totals).map_err(|text| format!("{}: {text}", estate.stream))?;
    }
    together(pages, estates)?;
    for event in &pages.events {
        on_time(event, &pages.outages, bound)?;
    }
    totals.report()
}

#[derive(Default)]
struct Totals {
    entries: usize,
    unknown: usize,
    delivered: usize,
    again: usize,
    acked: usize,
    pending: usize,
    wakes: Vec<Duration>,
}

impl Totals {
    fn report(mut self) -> Result<String, String> {
        if self.entries.min(self.delivered).min(self.acked).min(self.again) == 0 {
            return Err(IDLE.into());
        }
        self.wakes.sort();
        let part = |share: usize| self.wakes.get(self.wakes.len() * share / 100).copied().unwrap_or_default();
        let slowest = self.wakes.last().copied().unwrap_or_default();
        Ok(format!(
            "{} entries, {} XADDs unknown; {} deliveries, {} repeated, {} acknowledged, {} left pending; \
             sleepers had theirs after {:.1?} (median), {:.1?} (p99), {slowest:.0?} (all)",
            self.entries,
            self.unknown,
            self.delivered,
            self.again,
            self.acked,
            self.pending,
            part(50),
            part(99),
        ))
    }
}

/// All that concerns one stream.
struct Book<'a> {
    estate: &'a Estate,
    /// In the order in which they were sent.
    adds: BTreeMap<Body, &'a Event>,
    reads: Vec<Delivery<'a>>,
    acks: Vec<(&'a Event, &'a str, &'a [Id])>,
    outages: &'a [Outage],
    bound: Duration,
}

pub struct Delivery<'a> {
    pub event: &'a Event,
    pub read: &'a Read,
    pub entries: &'a [Entry],
}

impl<'a> Book<'a> {
    fn of(pages: &'a Pages, estate: &'a Estate, bound: Duration) -> Self {
        let (outages, adds) = (pages.outages.as_slice(), BTreeMap::new());
        let mut book = Book { estate, adds, reads: Vec::new(), acks: Vec::new(), outages, bound };
        for event in &pages.events {
            match &event.deed {
                Deed::Add { stream, body, .. } if *stream == estate.stream => {
                    book.adds.insert(*body, event);
                }
                Deed::Read(read) if read.streams.contains(&estate.stream) => {
                    let entries = match &event.outcome {
                        Outcome::Entries(parts) => parts.iter().find(|(name, _)| *name == estate.stream),
                        _ => None,
                    };
                    let entries = entries.map_or(&[][..], |(_, entries)| entries);
                    book.reads.push(Delivery { event, read, entries });
                }
                Deed::Ack { stream, group, ids } if *stream == estate.stream => {
                    book.acks.push((event, group, ids));
                }
                _ => {}
            }
        }
        book
    }

    fn check(&self, totals: &mut Totals) -> Result<(), String> {
        self.entries()?;
        self.ids_follow_time()?;
        self.nothing_from_nowhere()?;
        self.readers()?;
        for group in &self.estate.groups {
            self.group(group, totals).map_err(|text| format!("{}: {text}", group.name))?;
        }
        totals.entries += self.estate.entries.len();
        totals.unknown += self.adds.values().filter(|event| event.outcome == Outcome::Unknown).count();
        Ok(())
    }

    /// What was acknowledged is there, once; what was refused is not.
    fn entries(&self) -> Result<(), String> {
        let mut found = HashMap::new();
        for entry in &self.estate.entries {
            let add = self.adds.get(&entry.body).ok_or_else(|| format!("nobody added {entry:?}"))?;
            match &add.outcome {
                Outcome::Added(id) if *id == entry.id => {}
                Outcome::Unknown => {}
                other => return Err(format!("XADD said {other:?}, there is {entry:?}")),
            }
            if let Some(first) = found.insert(entry.body, entry.id) {
                return Err(format!("one XADD made {first} and {}", entry.id));
            }
        }
        match self
            .adds
            .iter()
            .find(|(body, add)| matches!(add.outcome, Outcome::Added(_)) && !found.contains_key(body))
        {
            Some((_, add)) => Err(format!("an acknowledged XADD is not there: {:?}", add.outcome)),
            None => Ok(()),
        }
    }

    /// What was acknowledged before another was sent has the smaller id, and so has what one producer added before.
    fn ids_follow_time(&self) -> Result<(), String> {
        let added = self.estate.entries.iter().map(|entry| (self.adds[&entry.body], entry));
        let mut by_sending: Vec<_> = added.clone().collect();
        by_sending.sort_by_key(|(add, _)| add.sent);
        let mut by_ending: Vec<_> =
            added.filter(|(add, _)| matches!(add.outcome, Outcome::Added(_))).collect();
        by_ending.sort_by_key(|(add, _)| add.ended);
        let (mut done, mut newest) = (by_ending.iter().peekable(), None);
        let mut last_of: HashMap<u64, Id> = HashMap::new();
        for (add, entry) in by_sending {
            while let Some((_, earlier)) = done.next_if(|(earlier, _)| earlier.ended < add.sent) {
                newest = newest.max(Some(earlier.id));
            }
            if newest.is_some_and(|newest| newest > entry.id) {
                return Err(format!("{} was added after {} was acknowledged", entry.id, newest.unwrap()));
            }
            // An outcome that is unknown may come late.
            if matches!(add.outcome, Outcome::Added(_))
                && let Some(before) = last_of.insert(entry.body.producer, entry.id)
                && before > entry.id
            {
                return Err(format!("a producer's {before} came before its {}", entry.id));
            }
        }
        Ok(())
    }

    fn nothing_from_nowhere(&self) -> Result<(), String> {
        let known: BTreeSet<&Entry> = self.estate.entries.iter().collect();
        for delivery in &self.reads {
            if let Some(entry) = delivery.entries.iter().find(|entry| !known.contains(entry)) {
                return Err(format!("{} was given {entry:?}, which is not there", delivery.read.who));
            }
        }
        Ok(())
    }

    /// A reader without a group finds every entry, in order: none appears behind its back.
    fn readers(&self) -> Result<(), String> {
        let mut readers: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
        for delivery in self.reads.iter().filter(|delivery| delivery.read.how == How::Follow) {
            readers.entry(&delivery.read.who).or_default().push(delivery);
        }
        for (who, reads) in readers {
            let mut rest = self.estate.entries.iter();
            let mut seen = HashMap::new();
            for delivery in &reads {
                for entry in delivery.entries {
                    let expected = rest.next();
                    if expected != Some(entry) {
                        return Err(format!("{who} found {}, and not {expected:?}", entry.id));
                    }
                    seen.insert(entry.id, delivery.event.ended);
                }
            }
            for entry in &self.estate.entries {
                let until = seen.get(&entry.id).copied();
                self.slept(entry, until, reads.iter().copied()).map_err(|text| format!("{who}: {text}"))?;
            }
        }
        Ok(())
    }

    fn group(&self, group: &GroupEstate, totals: &mut Totals) -> Result<(), String> {
        let mut reads: Vec<&Delivery> =
            self.reads.iter().filter(|delivery| delivery.read.group == Some(group.name)).collect();
        reads.sort_by_key(|delivery| delivery.event.sent);
        let acks: Vec<_> = self.acks.iter().filter(|(_, name, _)| *name == group.name).collect();

        let mut deliveries: HashMap<Id, Vec<&Delivery>> = HashMap::new();
        for delivery in &reads {
            for entry in delivery.entries {
                deliveries.entry(entry.id).or_default().push(delivery);
            }
        }
        let mut attempts: HashMap<Id, Vec<&Event>> = HashMap::new();
        for (event, _, ids) in &acks {
            for id in *ids {
                attempts.entry(*id).or_default().push(event);
            }
        }
        self.new_in_order(&reads)?;
        totals.acked += acks_count(&acks, &attempts)?;
        for (id, given) in &deliveries {
            once_new(*id, given)?;
            not_too_soon(*id, given)?;
            not_after_ack(*id, given, attempts.get(id).map_or(&[], Vec::as_slice))?;
        }
        for entry in &self.estate.entries {
            let given = deliveries.get(&entry.id).map_or(&[][..], Vec::as_slice);
            let tried = attempts.get(&entry.id).map_or(&[][..], Vec::as_slice);
            accounted_for(entry.id, group, given, tried)?;

            let new = given.iter().find(|delivery| delivery.read.how == How::New);
            if let Some(new) = new
                && let Some(add) = self.adds.get(&entry.body)
                && new.event.sent < add.sent
            {
                totals.wakes.push(new.event.ended.saturating_duration_since(add.ended));
            }
            // What went to somebody who was gone was given at a moment nobody knows.
            if new.is_some() || entry.id > group.last_delivered {
                let until = new.map(|delivery| delivery.event.ended);
                let waiting = reads.iter().copied().filter(|delivery| delivery.read.how == How::New);
                self.slept(entry, until, waiting)?;
            }
            totals.delivered += usize::from(new.is_some());
            totals.again += given.len().saturating_sub(1);
        }
        totals.pending += group.pending.len();
        Ok(())
    }

    /// New entries are given out in the order of their ids.
    fn new_in_order(&self, reads: &[&Delivery]) -> Result<(), String> {
        let new = |delivery: &&&Delivery| delivery.read.how == How::New && !delivery.entries.is_empty();
        let mut by_ending: Vec<_> = reads.iter().filter(new).collect();
        by_ending.sort_by_key(|delivery| delivery.event.ended);
        let (mut done, mut newest) = (by_ending.iter().peekable(), None);
        for delivery in reads.iter().filter(new) {
            while let Some(earlier) = done.next_if(|earlier| earlier.event.ended < delivery.event.sent) {
                newest = newest.max(earlier.entries.last().map(|entry| entry.id));
            }
            if !delivery.entries.is_sorted() || newest >= Some(delivery.entries[0].id) {
                return Err(format!("{} is given after {newest:?}", delivery.entries[0].id));
            }
        }
        Ok(())
    }

    /// Nobody who waits sleeps while there is something for them.
    fn slept<'b>(
        &self,
        entry: &Entry,
        until: Option<Instant>,
        waiting: impl Iterator<Item = &'b Delivery<'b>>,
    ) -> Result<(), String> {
        let Some(add) = self.adds.get(&entry.body).filter(|add| add.outcome != Outcome::Unknown) else {
            return Ok(());
        };
        if until.is_some_and(|until| until.saturating_duration_since(add.ended) <= self.bound) {
            return Ok(());
        }
        for delivery in waiting {
            let from = delivery.event.sent.max(add.ended);
            let to = until.map_or(delivery.event.ended, |until| until.min(delivery.event.ended));
            let slept = undisturbed(from, to, self.outages);
            if slept > self.bound {
                return Err(format!("{} slept {slept:?} while {} was there", delivery.read.who, entry.id));
            }
        }
        Ok(())
    }
}

/// What was added in one EXEC is there as a whole or not at all.
fn together(pages: &Pages, estates: &[Estate]) -> Result<(), String> {
    let there: BTreeSet<Body> =
        estates.iter().flat_map(|estate| estate.entries.iter().map(|entry| entry.body)).collect();
    let mut halves: HashMap<(u64, u64), bool> = HashMap::new();
    for event in &pages.events {
        let Deed::Add { body, together: Some(number), .. } = &event.deed else { continue };
        let found = there.contains(body);
        if *halves.entry((body.producer, *number)).or_insert(found) != found {
            return Err(format!("half an EXEC is there: {body:?}, {found}"));
        }
    }
    Ok(())
}

/// "Nothing" comes when BLOCK's time is over, and soon after.
fn on_time(event: &Event, outages: &[Outage], bound: Duration) -> Result<(), String> {
    let Deed::Read(Read { block: Some(millis), who, .. }) = &event.deed else { return Ok(()) };
    if event.outcome != Outcome::Nothing {
        return Ok(());
    }
    let (waited, time) = (event.ended - event.sent, Duration::from_millis(*millis));
    if *millis == 0 || waited + ROUNDING < time {
        return Err(format!("{who} had nothing after {waited:?} of BLOCK {millis}"));
    }
    match undisturbed(event.sent + time, event.ended, outages) > bound {
        true => Err(format!("{who} had nothing after {waited:?} of BLOCK {millis}: too late")),
        false => Ok(()),
    }
}

/// The time between two moments, without that in which something was broken.
fn undisturbed(from: Instant, to: Instant, outages: &[Outage]) -> Duration {
    let disturbed: Duration =
        outages.iter().map(|outage| outage.to.min(to).saturating_duration_since(outage.from.max(from))).sum();
    to.saturating_duration_since(from).saturating_sub(disturbed)
}
