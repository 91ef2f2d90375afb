//! The mode that a process begins in.

use super::switch::Stored;
use super::{Mode, Process};
use crate::store::StoreError;
use crate::store::statements::server::ANY_KEY;

impl Process {
    /// The mode to begin with, or why there is none. One that was given at the start holds if nobody else is there, or is in it.
    pub async fn first_mode(&self) -> Result<Result<Mode, String>, StoreError> {
        let given = self.settings.config.mode;
        let mode = match (self.stored_mode().await?, given) {
            (None, given) => {
                let mode = given.unwrap_or(Mode::Postgres);
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
                if self.would_lose(from, given).await? {
                    return Ok(Err(LOSES.to_owned()));
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

    /// Whether what Postgres has answered up to now would be replaced by what the upstream has.
    pub(super) async fn would_lose(&self, from: Mode, to: Mode) -> Result<bool, StoreError> {
        if from != Mode::Postgres || to != Mode::Shadow {
            return Ok(false);
        }
        let connection = self.store.acquire().await?;
        let rows =
            connection.query(&ANY_KEY, &[]).await.map_err(|error| StoreError::before_commit(&error))?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }
}

/// What to say then.
pub const LOSES: &str = "Postgres has answered up to now and its keys would be replaced by the upstream's: bring them there (respg export), or say RESPG.MODE SET shadow FORCE";
