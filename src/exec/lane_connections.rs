//! The connections of a thread's lanes. Hot path.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::retry::Source;
use crate::store::{Carrier, Commit, Connection, Store, StoreError};

/// Longest wait for a row that somebody else has locked. Then the batch is dissolved and each work runs alone, so that a
/// transaction of SQL users that holds a key delays only those who want that key.
const LOCK_WAIT: Duration = Duration::from_millis(200);

/// Opened when first needed and again when lost.
#[derive(Default)]
struct Slots {
    /// Waits for WAL flushes.
    durable: Option<Arc<Connection>>,
    /// Does not.
    relaxed: Option<Arc<Connection>>,
}

/// What a thread's lanes have in common: connections for batches of one statement, which stand in line there. Every lane carries them.
#[derive(Default)]
pub struct Common {
    carrier: Carrier,
    slots: Mutex<Slots>,
}

/// One lane's.
pub struct LaneConnections {
    store: Arc<Store>,
    carrier: Carrier,
    own: Slots,
    common: Arc<Common>,
    /// Whether the batch may stand in line with other lanes'.
    pub in_common: bool,
}

impl LaneConnections {
    pub fn new(store: Arc<Store>, common: Arc<Common>) -> LaneConnections {
        LaneConnections {
            store,
            carrier: Carrier::default(),
            own: Slots::default(),
            common,
            in_common: false,
        }
    }

    /// The lane's own, and the common one.
    pub fn carriers(&self) -> (Carrier, Carrier) {
        (self.carrier.clone(), self.common.carrier.clone())
    }
}

impl Source for LaneConnections {
    type Held<'s> = Arc<Connection>;

    async fn connection(&mut self, commit: Commit, single: bool) -> Result<Arc<Connection>, StoreError> {
        match single && self.in_common {
            true => self.common.slots.lock().await.get(&self.store, commit, &self.common.carrier).await,
            false => self.own.get(&self.store, commit, &self.carrier).await,
        }
    }
}

impl Slots {
    async fn get(
        &mut self,
        store: &Store,
        commit: Commit,
        carrier: &Carrier,
    ) -> Result<Arc<Connection>, StoreError> {
        let slot = match commit {
            Commit::Durable => &mut self.durable,
            Commit::Relaxed => &mut self.relaxed,
        };
        if let Some(connection) = slot.as_ref()
            && (connection.is_closed() || connection.refresh_plans(store.patience).await.is_err())
        {
            *slot = None;
        }
        let connection = match slot {
            Some(connection) => connection,
            None => {
                let opened = Connection::open_carried(&store.target, commit, LOCK_WAIT, carrier);
                let opened = Box::pin(opened).await?;
                slot.insert(Arc::new(opened))
            }
        };
        Ok(connection.clone())
    }
}
