//! Changing who answers, in all processes at once. The rule stands in the database (`stored_rule.rs`). Each process that sees a
//! change being prepared holds commands back, finishes what is under way and says so; when all that live have said so, one compare-and-set commits it, and
//! only then anybody goes on. Whoever waits for too long undoes it by compare-and-set, so nobody goes on by the old rule after a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};

use super::stored_rule::Stored;
use super::token::{self, READY, REFUSED, done, ready_topic, refusal};
use super::{Blockage, Change, ClientHandle, Mode, Process, Rule, RuleError, Side};
use crate::store::StoreError;
use crate::store::statements::server::{AWAITED_PROCESSES, LIVE_PROCESSES};
use crate::store::statements::shadow::DEAD_RUNS;

pub(super) const CHANGED: &[u8] = b"respg:mode";
/// Longest time for what is under way when a change begins.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest time for the side that follows to do what is left.
const CATCH_UP: Duration = Duration::from_secs(3);
/// The same if it does not matter much.
const GRACE: Duration = Duration::from_millis(300);
/// When a change that nobody ends is undone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until a process that is gone is known to be.
const FAREWELL: Duration = Duration::from_secs(4);
/// How often one that does not hear anything looks for a change, and says that it is there.
const LOOK_DEAF: Duration = Duration::from_millis(500);
const GLANCE: Duration = Duration::from_millis(2);

