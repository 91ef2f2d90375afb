//! The rule that a process begins with.

use std::time::Duration;

use bytes::Bytes;

use super::stored_rule::Stored;
use super::{Mode, Process, Rule, Side};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::store::statements::server::ANY_KEY;
use crate::upstream::Connection;

impl Process {
    /// The rule to begin with, or why there is none. A mode that was given at the start holds if nobody else is there, or is in it.
    pub async fn first_rule(&self) -> Result<Result<Rule, String>, StoreError> {
        let given = self.settings.config.mode;
        let rule = match (self.stored_rule().await?, given) {
            (None, given) => {
                let mode = given.unwrap_or(Mode::Postgres);
                // No server would have left it open.
                if mode.is_followed() && !self.live_processes().await?.is_empty() {
                    return Ok(Err("another process (respg import?) is at work in this database".to_owned()));
                }
                // What is in Postgres may be what was imported.
                if mode == Mode::Reverse
                    && let Some(why) = self.would_lose(Mode::Postgres, mode).await?
                {
                    return Ok(Err(why.to_owned()));
                }
                if let Err(why) = self.prepare_first(None, mode).await {
                    return Ok(Err(why));
                }
                self.begin_rule(&Rule::of(mode)).await?;
                Rule::of(mode)
            }
            (Some(Stored::Settled(rule)), None) => rule,
            (Some(Stored::Settled(rule)), Some(given)) if rule.mode == given => rule,
            (Some(stored), Some(given)) if self.live_processes().await?.is_empty() => {
                let from = stored.settled();
                // The keys that are moved by pattern belong to the mode.
                let to = if given == from.mode { from.clone() } else { Rule::of(given) };
                if *from != to
                    && (from.is_divided()
                        || from.mode.is_followed() && from.mode.is_upstream() != given.is_upstream())
                {
                    // What the last processes have not followed would be undone on the side where it was done.
                    let moved = if from.is_divided() { " with keys moved by pattern" } else { "" };
                    return Ok(Err(format!(
                        "it was {}{moved} up to now: start in that and change it with RESPG.MODE SET",
                        from.mode.name()
                    )));
                }
                if let Some(why) = self.would_lose(from.mode, given).await? {
                    return Ok(Err(why.to_owned()));
                }
                if from.hands_over(&to, Side::Postgres)
                    && let Some(why) = self.none_missing().await?
                {
                    let mode = from.mode.name();
                    return Ok(Err(format!(
                        "{why}; end it, or start in mode {mode} and say RESPG.MODE SET {} FORCE",
                        given.name()
                    )));
                }
                if let Err(why) = self.prepare_first(Some(from.mode), given).await {
                    return Ok(Err(why));
                }
                self.change(&stored, &Stored::Settled(to.clone())).await?;
                to
            }
            (Some(Stored::Changing { from, .. }), _) => from,
            (Some(Stored::Settled(rule)), Some(_)) => {
                let mode = rule.mode.name();
                return Ok(Err(format!("others are in mode {mode}: change it with RESPG.MODE SET")));
            }
        };
        Ok(Ok(rule))
    }

    /// Before a process is the first in a mode.
    async fn prepare_first(&self, from: Option<Mode>, mode: Mode) -> Result<(), String> {
        // Of a process without an upstream something better is said.
        match self.shadow.get().filter(|_| mode.is_followed() && !from.is_some_and(Mode::is_followed)) {
            Some(shadow) => shadow.lose_track().await,
            None => Ok(()),
        }
    }

    /// Why a side would lose what it has, if it would be made like the other, or left for it, although it may be the one that is right.
    pub(super) async fn would_lose(&self, from: Mode, to: Mode) -> Result<Option<&'static str>, StoreError> {
        Ok(match (from, to) {
            (Mode::Postgres, Mode::Shadow) if self.has_keys().await? => Some(REPLACED_HERE),
            (Mode::Postgres, Mode::Redis) if self.has_keys().await? => Some(LEFT_HERE),
            (Mode::Redis, Mode::Reverse) => Some(REPLACED_THERE),
            (Mode::Redis, Mode::Postgres) if self.upstream_has_keys().await => Some(LEFT_THERE),
            (Mode::Postgres, Mode::Reverse) if !self.has_keys().await? && self.upstream_has_keys().await => {
                Some(REMOVED_THERE)
            }
            _ => None,
        })
    }

    async fn has_keys(&self) -> Result<bool, StoreError> {
        let connection = self.store.acquire().await?;
        let rows =
            connection.query(&ANY_KEY, &[]).await.map_err(|error| StoreError::before_commit(&error))?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// Also if it does not say so.
    async fn upstream_has_keys(&self) -> bool {
        let Some(upstream) = &self.upstream else { return false };
        let info = async {
            let mut connection = Connection::open(upstream.pipe.url()).await?;
            connection.call(&[vec![Bytes::from_static(b"INFO"), Bytes::from_static(b"keyspace")]]).await
        };
        match tokio::time::timeout(PATIENCE, info).await {
            Ok(Ok(replies)) => match &replies[..] {
                [Reply::Bulk(text) | Reply::Verbatim(text)] => text.windows(5).any(|word| word == b"keys="),
                _ => true,
            },
            _ => true,
        }
    }
}

/// How long the upstream may take to say what it has.
const PATIENCE: Duration = Duration::from_secs(5);

const REPLACED_HERE: &str = "Postgres has answered up to now and its keys would be replaced by the upstream's: bring them there (respg export), or say RESPG.MODE SET shadow FORCE";
const LEFT_HERE: &str = "Postgres has answered up to now and clients would find the upstream as it was before: go through mode reverse, or say RESPG.MODE SET redis FORCE";
const LEFT_THERE: &str = "the upstream has answered up to now and clients would find Postgres as it was before: go through mode shadow, or say RESPG.MODE SET postgres FORCE";
const REPLACED_THERE: &str = "the upstream has answered up to now and its keys would be replaced by Postgres's: go through mode shadow, or say RESPG.MODE SET reverse FORCE";
const REMOVED_THERE: &str = "Postgres has no keys and those of the upstream would be removed: bring them over (respg import), or say RESPG.MODE SET reverse FORCE";
