//! The listening connection: one of each process, made again whenever it is lost.
//!
//! It listens first and then learns what it has missed: who of the other processes has subscribed to what. Messages of the time without a
//! connection are lost to the subscribers of this process, as they would be to subscribers of Redis that had to reconnect.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_postgres::{Client, Notification};

use super::packet::{self, Encoding, Item, Kind};
use super::{Bus, Outgoing, Receiver};
use crate::store::statements::bus::{ENTER, LISTEN, MESSAGE, SUBSCRIPTIONS, TEND};
use crate::store::tls::Target;
use crate::store::{Store, StoreError};

/// Between two rounds of housekeeping: so soon is a process that died forgotten.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// Waits after a failure: this long, then twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// From this share on, a queue of notifications that does not empty is worth a warning.
const FULL_QUEUE: f64 = 0.5;

/// What keeps an idle session alive, and notices that it is not.
const SESSION: &str = "SET statement_timeout = 0; SET idle_session_timeout = 0; SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET search_path = pg_catalog; LISTEN \"respg:bus\"";

/// Listens until it is dropped.
pub async fn listen_forever(bus: &Bus, target: &Target, store: &Store, receiver: &dyn Receiver) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut was_up = false;
        let reason = match listen(bus, target, store, receiver, &mut was_up).await {
            Ok(()) => "the connection was closed".to_owned(),
            Err(error) => error.reason(),
        };
        tracing::warn!(reason, "the connection that listens to PostgreSQL is lost and made again");
        bus.link.send_modify(|link| (link.up, link.reason) = (false, Some(reason)));
        bus.pending.connection_lost(receiver);
        bus.wanted.lost();
        pause = if was_up { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause).await;
    }
}

/// Connects, and serves the connection until it is lost.
async fn listen(
    bus: &Bus,
    target: &Target,
    store: &Store,
    receiver: &dyn Receiver,
    was_up: &mut bool,
) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::before_commit(&error);
    let patience = bus.patience;
    let ready = async {
        let (client, notifications) = target.connect_listening().await.map_err(failed)?;
        client.batch_execute(SESSION).await.map_err(failed)?;
        let entered = client.query_one(ENTER.sql, &[&bus.process]).await.map_err(failed)?.get(0);
        receiver.forget_others();
        for row in client.query(SUBSCRIPTIONS.sql, &[&bus.process]).await.map_err(failed)? {
            let name = Bytes::from(row.get::<_, Vec<u8>>(2));
            if let Some(kind) = Kind::from_letter(row.get(1)) {
                receiver.counted(row.get(0), kind, name, i64::from(row.get::<_, i32>(3)));
            }
        }
        bus.wanted.lost();
        follow_wanted(bus, &client).await?;
        Ok((client, notifications, entered))
    };
    let ready = tokio::time::timeout(patience, ready).await;
    let (client, notifications, entered): (Client, _, bool) =
        ready.unwrap_or_else(|_| Err(StoreError::no_answer()))?;
    *was_up = true;
    bus.link.send_modify(|link| (link.up, link.epoch, link.reason) = (true, link.epoch + 1, None));
    if entered {
        announce(bus, receiver);
    }
    tokio::select! {
        () = hear(bus, store, receiver, notifications) => Ok(()),
        outcome = tend_forever(bus, &client, receiver, entered) => outcome,
    }
}

/// Tells the others what clients of this process have subscribed to.
fn announce(bus: &Bus, receiver: &dyn Receiver) {
    for (kind, name) in receiver.own_names() {
        bus.say(Item::Count { kind, name, clients: 0 }, None);
    }
}

/// Listens to what is wanted now, and not to what is not.
async fn follow_wanted(bus: &Bus, client: &Client) -> Result<(), StoreError> {
    while let Some((gone, wanted)) = bus.wanted.work() {
        client
            .query(LISTEN.sql, &[&gone, &wanted])
            .await
            .map_err(|error| StoreError::before_commit(&error))?;
        bus.wanted.did(wanted);
    }
    Ok(())
}

async fn tend_forever(
    bus: &Bus,
    client: &Client,
    receiver: &dyn Receiver,
    mut entered: bool,
) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::before_commit(&error);
    let mut round = tokio::time::interval(TEND_EVERY);
    loop {
        let work = async {
            tokio::select! {
                () = bus.wanted.changed.notified() => None,
                _ = round.tick() => Some(()),
            }
        };
        let tend = work.await;
        let work = async {
            follow_wanted(bus, client).await?;
            if tend.is_some() {
                if !entered {
                    // The old session of this process has not ended yet.
                    entered = client.query_one(ENTER.sql, &[&bus.process]).await.map_err(failed)?.get(0);
                    if entered {
                        announce(bus, receiver);
                    }
                }
                let usage: f64 = client.query_one(TEND.sql, &[&bus.process]).await.map_err(failed)?.get(0);
                bus.queue_usage.store((usage * 1e6) as u64, Relaxed);
                if usage > FULL_QUEUE {
                    tracing::warn!(
                        usage,
                        "some session keeps PostgreSQL from emptying its queue of notifications"
                    );
                }
            }
            Ok(())
        };
        tokio::time::timeout(bus.patience, work).await.unwrap_or_else(|_| Err(StoreError::no_answer()))?;
    }
}

