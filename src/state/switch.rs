//! Changing who answers, in all processes at once. The mode stands in the database: `postgres`, or while it changes `postgres>redis:TOKEN`. Each process that sees a
//! change being prepared holds commands back, finishes what is under way and says so; when all that live have said so, one compare-and-set commits it, and
//! only then anybody goes on. Whoever waits for too long undoes it by compare-and-set, so nobody goes on by the old mode after a commit.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{Blockage, ClientHandle, Mode, Process, random_hex};
use crate::store::StoreError;
use crate::store::statements::server::{BEGIN_MODE, CHANGE_MODE, LIVE_PROCESSES};

const SETTING: &str = "shadow-mode";
pub(super) const CHANGED: &[u8] = b"respg:mode";
const READY: &[u8] = b"respg:mode:ready:";
/// Before a token, a blank and the reason.
const REFUSED: &[u8] = b"respg:mode:refused:";
/// Longest time for what is under way when a change begins.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest time for the side that follows to do what is left.
const CATCH_UP: Duration = Duration::from_secs(3);
/// When a change that nobody ends is undone.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(2);

/// Why the mode is not changed; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error("this process has no other server (--upstream)")]
    NoUpstream,
    #[error("nobody follows in this version yet")]
    NobodyFollows,
    #[error("{0}")]
    Loses(&'static str),
    #[error("cannot follow: {0}")]
    CannotFollow(String),
    #[error("{0}; nothing was changed")]
    Refused(String),
    #[error("another change of the mode is under way")]
    Busy,
    #[error("not all processes could stop in time (or one has no --upstream); nothing was changed")]
    NotReady,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who has said that it is ready for which change.
#[derive(Default)]
pub struct Switching {
    ready: Mutex<BTreeSet<Bytes>>,
    /// Who has said that it cannot be, and why.
    refused: Mutex<Vec<Bytes>>,
    said: Notify,
    changed: Notify,
}

impl Switching {
    /// Why somebody cannot go along.
    fn refusal(&self, token: &str) -> Option<String> {
        let refusal = [REFUSED, token.as_bytes(), b" "].concat();
        let refused = self.refused.lock().expect("no panic while held");
        let why = refused.iter().find_map(|said| said.strip_prefix(&refusal[..]))?;
        Some(why.escape_ascii().to_string())
    }
}

/// What stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    Settled(Mode),
    Changing { from: Mode, to: Mode, token: String },
}

impl Stored {
    fn parse(text: &str) -> Option<Stored> {
        let mode = |name: &str| Mode::from_name(name.as_bytes());
        match text.split_once('>') {
            None => mode(text).map(Stored::Settled),
            Some((from, rest)) => {
                let (to, token) = rest.split_once(':')?;
                Some(Stored::Changing { from: mode(from)?, to: mode(to)?, token: token.to_owned() })
            }
        }
    }

    /// The mode that holds as long as nothing else is decided.
    pub fn settled(&self) -> Mode {
        match self {
            Stored::Settled(mode) | Stored::Changing { from: mode, .. } => *mode,
        }
    }

    fn text(&self) -> String {
        match self {
            Stored::Settled(mode) => mode.name().to_owned(),
            Stored::Changing { from, to, token } => format!("{}>{}:{token}", from.name(), to.name()),
        }
    }
}

/// Ends the token of a change that is made although the side that follows is behind.
const FORCED: &str = "!";

/// What is said for a change when one goes by its outcome.
pub(super) fn done(token: &str) -> String {
    format!("{token}/done")
}

pub(super) fn ready_topic(token: &str, process: i32) -> Bytes {
    [READY, format!("{token}:{process}").as_bytes()].concat().into()
}

/// What somebody says who cannot go along.
pub(super) fn refusal(token: &str, why: &str) -> Bytes {
    [REFUSED, token.as_bytes(), b" ", why.as_bytes()].concat().into()
}

impl Process {
    pub(super) async fn stored_mode(&self) -> Result<Option<Stored>, StoreError> {
        Ok(self.store.setting(SETTING).await?.and_then(|text| Stored::parse(&text)))
    }

    /// The mode of all processes, as the database has it.
    pub async fn common_mode(&self) -> Result<Mode, StoreError> {
        Ok(self.stored_mode().await?.map_or(Mode::Postgres, |stored| stored.settled()))
    }

