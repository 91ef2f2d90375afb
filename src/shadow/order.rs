//! Which slots were written since when: whether calls that were answered elsewhere may have been overtaken.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::record::Touched;
use crate::keyspace::slot::SLOTS;

/// Times are numbers of answers.
pub struct Order {
    now: AtomicU64,
    /// When each slot was written last.
    slots: Vec<AtomicU64>,
    /// When all were.
    all: AtomicU64,
    /// When databases were exchanged last.
    exchanged: AtomicU64,
    /// When a key of each slot was read.
    read: Vec<AtomicU64>,
    /// When what a key of each slot has by name was made or removed.
    arranged: Vec<AtomicU64>,
    /// How many writes of each slot are under way elsewhere.
    aside: Vec<AtomicU32>,
    all_aside: AtomicU32,
    /// How many there are in all.
    asides: AtomicU32,
}

impl Default for Order {
    fn default() -> Order {
        let times = || (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        let (slots, read, arranged) = (times(), times(), times());
        let aside = (0..SLOTS).map(|_| AtomicU32::new(0)).collect();
        let (now, all, exchanged) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (all_aside, asides) = (AtomicU32::new(0), AtomicU32::new(0));
        Order { now, slots, all, exchanged, read, arranged, aside, all_aside, asides }
    }
}

impl Order {
    pub fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// The time, which nobody else is told.
    pub fn tick(&self) -> u64 {
        self.now.fetch_add(1, Relaxed) + 1
    }

    /// Something was written.
    pub fn wrote(&self, touched: &Touched) {
        let now = self.tick();
        match touched {
            Touched::All => {
                self.all.fetch_max(now, Relaxed);
            }
            Touched::Slots(slots) => slots.iter().for_each(|slot| {
                self.slots[usize::from(*slot)].fetch_max(now, Relaxed);
            }),
        }
    }

    /// A key of this slot was read: what was under way elsewhere is in its state, or is not.
    pub fn read(&self, slot: u16) {
        let now = self.tick();
        self.slots[usize::from(slot)].fetch_max(now, Relaxed);
        self.read[usize::from(slot)].fetch_max(now, Relaxed);
    }

    /// Whether a key of this was read after that time.
    pub fn is_read(&self, touched: &Touched, since: u64) -> bool {
        match touched {
            Touched::All => false,
            Touched::Slots(slots) => {
                slots.iter().any(|slot| self.read[usize::from(*slot)].load(Relaxed) > since)
            }
        }
    }

    /// Something was made or removed that has a name in a key (a group, a consumer).
    pub fn arranged(&self, touched: &Touched) {
        let now = self.tick();
        let at = |slot: &AtomicU64| {
            slot.fetch_max(now, Relaxed);
        };
        match touched {
            Touched::All => self.arranged.iter().for_each(at),
            Touched::Slots(slots) => slots.iter().for_each(|slot| at(&self.arranged[usize::from(*slot)])),
        }
    }

    /// Whether that has happened to anything of this after that time.
    pub fn is_arranged(&self, touched: &Touched, since: u64) -> bool {
        match touched {
            Touched::All => true,
            Touched::Slots(slots) => {
                slots.iter().any(|slot| self.arranged[usize::from(*slot)].load(Relaxed) > since)
            }
        }
    }

    /// Whether anything of this was written after that time.
    pub fn is_overtaken(&self, touched: &Touched, since: u64) -> bool {
        let later = |at: &AtomicU64| at.load(Relaxed) > since;
        later(&self.all)
            || match touched {
                Touched::All => self.now() > since,
                Touched::Slots(slots) => slots.iter().any(|slot| later(&self.slots[usize::from(*slot)])),
            }
    }

    /// Databases were exchanged, or whole ones written.
    pub fn exchanged(&self) {
        self.exchanged.fetch_max(self.tick(), Relaxed);
    }

    /// Whether that has happened after that time.
    pub fn is_exchanged(&self, since: u64) -> bool {
        self.exchanged.load(Relaxed) > since
    }

    /// A write is under way elsewhere.
    pub fn begin_aside(&self, touched: &Touched) {
        self.asides.fetch_add(u32::from(*touched != Touched::none()), Relaxed);
        self.each_aside(touched, |count| {
            count.fetch_add(1, Relaxed);
        });
    }

    pub fn end_aside(&self, touched: &Touched) {
        self.asides.fetch_sub(u32::from(*touched != Touched::none()), Relaxed);
        self.each_aside(touched, |count| {
            count.fetch_sub(1, Relaxed);
        });
    }

    pub fn is_any_aside(&self) -> bool {
        self.asides.load(Relaxed) > 0
    }

    /// Whether any write of this is under way elsewhere.
    pub fn is_aside(&self, touched: &Touched) -> bool {
        let mut is_aside = self.all_aside.load(Relaxed) > 0;
        // Of everything something may be, but nothing is compared of that.
        self.each_aside(touched, |count| is_aside |= count.load(Relaxed) > 0);
        is_aside
    }

    fn each_aside(&self, touched: &Touched, mut what: impl FnMut(&AtomicU32)) {
        match touched {
            Touched::All => what(&self.all_aside),
            Touched::Slots(slots) => slots.iter().for_each(|slot| what(&self.aside[usize::from(*slot)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_between() {
        let slots = |slots: &[u16]| Touched::Slots(slots.iter().copied().collect());
        let order = Order::default();
        order.wrote(&slots(&[1, 2]));
        let since = order.now();
        assert!(!order.is_overtaken(&slots(&[1]), since) && !order.is_overtaken(&Touched::All, since));
        order.wrote(&slots(&[2, 3]));
        assert!(order.is_overtaken(&slots(&[1, 3]), since) && order.is_overtaken(&Touched::All, since));
        assert!(!order.is_overtaken(&slots(&[1]), since));
        order.wrote(&Touched::All);
        assert!(order.is_overtaken(&slots(&[1]), since) && !order.is_overtaken(&slots(&[1]), order.now()));
        order.begin_aside(&slots(&[1]));
        assert!(order.is_aside(&slots(&[1, 2])) && !order.is_aside(&slots(&[2])));
        order.end_aside(&slots(&[1]));
        order.begin_aside(&Touched::none());
        assert!(!order.is_any_aside());
        order.begin_aside(&Touched::All);
        assert!(order.is_aside(&slots(&[1])) && order.is_any_aside());
        order.end_aside(&Touched::All);
        assert!(!order.is_any_aside());
        let since = order.now();
        order.arranged(&slots(&[1]));
        assert!(order.is_arranged(&slots(&[1, 2]), since) && !order.is_arranged(&slots(&[2]), since));
        order.arranged(&Touched::All);
        assert!(order.is_arranged(&slots(&[2]), since) && !order.is_arranged(&slots(&[2]), order.now()));
        order.wrote(&Touched::All);
        assert!(!order.is_exchanged(since));
        order.exchanged();
        assert!(order.is_exchanged(since) && !order.is_exchanged(order.now()));
    }
}