/// Hands on what arrives, until the connection is lost.
async fn hear(
    bus: &Bus,
    store: &Store,
    receiver: &dyn Receiver,
    mut notifications: mpsc::Receiver<Notification>,
) {
    let mut echoes = Echoes::default();
    while let Some(notification) = notifications.recv().await {
        let session = notification.process_id();
        if notification.channel() == packet::CHANNEL {
            echoes.forget(session);
            hear_packet(bus, store, receiver, notification.payload(), &mut echoes).await;
        } else if !echoes.take(session, &notification) {
            let channel = Bytes::copy_from_slice(notification.channel().as_bytes());
            let body = Bytes::copy_from_slice(notification.payload().as_bytes());
            receiver.deliver(Kind::Channel, &channel, &body);
        }
    }
}

/// Takes a packet.
async fn hear_packet(bus: &Bus, store: &Store, receiver: &dyn Receiver, text: &str, echoes: &mut Echoes) {
    let Some((process, number, items)) = packet::read_head(text) else {
        return tracing::warn!("a notification on respg's channel that is not of respg");
    };
    if process == bus.process
        && let Some(own) = bus.pending.take(number)
    {
        for Outgoing { item, receipt } in own {
            let outcome = happen(bus, receiver, process, &item);
            if let Some(receipt) = receipt {
                receipt(Ok(outcome));
            }
            echoes.expect(bus.encoding, &item);
        }
        return;
    }
    for item in packet::items(items) {
        // One that cannot be read is lost; its number is no message.
        echoes.expect(bus.encoding, &item);
        let item = match item {
            Item::Stored(id) => match fetch(store, id).await {
                Some(item) => item,
                None => continue,
            },
            item => item,
        };
        happen(bus, receiver, process, &item);
        echoes.expect(bus.encoding, &item);
    }
}

fn happen(bus: &Bus, receiver: &dyn Receiver, process: i32, item: &Item) -> i64 {
    match item {
        Item::Message { kind, channel, body } => return receiver.deliver(*kind, channel, body),
        Item::Count { kind, name, clients } if process != bus.process => {
            receiver.counted(process, *kind, name.clone(), *clients);
        }
        Item::Gone(gone) if *gone != bus.process => receiver.gone(*gone),
        Item::Signal(topic) => bus.signalled(process, topic),
        Item::Count { .. } | Item::Gone(_) | Item::Mark | Item::Stored(_) => {}
    }
    0
}

/// Reads an item that did not fit its packet. What comes after it waits, for the order is to be the same for all.
async fn fetch(store: &Store, id: i64) -> Option<Item> {
    match store.query(&MESSAGE, &[&id]).await {
        Ok(rows) => rows.first().and_then(|row| {
            let (name, body): (Vec<u8>, Vec<u8>) = (row.get(2), row.get(3));
            Item::from_columns(row.get(0), row.get(1), name.into(), body.into())
        }),
        Err(error) => {
            tracing::error!(%error, "a message is lost: it cannot be read");
            None
        }
    }
}

/// What SQL's LISTEN receives of messages that came in a packet before. A session that listens to the channel under its own name receives
/// both; the second follows the first, from the same session.
///
/// It is expected whether this session listens or not: that is known only later than the server knows. What does not come is forgotten
/// with the next packet, and each subscription is announced by one.
#[derive(Default)]
struct Echoes {
    session: i32,
    messages: HashSet<(Bytes, Bytes)>,
    /// Channels of messages that were too long for their notification, and what stands for messages that are in no packet.
    stored: HashSet<Bytes>,
    references: HashSet<String>,
}

impl Echoes {
    /// Begins with another packet.
    fn forget(&mut self, session: i32) {
        self.session = session;
        self.messages.clear();
        self.stored.clear();
        self.references.clear();
    }

    fn expect(&mut self, encoding: Encoding, item: &Item) {
        if let Item::Stored(id) = item {
            self.references.insert(packet::stored_payload(*id));
        }
        let Item::Message { kind: Kind::Channel, channel, body } = item else { return };
        if encoding.sql_channel(channel).is_none() {
            return;
        }
        let text = match encoding.sql_payload(body) {
            Some(Cow::Borrowed(_)) => body.clone(),
            Some(Cow::Owned(text)) => text.into(),
            None => {
                self.stored.insert(channel.clone());
                return;
            }
        };
        self.messages.insert((channel.clone(), text));
    }

    /// Whether it is one; it comes once.
    fn take(&mut self, session: i32, notification: &Notification) -> bool {
        if session != self.session {
            return false;
        }
        let (channel, payload) = (notification.channel(), notification.payload());
        if self.references.contains(payload) {
            return true;
        }
        let channel = Bytes::copy_from_slice(channel.as_bytes());
        if self.stored.contains(&channel) && payload.starts_with("respg.message(") {
            return true;
        }
        self.messages.remove(&(channel, Bytes::copy_from_slice(payload.as_bytes())))
    }
}
