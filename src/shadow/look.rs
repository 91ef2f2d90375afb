//! Keys that are looked at once more while other processes write here, too. Each follows what went through it in its own time, so of two processes the one may do a call, or write a state that
//! it had read, after the other has followed a later call on the same key. Whoever was the last to write has looked afterwards: at rest both sides are the same.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::effect::{Name, Planned};
use super::follow::Follower;
use super::unsettled::{Arrived, Doubt};
use crate::command::Flags;
use crate::copy::Resynced;
use crate::store::statements::server::LIVE_PROCESSES;

/// A key that is never what was written is left alone after so many writes.
const MOST_WRITES: u32 = 20;
/// Of more keys than that at a time none is looked at: a change of the mode waits for them.
const MOST_LOOKS: usize = 4000;
/// After a call no value is looked at that takes more bytes: the side that answers would be reading it all the time.
const MOST_BYTES: u64 = 64 * 1024;
/// How often it is asked whether there are other processes.
const OFTEN: Duration = Duration::from_secs(1);

impl Follower {
    /// Asks now and then whether other processes write here.
    pub(super) async fn look_for_others(&mut self) {
        if self.others.is_none_or(|(_, asked)| asked.elapsed() > OFTEN) {
            let live = self.store.query(&LIVE_PROCESSES, &[]).await;
            self.others = Some((live.map_or(true, |live| live.len() > 1), Instant::now()));
        }
    }

    fn is_alone(&self) -> bool {
        self.others.is_some_and(|(others, _)| !others)
    }

    /// A call was done and answered as expected. If that does not tell what was there before, another process may have done a later one already.
    pub(super) fn look_after(&mut self, planned: &Planned) {
        if self.is_alone() {
            return;
        }
        if planned.request.command.flags.has(Flags::BARRIER) {
            return self.give_up_all();
        }
        if planned.shows_what_was_there() {
            return;
        }
        for name in planned.written() {
            if let Some(doubt) = self.unsettled.keys.get_mut(&name) {
                // What has been asked for was so before this call, perhaps.
                doubt.again |= doubt.ticket != 0;
            } else if !self.are_too_many() && self.mark(&name).is_some() {
                self.look(name, after_call());
            }
        }
    }

    /// The key was written.
    pub(super) fn look_again(&mut self, arrived: &Arrived, became: Resynced) {
        let writes = if arrived.again { 1 } else { arrived.writes + 1 };
        match self.is_alone() || writes > MOST_WRITES {
            true => self.settled(&arrived.name, became),
            false => self.look_once_more(&arrived.name, became, Doubt { writes, ..Doubt::new("written") }),
        }
    }

    /// The key was what it should be, and something was done with it since.
    pub(super) fn look_later(&mut self, name: &Name, became: Resynced) {
        self.look_once_more(name, became, after_call());
    }

    /// For who waits for the key it is settled.
    fn look_once_more(&mut self, name: &Name, became: Resynced, doubt: Doubt) {
        if self.unsettled.keys.contains_key(name) || self.are_too_many() {
            return self.settled(name, became);
        }
        self.following.waiting.tell(name, || Ok(became));
        self.look(name.clone(), doubt);
    }

    /// Whether one more would be; that is counted.
    fn are_too_many(&self) -> bool {
        let too_many = self.unsettled.looks >= MOST_LOOKS;
        self.following.report.counts.not_looked_at.fetch_add(too_many.into(), Relaxed);
        too_many
    }

    fn look(&mut self, name: Name, doubt: Doubt) {
        self.unsettled.keys.insert(name.clone(), doubt);
        self.unsettled.looks += 1;
        self.unsettled.to_look.push_back(name);
        self.count();
    }
}

fn after_call() -> Doubt {
    Doubt { writes: 1, most_bytes: MOST_BYTES, ..Doubt::new("written") }
}
