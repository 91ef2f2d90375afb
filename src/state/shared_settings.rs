//! Settings that belong to the database: followed by all processes, and there again after a start.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Process;
use crate::keyspace::Classes;
use crate::store::StoreError;

/// What [`Store::setting`](crate::store::Store::setting) calls notify-keyspace-events.
pub const NOTIFY_KEYSPACE_EVENTS: &str = "notify-keyspace-events";

/// What [`Store::setting`](crate::store::Store::setting) calls the share of keys of which Postgres answers reads in shadow mode.
pub const SHADOW_READS: &str = "shadow-reads";

/// The signal that one has changed.
const CHANGED: &[u8] = b"respg:settings";

/// Held by who changes one, until it is in the database, and by who reads them from there: what is read is not older than what is here.
#[derive(Default)]
pub struct SharedSettings(Arc<Mutex<()>>);

/// The right to change them.
pub type SettingsLock = OwnedMutexGuard<()>;

impl SharedSettings {
    pub async fn lock(&self) -> SettingsLock {
        self.0.clone().lock_owned().await
    }
}

impl Process {
    /// Reads them again.
    pub async fn load_settings(&self) -> Result<(), StoreError> {
        let _lock = self.shared_settings.lock().await;
        if let Some(value) = self.store.setting(NOTIFY_KEYSPACE_EVENTS).await?
            && let Some(classes) = Classes::parse(value.as_bytes())
        {
            self.settings.set_notify_keyspace_events(classes);
        }
        if let Some(upstream) = &self.upstream {
            let share = self.store.setting(SHADOW_READS).await?.and_then(|share| share.parse().ok());
            upstream.reads.store(share.unwrap_or(0), Relaxed);
        }
        Ok(())
    }

    /// Follows the changes of others until it is dropped; those of a time without a listening connection are found at its end.
    pub async fn follow_settings(self: Arc<Process>) {
        let changed = Arc::new(tokio::sync::Notify::new());
        let signal = changed.clone();
        self.bus.on_signal(move |_, topic| {
            if topic == CHANGED {
                signal.notify_one();
            }
        });
        let mut link = self.bus.link();
        loop {
            if let Err(error) = self.load_settings().await {
                tracing::debug!(%error, "reading the database's settings");
            }
            tokio::select! {
                () = changed.notified() => {}
                changed = link.changed() => if changed.is_err() { return },
            }
        }
    }
}
