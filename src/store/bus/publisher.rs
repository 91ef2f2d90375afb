//! Says what all clients of the process have to say: whatever has gathered, in one small transaction that waits for no WAL. Hot path.
//!
//! NOTIFY takes a lock that all notifying transactions of the cluster share until they have committed, so there is one at a time of
//! each process, and none of a client's data is in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;

use super::packet::{self, Item, Kind, MOST_ITEM, MOST_PACKET};
use super::{Bus, Outgoing, Receiver};
use crate::store::statements::bus::{COUNT, NOTIFY, STORE};
use crate::store::statements::keys::{BEGIN, COMMIT, ROLLBACK};
use crate::store::tls::Target;
use crate::store::{Commit, Connection, Params, StoreError};

/// Most bytes that one transaction takes, if it takes more than one item.
const MOST_BYTES: usize = 4 << 20;
const MOST_ITEMS: usize = 2048;
/// How long a packet may take to come back of which it is not known whether it was committed.
const DOUBT: Duration = Duration::from_secs(1);

/// Publishes until it is dropped.
pub async fn publish_forever(bus: &Arc<Bus>, target: &Target, receiver: &dyn Receiver) {
    let mut publisher = Publisher { bus, target, receiver, connection: None, numbers: 0, stored: 0 };
    loop {
        bus.arrived.notified().await;
        // One turn of the runtime: what arrives at this moment joins.
        tokio::task::yield_now().await;
        while let Some(items) = take(bus) {
            publisher.publish(items).await;
        }
    }
}

/// Takes what waits, up to a limit.
fn take(bus: &Bus) -> Option<Vec<Outgoing>> {
    let mut waiting = bus.outgoing.lock().expect("no panic while held");
    let mut bytes = 0;
    let fits = waiting.iter().take(MOST_ITEMS).take_while(|outgoing| {
        bytes += outgoing.item.most_length();
        bytes <= MOST_BYTES
    });
    let count = fits.count().max(1).min(waiting.len());
    match count {
        0 => None,
        all if all == waiting.len() => Some(std::mem::take(&mut *waiting)),
        some => Some(waiting.drain(..some).collect()),
    }
}

struct Publisher<'p> {
    bus: &'p Arc<Bus>,
    target: &'p Target,
    receiver: &'p dyn Receiver,
    connection: Option<Connection>,
    numbers: u64,
    stored: i64,
}

/// What one transaction does.
#[derive(Default)]
struct Batch {
    numbers: Vec<u64>,
    channels: Vec<String>,
    payloads: Vec<String>,
    stored: Vec<(i64, Item)>,
    counts: HashMap<(Kind, bytes::Bytes), i32>,
}

