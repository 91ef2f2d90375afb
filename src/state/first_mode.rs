//! The mode that a process begins in.

use std::time::Duration;

use bytes::Bytes;

use super::switch::Stored;
use super::{Mode, Process};
use crate::resp::Reply;
use crate::store::StoreError;
use crate::store::statements::server::ANY_KEY;
use crate::upstream::Connection;

impl Process {
    /// The mode to begin with, or why there is none. One that was given at the start holds if nobody else is there, or is in it.
    pub async fn first_mode(&self) -> Result<Result<Mode, String>, StoreError> {
        let given = self.settings.config.mode;
        let mode = match (self.stored_mode().await?, given) {
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
                if let Err(why) = self.prepare_first(None, mode) {
                    return Ok(Err(why));
                }
                self.begin_mode(mode).await?;
                mode
            }
            (Some(Stored::Settled(mode)), None) => mode,
            (Some(Stored::Settled(mode)), Some(given)) if mode == given => mode,
            (Some(stored), Some(given)) if self.live_processes().await?.is_empty() => {
                let from = stored.settled();
                if from.is_followed() && from.is_upstream() != given.is_upstream() {
                    // What the last processes have not followed would be undone on the side where it was done.
                    return Ok(Err(format!(
                        "it was {} up to now: start in that and change it with RESPG.MODE SET",
                        from.name()
                    )));
                }
                if let Some(why) = self.would_lose(from, given).await? {
                    return Ok(Err(why.to_owned()));
                }
                if let Err(why) = self.prepare_first(Some(from), given) {
                    return Ok(Err(why));
                }
                self.change(&stored, &Stored::Settled(given)).await?;
                given
            }
            (Some(Stored::Changing { from, .. }), _) => from,
            (Some(Stored::Settled(mode)), Some(_)) => {
                return Ok(Err(format!("others are in mode {}: change it with RESPG.MODE SET", mode.name())));
            }
        };
        Ok(Ok(mode))
    }

    /// Before a process is the first in a mode.
    fn prepare_first(&self, from: Option<Mode>, mode: Mode) -> Result<(), String> {
        match (self.shadow.get(), mode.is_followed()) {
            (_, false) => Ok(()),
            (Some(shadow), true) if shadow.follows(mode) => {
                if from.is_some_and(Mode::is_followed) {
                    Ok(())
                } else {
                    shadow.lose_track()
                }
            }
            // Of a process without an upstream something better is said.
            (Some(_), true) => Err("nobody follows in this version yet".to_owned()),
            (None, true) => Ok(()),
        }
    }

    /// Why a side would lose what it has, if it would be made like the other although it may be the one that is right.
    pub(super) async fn would_lose(&self, from: Mode, to: Mode) -> Result<Option<&'static str>, StoreError> {
        Ok(match (from, to) {
            (Mode::Postgres, Mode::Shadow) if self.has_keys().await? => Some(REPLACED_HERE),
            (Mode::Redis, Mode::Reverse) => Some(REPLACED_THERE),
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
const REPLACED_THERE: &str = "the upstream has answered up to now and its keys would be replaced by Postgres's: go through mode shadow, or say RESPG.MODE SET reverse FORCE";
const REMOVED_THERE: &str = "Postgres has no keys and those of the upstream would be removed: bring them over (respg import), or say RESPG.MODE SET reverse FORCE";
