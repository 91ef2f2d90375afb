//! What the follower answered, compared with what the leader did.

use std::sync::atomic::Ordering::Relaxed;

use super::compare::{compare, redacted};
use super::effect::Planned;
use super::follow::Follower;
use super::report::now_ms;
use super::settle::TOLERANCE_MS;
use crate::command::Flags;
use crate::resp::Reply;

/// How far two servers may be apart in what they think is the end of a key.
pub(super) const BLUR_MS: i64 = 20;

impl Follower {
    /// Compares the follower's reply with the leader's.
    pub(super) fn check(&mut self, planned: &Planned, reply: &Reply) {
        let Planned { request, expected, .. } = planned;
        // An earlier call of the batch was not what it should be: this one may have carried it on.
        if self.concerns_unsettled(planned) {
            let targets = planned.written();
            return targets.into_iter().for_each(|name| self.unsettle(name, "depends on such a key"));
        }
        let distance = self.lapses.distance(planned, now_ms());
        let has_lapsed = |within: i64| distance.is_some_and(|distance| distance <= within);
        self.lapses.follow(planned);
        if has_lapsed(BLUR_MS) {
            // Whatever was answered.
            let targets = planned.written();
            return targets.into_iter().for_each(|name| self.unsettle(name, "expired meanwhile"));
        }
        let (class, detail) = match expected {
            Some(expected) => match compare(request.command, expected, reply, self.protocol) {
                None => return self.look_after(planned),
                Some(mismatch) => (mismatch.name(), format!("{} / {}", redacted(expected), redacted(reply))),
            },
            None if reply.is_error() => ("reply: error", format!("OK / {}", redacted(reply))),
            None => return self.look_after(planned),
        };
        let report = &self.following.report;
        report.counts.mismatches.fetch_add(1, Relaxed);
        let names = planned.written();
        let first = names.first().map(|(_, key)| key.clone()).unwrap_or_default();
        // Keys that wait for their repair are known to differ.
        let expected = planned.beside || has_lapsed(TOLERANCE_MS as i64) || self.concerns_broken(planned);
        if !expected {
            report.difference(class, request.command.name, &first, &detail);
        }
        if request.command.flags.has(Flags::BARRIER) {
            self.give_up_all();
        }
        let why = if expected { "may differ" } else { request.command.name };
        names.into_iter().for_each(|name| self.unsettle(name, why));
    }
}