    pub(super) async fn begin_mode(&self, mode: Mode) -> Result<(), StoreError> {
        self.store.change(&BEGIN_MODE, &[&SETTING, &mode.name()]).await.map(drop)
    }

    /// False if it is no longer what it was.
    pub(super) async fn change(&self, from: &Stored, to: &Stored) -> Result<bool, StoreError> {
        let changed = self.store.change(&CHANGE_MODE, &[&SETTING, &from.text(), &to.text()]).await?;
        self.bus.signal(Bytes::from_static(CHANGED));
        Ok(!changed.is_empty())
    }

    pub(super) async fn live_processes(&self) -> Result<BTreeSet<i32>, StoreError> {
        let rows = self.store.query(&LIVE_PROCESSES, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// RESPG.MODE SET: when it returns all processes go by the new mode. With `force` also if something is lost by it.
    pub async fn switch_mode(&self, to: Mode, force: bool) -> Result<(), SwitchError> {
        if self.upstream.is_none() {
            return Err(SwitchError::NoUpstream);
        }
        let shadow = self.shadow.get().filter(|shadow| shadow.follows(to));
        if to.is_followed() && shadow.is_none() {
            return Err(SwitchError::NobodyFollows);
        }
        self.begin_mode(self.routing.mode()).await?;
        let from = match self.stored_mode().await? {
            Some(Stored::Settled(from)) if from == to => return Ok(()),
            Some(Stored::Settled(from)) => from,
            _ => return Err(SwitchError::Busy),
        };
        if !force && let Some(why) = self.would_lose(from, to).await? {
            return Err(SwitchError::Loses(why));
        }
        let token = random_hex(16) + if force { FORCED } else { "" };
        let changing = Stored::Changing { from, to, token: token.clone() };
        if !self.change(&Stored::Settled(from), &changing).await? {
            return Err(SwitchError::Busy);
        }
        match self.commit(&changing, from, to, &token).await {
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

    async fn commit(&self, changing: &Stored, from: Mode, to: Mode, token: &str) -> Result<(), SwitchError> {
        match tokio::time::timeout(PATIENCE, self.all_ready(token)).await {
            Ok(ready) => ready?,
            Err(_) => return Err(SwitchError::NotReady),
        }
        if let Some(shadow) = self.shadow.get()
            && to.is_followed()
            && (!from.is_followed() || token.ends_with(FORCED))
        {
            shadow.lose_track().map_err(SwitchError::CannotFollow)?;
        }
        match self.change(changing, &Stored::Settled(to)).await? {
            true => Ok(()),
            false => Err(SwitchError::NotReady),
        }
    }

    /// Waits until every process that lives has said that it is ready.
    async fn all_ready(&self, token: &str) -> Result<(), SwitchError> {
        loop {
            let live = self.live_processes().await?;
            let ready = {
                let said = self.switching.ready.lock().expect("no panic while held");
                !live.is_empty() && live.iter().all(|process| said.contains(&ready_topic(token, *process)))
            };
            if ready {
                return Ok(());
            }
            if let Some(why) = self.switching.refusal(token) {
                return Err(SwitchError::Refused(why));
            }
            // Processes that die are not told of here.
            let _ = tokio::time::timeout(Duration::from_millis(200), self.switching.said.notified()).await;
        }
    }

    /// Follows the mode in the database until it is dropped.
    pub async fn follow_mode(self: Arc<Process>) {
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
        let mut since: Option<(Instant, String)> = None;
        loop {
            match self.stored_mode().await {
                Ok(stored) => self.obey(stored, &mut since).await,
                Err(error) => tracing::warn!(%error, "cannot read the mode"),
            }
            let look_again =
                if self.routing.is_held() { Duration::from_millis(100) } else { Duration::from_secs(1) };
            tokio::select! {
                () = self.switching.changed.notified() => {}
                changed = link.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(look_again) => {}
            }
        }
    }

    async fn obey(&self, stored: Option<Stored>, since: &mut Option<(Instant, String)>) {
        let (from, to, token) = match stored {
            None => return self.routing.release(self.routing.mode()),
            Some(Stored::Settled(mode)) => {
                if self.upstream.is_none() && mode != Mode::Postgres {
                    // It was changed while this process could not say that it has no upstream: it must not answer.
                    tracing::error!("mode {} needs --upstream", mode.name());
                    self.shutdown.send_replace(true);
                    return;
                }
                if self.routing.is_held() || self.routing.mode() != mode {
                    self.routing.hold();
                    if self.routing.mode() != mode {
                        self.drain().await;
                        self.let_go(mode);
                        if let Err(why) = self.change_follower(self.routing.mode(), mode).await {
                            tracing::error!("cannot follow in mode {}: {why}", mode.name());
                            self.shutdown.send_replace(true);
                            return;
                        }
                    }
                    self.routing.release(mode);
                }
                if let Some((_, token)) = since.take() {
                    self.bus.signal(ready_topic(&done(&token), self.bus.process));
                }
                return;
            }
            Some(Stored::Changing { from, to, token }) => (from, to, token),
        };
        let changing = Stored::Changing { from, to, token: token.clone() };
        let is_new = since.as_ref().is_none_or(|(_, known)| *known != token);
        if is_new {
            *since = Some((Instant::now(), token.clone()));
            let this = [READY, token.as_bytes()].concat();
            self.switching.ready.lock().expect("no panic while held").retain(|said| said.starts_with(&this));
            let of_this = [REFUSED, token.as_bytes()].concat();
            let refused = &self.switching.refused;
            refused.lock().expect("no panic while held").retain(|said| said.starts_with(&of_this));
            match self.prepare(from, to, token.ends_with(FORCED)).await {
                Ok(()) => {
                    self.bus.signal(ready_topic(&token, self.bus.process));
                    return;
                }
                Err(why) => self.bus.signal(refusal(&token, &why)),
            }
        }
        let is_overdue = since.as_ref().is_some_and(|(since, _)| since.elapsed() > PATIENCE + DRAIN);
        if is_new || is_overdue {
            // An error is found again at the next look.
            let _ = self.change(&changing, &Stored::Settled(from)).await;
        }
    }

    /// Holds commands back and brings everything to an end that goes by the mode so far.
    async fn prepare(&self, from: Mode, to: Mode, force: bool) -> Result<(), String> {
        if self.upstream.is_none() && to != Mode::Postgres {
            self.routing.hold();
            return Err("one process has no other server (--upstream)".to_owned());
        }
        // Who follows is about to answer.
        let follows =
            self.shadow.get().filter(|_| from.is_followed() && from.is_upstream() != to.is_upstream());
        let behind = || follows.and_then(|shadow| shadow.behind());
        if !force && let Some(why) = behind() {
            return Err(why);
        }
        self.routing.hold();
        if !self.drain().await {
            return Err("what clients have under way takes too long".to_owned());
        }
        let Some(shadow) = follows else { return Ok(()) };
        match tokio::time::timeout(CATCH_UP, shadow.caught_up()).await {
            Err(_) if !force => {
                Err(behind().unwrap_or_else(|| "the side that follows does not catch up in time".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Who has followed in one mode does not in the next, or otherwise.
    pub async fn change_follower(&self, from: Mode, to: Mode) -> Result<(), String> {
        let Some(shadow) = self.shadow.get() else { return Ok(()) };
        if from.is_followed() {
            shadow.end().await;
        }
        if to.is_followed() { shadow.begin(to).await } else { Ok(()) }
    }

    /// Ends what waits and lets finish what is under way.
    async fn drain(&self) -> bool {
        let deadline = Instant::now() + DRAIN;
        let waiting = || self.upstream.as_ref().is_some_and(|upstream| upstream.waiting.load(Relaxed) > 0);
        loop {
            let is_blocked = |client: &Arc<ClientHandle>| client.blockage() != Blockage::Free;
            let blocked: Vec<_> = self.clients.all().into_iter().filter(is_blocked).collect();
            // They get what they get when their time is over, and ask again.
            for client in &blocked {
                client.unblock(Blockage::TimeOut);
            }
            if blocked.is_empty() && self.routing.is_drained() && !waiting() {
                return true;
            }
            if Instant::now() > deadline {
                return false;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_modes() {
        let changing = Stored::Changing { from: Mode::Redis, to: Mode::Postgres, token: "a1".to_owned() };
        for stored in [Stored::Settled(Mode::Shadow), changing] {
            assert_eq!(Stored::parse(&stored.text()), Some(stored));
        }
        assert_eq!(Stored::parse("nonsense"), None);
    }
}