/// Why the mode is not changed; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error("this process has no other server (--upstream)")]
    NoUpstream,
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("{0}")]
    Loses(&'static str),
    #[error("cannot follow: {0}")]
    CannotFollow(String),
    #[error("{0}; nothing was changed")]
    Refused(String),
    #[error("another change of the mode is under way")]
    Busy,
    #[error("a process does not hear the others at the moment (LISTEN); nothing was changed")]
    Deaf,
    #[error("not all processes could stop in time (or one has no --upstream); nothing was changed")]
    NotReady,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A change that was seen.
struct Seen {
    at: Instant,
    token: String,
    /// Whether this process can go along.
    is_ready: bool,
}

impl Process {
    pub(super) async fn live_processes(&self) -> Result<BTreeSet<i32>, StoreError> {
        let rows = self.store.query(&LIVE_PROCESSES, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The processes that may answer clients, and whether they hear what is said.
    async fn awaited_processes(&self) -> Result<BTreeMap<i32, bool>, StoreError> {
        let rows = self.store.query(&AWAITED_PROCESSES, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Waits until every process that may answer hears what is said: if one cannot, nobody is held back for it.
    async fn all_hear(&self) -> Result<(), SwitchError> {
        let begun = Instant::now();
        while self.awaited_processes().await?.values().any(|hears| !hears) {
            if begun.elapsed() > FAREWELL {
                return Err(SwitchError::Deaf);
            }
            tokio::time::sleep(GLANCE * 50).await;
        }
        Ok(())
    }

    /// RESPG.MODE SET: when it returns all processes go by the new rule. With `force` also if something is lost by it.
    pub async fn change_rule(&self, change: &Change, force: bool) -> Result<(), SwitchError> {
        if self.upstream.is_none() {
            return Err(SwitchError::NoUpstream);
        }
        self.begin_rule(&self.routing.rule()).await?;
        let Some(Stored::Settled(from)) = self.stored_rule().await? else { return Err(SwitchError::Busy) };
        let to = from.after(change)?;
        if from == to {
            return Ok(());
        }
        if !force && let Some(why) = self.would_lose(from.mode, to.mode).await? {
            return Err(SwitchError::Loses(why));
        }
        self.all_hear().await?;
        if from.changes_sides(&to) {
            if force {
                self.give_up_missing().await?;
            }
            // FORCE does not go over one that is certainly there.
            if let Some(why) = self.none_missing().await? {
                let hint = if force { "" } else { ", or say FORCE" };
                return Err(SwitchError::Refused(format!("{why}; end it{hint}")));
            }
        }
        // Asked before this process is: who stands in for the dead marks slots here before it forgets them.
        self.none_dead(&from, &to, force).await?;
        let token = token::new(self.bus.process, force);
        let _making = self.switching.make(&token);
        let changing = Stored::Changing { from: from.clone(), to: to.clone(), token: token.clone() };
        if !self.change(&Stored::Settled(from.clone()), &changing).await? {
            return Err(SwitchError::Busy);
        }
        match self.commit(&changing, &from, to, &token).await {
            Ok(()) => {
                // It is done; who has not gone on yet holds commands back until then.
                let _ = tokio::time::timeout(PATIENCE, self.all_ready(&done(&token))).await;
                Ok(())
            }
            Err(error) => {
                // If this does not work either, those that wait undo it.
                let _ = self.change(&changing, &Stored::Settled(from)).await;
                Err(error)
            }
        }
    }

    async fn commit(&self, changing: &Stored, from: &Rule, to: Rule, token: &str) -> Result<(), SwitchError> {
        let all_ready = async {
            loop {
                self.all_ready(token).await?;
                let is_ready = |process| self.switching.is_ready(token, process);
                // Who has come back since is waited for.
                if !from.changes_sides(&to)
                    || self.all_passing(is_ready).await?.map_err(SwitchError::Refused)?
                {
                    return Ok(());
                }
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_ready).await.unwrap_or(Err(SwitchError::NotReady))?;
        // Asked again, since whoever has died meanwhile is not waited for.
        self.none_dead(from, &to, token::is_forced(token)).await?;
        let afresh = to.mode.is_followed() && (!from.mode.is_followed() || token::is_forced(token));
        let shadow = self.shadow.get().filter(|_| afresh);
        if let Some(shadow) = shadow {
            shadow.lose_track().await.map_err(SwitchError::CannotFollow)?;
        }
        let changed = self.change(changing, &Stored::Settled(to)).await;
        if let (Some(shadow), Ok(false) | Err(_)) = (shadow, &changed) {
            shadow.stay();
        }
        match changed? {
            true => Ok(()),
            false => Err(SwitchError::NotReady),
        }
    }

    /// Whether nobody has left undone what the side that is about to answer needs.
    async fn none_dead(&self, from: &Rule, to: &Rule, force: bool) -> Result<(), SwitchError> {
        if force || from.taken_over(to).next().is_none() {
            return Ok(());
        }
        let dead = self.store.query(&DEAD_RUNS, &[&""]).await?;
        dead.first().map_or(Ok(()), |row| {
            let name: String = row.get(0);
            Err(SwitchError::Refused(format!(
                "the process {name} has ended, and what it left undone is not done yet"
            )))
        })
    }

    /// Waits until every process that may answer has said that it is ready.
    async fn all_ready(&self, token: &str) -> Result<(), SwitchError> {
        loop {
            let awaited = self.awaited_processes().await?;
            if !awaited.is_empty() && awaited.keys().all(|process| self.switching.is_ready(token, *process)) {
                return Ok(());
            }
            if let Some(why) = self.switching.refusal(token) {
                return Err(SwitchError::Refused(why));
            }
            // Processes that die are not told of here.
            let _ = tokio::time::timeout(Duration::from_millis(200), self.switching.said.notified()).await;
        }
    }

    /// Follows the rule in the database until it is dropped.
    pub async fn follow_rule(self: Arc<Process>) {
        let process = self.clone();
        self.bus.on_signal(move |_, topic| {
            if topic.starts_with(READY) {
                process.switching.ready.lock().expect("no panic while held").insert(topic.clone());
                process.switching.said.notify_one();
            } else if topic.starts_with(REFUSED) {
                process.switching.refused.lock().expect("no panic while held").push(topic.clone());
                process.switching.said.notify_one();
            } else if topic == CHANGED {
                process.switching.changed.notify_one();
            }
        });
        // From here on others wait for us.
        let _ = self.bus.linked().await;
        let mut link = self.bus.link();
        let (mut seen, mut heard): (Option<Seen>, u64) = (None, 0);
        loop {
            let linked = link.borrow_and_update().clone();
            // Before looking: a change that is not seen is seen to be awaited by us.
            let is_deaf = self.stand(&linked, &mut heard).await;
            match self.stored_rule().await {
                Ok(stored) => self.obey(stored, &mut seen).await,
                Err(error) => tracing::warn!(%error, "cannot read the rule"),
            }
            // Nobody may be waiting for their end.
            let _ = self.store.end_left().await;
            let look_again = match self.routing.is_held() {
                true => Duration::from_millis(100),
                false if is_deaf => LOOK_DEAF,
                false => Duration::from_secs(1),
            };
            tokio::select! {
                () = self.switching.changed.notified() => {}
                changed = link.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(look_again) => {}
            }
        }
    }

    async fn obey(&self, stored: Option<Stored>, seen: &mut Option<Seen>) {
        let (from, to, token) = match stored {
            None => return self.routing.release(self.routing.rule()),
            Some(Stored::Settled(rule)) => {
                if self.upstream.is_none() && rule.mode != Mode::Postgres {
                    // It was changed while this process could not say that it has no upstream: it must not answer.
                    tracing::error!("mode {} needs --upstream", rule.mode.name());
                    self.shutdown.send_replace(true);
                    return;
                }
                return self.settle(&rule, seen).await;
            }
            Some(Stored::Changing { from, to, token }) => (from, to, token),
        };
        let known = seen.take_if(|seen| seen.token == token);
        let is_new = known.is_none();
        if is_new && (seen.is_some() || *self.routing.rule() != from) {
            // The outcome of an earlier change, which this process has not seen.
            self.settle(&from, seen).await;
        }
        let known =
            known.unwrap_or_else(|| Seen { at: Instant::now(), token: token.clone(), is_ready: false });
        let is_overdue = known.at.elapsed() > PATIENCE + DRAIN;
        let Seen { is_ready, .. } = seen.insert(known);
        if is_new {
            self.switching.forget_before(&token);
        }
        let is_abandoned = is_overdue || self.is_abandoned(&token).await;
        if is_new && !is_abandoned {
            match self.prepare(&from, &to, token::is_forced(&token)).await {
                Ok(()) => *is_ready = true,
                Err(why) => self.bus.signal(refusal(&token, &why)),
            }
        }
        if *is_ready && !is_abandoned {
            // Said at each look: it may not have been heard.
            self.bus.signal(ready_topic(&token, self.bus.process));
        } else {
            // An error is found again at the next look.
            let changing = Stored::Changing { from: from.clone(), to, token };
            let _ = self.change(&changing, &Stored::Settled(from)).await;
        }
    }

    /// Whether nobody will end this change any more: who has begun it has given up, or is gone. If he is not, he finds that it was undone.
    async fn is_abandoned(&self, token: &str) -> bool {
        match token::initiator(token) {
            Some(own) if own == self.bus.process => !self.switching.makes(token),
            Some(other) => self.live_processes().await.is_ok_and(|live| !live.contains(&other)),
            None => false,
        }
    }

    /// Goes by the outcome of a change, and says so.
    async fn settle(&self, rule: &Rule, seen: &mut Option<Seen>) {
        self.go_by(Arc::new(rule.clone())).await;
        if let Some(Seen { token, .. }) = seen.take() {
            self.bus.signal(ready_topic(&done(&token), self.bus.process));
        }
    }

    /// Lets commands go on by this rule; if it is another one, not before they have stopped and somebody follows by it.
    async fn go_by(&self, rule: Arc<Rule>) {
        let before = self.routing.rule();
        if !self.routing.is_held() && before == rule {
            return;
        }
        self.routing.hold();
        if before != rule {
            self.drain().await;
            self.let_go(rule.mode);
            let begun = Instant::now();
            while let Err(why) = self.change_followers(&before, &rule).await {
                let mode = rule.mode.name();
                // It is decided, and others go by it: Postgres may come back, a folder that cannot be used does not.
                if begun.elapsed() > PATIENCE {
                    tracing::error!("cannot follow in mode {mode}: {why}");
                    self.shutdown.send_replace(true);
                    return;
                }
                tracing::warn!("cannot follow in mode {mode} yet: {why}");
                tokio::time::sleep(GLANCE * 50).await;
            }
        }
        self.routing.release(rule);
    }

    /// Holds commands back and brings everything to an end that goes by the rule so far.
    async fn prepare(&self, from: &Rule, to: &Rule, force: bool) -> Result<(), String> {
        if self.upstream.is_none() && to.mode != Mode::Postgres {
            self.routing.hold();
            return Err("one process has no other server (--upstream)".to_owned());
        }
        let shadow = self.shadow.get();
        let about_to = || from.taken_over(to);
        let behind = || about_to().find_map(|side| shadow?.behind(side));
        // Of the keys of a pattern nobody knows.
        let lacking = || shadow.filter(|_| !to.mode.is_upstream() && about_to().next().is_some())?.lacking();
        if !force && let Some(why) = behind().or_else(lacking) {
            return Err(why);
        }
        self.routing.hold();
        if let Some(left) = self.drain().await {
            return Err(format!("what clients have under way takes too long ({left})"));
        }
        let Some(shadow) = shadow else { return Ok(()) };
        if tokio::time::timeout(CATCH_UP, self.store.until_left_are_gone()).await.is_err() && !force {
            return Err("PostgreSQL has not ended sessions that were given up".to_owned());
        }
        let caught_up = async {
            for side in about_to() {
                shadow.caught_up(side).await;
            }
        };
        if tokio::time::timeout(CATCH_UP, caught_up).await.is_err() && !force {
            let slow = || "the side that follows does not catch up in time".to_owned();
            return Err(behind().unwrap_or_else(slow));
        }
        // What others leave undone is found again, by comparing keys.
        let goes_on = |side: &Side| from.is_followed_by(*side) && to.is_followed_by(*side);
        for side in [Side::Postgres, Side::Upstream].into_iter().filter(goes_on) {
            let _ = tokio::time::timeout(GRACE, shadow.caught_up(side)).await;
        }
        Ok(())
    }

    /// Who has followed by one rule does not by the next, or otherwise.
    pub async fn change_followers(&self, from: &Rule, to: &Arc<Rule>) -> Result<(), String> {
        let Some(shadow) = self.shadow.get() else { return Ok(()) };
        let afresh = !from.mode.is_followed();
        if !afresh {
            shadow.end(Some(to.clone())).await;
        }
        if to.mode.is_followed() { shadow.begin(to.clone(), afresh).await } else { Ok(()) }
    }

    /// Ends what waits and lets finish what is under way. What is left if that takes too long.
    async fn drain(&self) -> Option<String> {
        let deadline = Instant::now() + DRAIN;
        let waiting = || self.upstream.as_ref().map_or(0, |upstream| upstream.waiting.load(Acquire));
        loop {
            // Looked at first: whoever begins to wait has been under way.
            let is_drained = self.routing.is_drained() && waiting() == 0;
            // They get what they get when their time is over, and ask again. Who waits here does nothing else any more, however long it takes to say so.
            let unblock = |client: &&Arc<ClientHandle>| client.unblock(Blockage::TimeOut);
            let unblocked = self.clients.all().iter().filter(unblock).count();
            if is_drained && unblocked == 0 {
                return None;
            }
            if Instant::now() > deadline {
                let passing = self.routing.under_way();
                return Some(format!("{passing} commands, {} waiting in the upstream", waiting()));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Subscribers and monitors of the side that no longer answers have to come again.
    fn let_go(&self, mode: Mode) {
        if mode.is_upstream() {
            let here = |client: &Arc<ClientHandle>| !client.subscriptions.is_empty() || client.info().monitor;
            self.clients.all().into_iter().filter(here).for_each(|client| client.kill());
        }
    }
}