impl Publisher<'_> {
    async fn publish(&mut self, items: Vec<Outgoing>) {
        let bus = self.bus;
        let batch = self.batch(items);
        let epoch = bus.link.borrow().epoch;
        let outcome = match tokio::time::timeout(bus.patience, self.send(&batch)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unknown),
        };
        match outcome {
            Ok(()) => {
                let lost = || {
                    let link = bus.link.borrow();
                    !link.up || link.epoch != epoch
                };
                bus.pending.committed(&batch.numbers, lost, self.receiver);
            }
            Err(StoreError::Unknown) => {
                self.connection = None;
                let bus = bus.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(DOUBT).await;
                    bus.pending.failed(&batch.numbers, &StoreError::Unknown);
                });
            }
            Err(error) => {
                if self.connection.as_ref().is_some_and(Connection::is_closed) {
                    self.connection = None;
                }
                bus.pending.failed(&batch.numbers, &error);
            }
        }
    }

    /// Writes packets, each followed by what SQL's LISTEN receives of its messages.
    fn batch(&mut self, items: Vec<Outgoing>) -> Batch {
        let mut batch = Batch::default();
        let mut packet = String::new();
        let mut plain = Vec::new();
        let mut inside = Vec::new();
        for mut outgoing in items {
            if let Item::Count { kind, name, clients } = &mut outgoing.item {
                *clients = self.receiver.own_count(*kind, name);
                batch.counts.insert((*kind, name.clone()), *clients as i32);
            }
            let length = outgoing.item.most_length();
            if packet.is_empty() || packet.len() + length.min(MOST_ITEM) > MOST_PACKET {
                self.seal(&mut batch, &mut packet, &mut plain, &mut inside);
                self.numbers += 1;
                packet = packet::head(self.bus.process, self.numbers);
            }
            let mut id = None;
            if packet.len() + length > MOST_PACKET {
                let id = *id.insert(self.store(&mut batch, &outgoing.item));
                Item::Stored(id).write(self.bus.encoding, &mut packet);
            } else {
                outgoing.item.write(self.bus.encoding, &mut packet);
            }
            if let Item::Message { kind: Kind::Channel, channel, body } = &outgoing.item
                && let Some(channel) = self.bus.encoding.sql_channel(channel)
            {
                let payload = match self.bus.encoding.sql_payload(body) {
                    Some(payload) => payload.into_owned(),
                    None => {
                        packet::stored_payload(id.unwrap_or_else(|| self.store(&mut batch, &outgoing.item)))
                    }
                };
                plain.push((channel.to_owned(), payload));
            }
            inside.push(outgoing);
        }
        self.seal(&mut batch, &mut packet, &mut plain, &mut inside);
        batch
    }

    fn store(&mut self, batch: &mut Batch, item: &Item) -> i64 {
        self.stored += 1;
        let id = (i64::from(self.bus.process) << 40) + self.stored;
        batch.stored.push((id, item.clone()));
        id
    }

    /// Puts a finished packet into the batch.
    fn seal(
        &self,
        batch: &mut Batch,
        packet: &mut String,
        plain: &mut Vec<(String, String)>,
        inside: &mut Vec<Outgoing>,
    ) {
        if inside.is_empty() {
            return;
        }
        batch.numbers.push(self.numbers);
        self.bus.pending.add(self.numbers, std::mem::take(inside));
        batch.channels.push(packet::CHANNEL.to_owned());
        batch.payloads.push(std::mem::take(packet));
        for (channel, payload) in plain.drain(..) {
            batch.channels.push(channel);
            batch.payloads.push(payload);
        }
    }

    async fn send(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => Connection::open(self.target, Commit::Relaxed, self.bus.patience).await?,
        };
        let connection = self.connection.insert(connection);
        // Prepared first: whatever is polled together must only send.
        for statement in [&NOTIFY, &STORE, &COUNT] {
            connection.prepare(statement).await.map_err(|error| StoreError::before_commit(&error))?;
        }
        let outcome = match batch.stored.is_empty() && batch.counts.is_empty() {
            true => connection.execute(&NOTIFY, &[&batch.channels, &batch.payloads]).await.map(drop),
            false => transaction(connection, self.bus.process, batch).await,
        };
        outcome.map_err(|error| StoreError::at_commit(&error))
    }
}

async fn transaction(
    connection: &Connection,
    process: i32,
    batch: &Batch,
) -> Result<(), tokio_postgres::Error> {
    let columns: Vec<_> = batch.stored.iter().map(|(_, item)| item.columns()).collect();
    let ids: Vec<i64> = batch.stored.iter().map(|(id, _)| *id).collect();
    let kinds: Vec<&str> = columns.iter().map(|columns| columns.kind).collect();
    let numbers: Vec<i64> = columns.iter().map(|columns| columns.number).collect();
    let names: Vec<&[u8]> = columns.iter().map(|columns| columns.name).collect();
    let bodies: Vec<&[u8]> = columns.iter().map(|columns| columns.body).collect();
    let count_kinds: Vec<&str> = batch.counts.keys().map(|(kind, _)| kind.letter()).collect();
    let count_names: Vec<&[u8]> = batch.counts.keys().map(|(_, name)| name.as_ref()).collect();
    let counts: Vec<i32> = batch.counts.values().copied().collect();
    let stored_rows: Params<'_> = &[&ids, &kinds, &numbers, &names, &bodies];
    let count_rows: Params<'_> = &[&process, &count_kinds, &count_names, &counts];
    let notifications: Params<'_> = &[&batch.channels, &batch.payloads];
    let (begun, stored, counted, notified, committed) = tokio::join!(
        connection.execute(&BEGIN, &[]),
        OptionFuture::from((!ids.is_empty()).then(|| connection.execute(&STORE, stored_rows))),
        OptionFuture::from((!counts.is_empty()).then(|| connection.execute(&COUNT, count_rows))),
        connection.execute(&NOTIFY, notifications),
        connection.execute(&COMMIT, &[]),
    );
    let outcomes = [Some(begun), stored, counted, Some(notified), Some(committed)];
    let failure = outcomes.into_iter().flatten().find_map(Result::err);
    match failure {
        None => Ok(()),
        Some(error) => {
            // If this fails the connection is gone, and the transaction with it.
            let _ = connection.execute(&ROLLBACK, &[]).await;
            Err(error)
        }
    }
}
