//! The bus: what one process says to all, over LISTEN and NOTIFY. Messages of channels, numbers of subscribers, internal signals.
//!
//! What a process says comes back to itself as to everybody else, in the order of commits, and only then it has happened: subscribers
//! of all processes see one order, and an acknowledged SUBSCRIBE is before every later PUBLISH. Knows nothing of clients: what
//! arrives is handed to a [`Receiver`].

mod link;
mod listener;
pub mod packet;
mod pending;
mod publisher;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot, watch};

pub use link::Link;
pub use packet::{Item, Kind};

use self::link::Wanted;
use self::packet::Encoding;
use self::pending::Pending;
use super::error::StoreError;
use super::tls::Target;
use super::{Connection, Store, statements};

/// Told when an item has come back, or never will: the number of receivers of a message, 0 for anything else.
pub type Receipt = Box<dyn FnOnce(Result<i64, StoreError>) + Send>;

/// Something to be said.
pub struct Outgoing {
    pub item: Item,
    pub receipt: Option<Receipt>,
}

/// Who takes what arrives. Called by one task, in the order of commits; must not wait.
pub trait Receiver: Send + Sync {
    /// Delivers a message and says how many got it, in this process and in all others.
    fn deliver(&self, kind: Kind, channel: &Bytes, body: &Bytes) -> i64;
    /// How many get a message in other processes.
    fn elsewhere(&self, kind: Kind, channel: &Bytes) -> i64;
    /// How many clients of this process have subscribed to it, or are about to.
    fn own_count(&self, kind: Kind, name: &Bytes) -> i64;
    /// Everything that clients of this process have subscribed to.
    fn own_names(&self) -> Vec<(Kind, Bytes)>;
    /// Another process has so many clients that have subscribed to it.
    fn counted(&self, process: i32, kind: Kind, name: Bytes, clients: i64);
    /// Another process is gone.
    fn gone(&self, process: i32);
    /// Nothing is known of other processes any more.
    fn forget_others(&self);
}

/// Hears the signals of all processes, the own ones included, in the order of commits, with the sending process's number (0: SQL).
/// Must not wait.
pub type SignalHandler = Box<dyn Fn(i32, &Bytes) + Send + Sync>;

/// This process's end of the bus.
pub struct Bus {
    /// This process's number.
    pub process: i32,
    /// None: there is no way to listen, and nothing is said.
    target: Option<Target>,
    encoding: Encoding,
    patience: Duration,
    outgoing: Mutex<Vec<Outgoing>>,
    arrived: Notify,
    pending: Pending,
    wanted: Wanted,
    link: watch::Sender<Link>,
    handlers: RwLock<Vec<SignalHandler>>,
    /// Share of Postgres's queue of notifications that is in use, in millionths.
    queue_usage: AtomicU64,
    self_tested: AtomicBool,
}

impl Bus {
    /// `target` leads to Postgres directly, not through a pooler that shares sessions; without one the bus is off.
    pub async fn new(
        target: Option<Target>,
        connection: &Connection,
        patience: Duration,
    ) -> Result<Bus, StoreError> {
        let asked = async {
            let process: i32 = connection.query(&statements::bus::PROCESS_ID, &[]).await?[0].get(0);
            let encoding: String = connection.query(&statements::bus::ENCODING, &[]).await?[0].get(0);
            Ok((process, if encoding == "UTF8" { Encoding::Utf8 } else { Encoding::Ascii }))
        };
        let (process, encoding) = asked.await.map_err(|error| StoreError::before_commit(&error))?;
        Ok(Bus {
            process,
            target,
            encoding,
            patience,
            outgoing: Mutex::default(),
            arrived: Notify::new(),
            pending: Pending::default(),
            wanted: Wanted::default(),
            link: watch::Sender::new(Link::default()),
            handlers: RwLock::default(),
            queue_usage: AtomicU64::new(0),
            self_tested: AtomicBool::new(false),
        })
    }

    /// Keeps the bus going until it is dropped.
    pub async fn run(self: Arc<Bus>, store: Arc<Store>, receiver: Arc<dyn Receiver>) {
        let Some(target) = &self.target else { return self.refuse_forever().await };
        let listen = listener::listen_forever(&self, target, &store, &*receiver);
        let publish = publisher::publish_forever(&self, target, &*receiver);
        tokio::join!(listen, publish);
    }

    /// The bus is off: whatever is said fails.
    async fn refuse_forever(&self) {
        loop {
            self.arrived.notified().await;
            let refused = std::mem::take(&mut *self.outgoing.lock().expect("no panic while held"));
            refused
                .into_iter()
                .filter_map(|outgoing| outgoing.receipt)
                .for_each(|receipt| receipt(Err(self.link_error())));
        }
    }

    /// Waits until the bus is known to work, or not.
    pub async fn self_test(&self) -> Result<(), StoreError> {
        match self.settle().await {
            Ok(()) => {
                self.self_tested.store(true, Relaxed);
                Ok(())
            }
            Err(error) => Err(self.link.borrow().reason.clone().map_or(error, StoreError::Unavailable)),
        }
    }

    /// Says an item; its receipt is told when it has come back.
    pub fn say(&self, item: Item, receipt: Option<Receipt>) {
        self.outgoing.lock().expect("no panic while held").push(Outgoing { item, receipt });
        self.arrived.notify_one();
    }

    /// Says an item and waits until it has come back.
    pub async fn said(&self, item: Item) -> Result<i64, StoreError> {
        self.later(item).await
    }

    /// Says an item at once; the future waits until it has come back.
    pub fn later(&self, item: Item) -> impl Future<Output = Result<i64, StoreError>> + Send + use<> {
        let (sender, answer) = oneshot::channel();
        self.say(
            item,
            Some(Box::new(move |outcome| {
                // Whoever waited may be gone.
                let _ = sender.send(outcome);
            })),
        );
        let patience = self.patience;
        async move {
            match tokio::time::timeout(patience, answer).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) | Err(_) => Err(StoreError::Unknown),
            }
        }
    }

    /// Waits until the process listens.
    pub async fn linked(&self) -> Result<(), StoreError> {
        if self.target.is_none() {
            return Err(self.link_error());
        }
        let mut link = self.link.subscribe();
        let up = tokio::time::timeout(self.patience, link.wait_for(|link| link.up)).await;
        match up {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.link_error()),
        }
    }

    fn link_error(&self) -> StoreError {
        let reason = match self.target {
            Some(_) => self.link.borrow().reason.clone(),
            None => Some("there is no --listen-url".to_owned()),
        };
        StoreError::Unavailable(reason.unwrap_or_else(|| "LISTEN does not work".to_owned()))
    }

    /// Waits until everything that was committed before is known here.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.linked().await?;
        self.said(Item::Mark).await.map(drop)
    }

    /// Listens to a channel of SQL's from now on; the future waits until it is so.
    pub fn listen(
        self: &Arc<Bus>,
        channel: &Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let name = self.encoding.sql_channel(channel).map(str::to_owned);
        if let Some(name) = &name {
            self.wanted.add(name);
        }
        let bus = self.clone();
        async move {
            let Some(name) = name else { return Ok(()) };
            bus.linked().await?;
            let active = tokio::time::timeout(bus.patience, bus.wanted.active(&name)).await;
            active.map_err(|_| bus.link_error())
        }
    }

    /// Takes back one [`Bus::listen`].
    pub fn unlisten(&self, channel: &Bytes) {
        if let Some(name) = self.encoding.sql_channel(channel) {
            self.wanted.remove(name);
        }
    }

    /// Tells all processes, this one included, that something has happened. Whoever waits for it looks again after each [`Link`] too:
    /// while the listening connection is down, signals are lost.
    pub fn signal(&self, topic: impl Into<Bytes>) {
        self.say(Item::Signal(topic.into()), None);
    }

    /// Has every signal handed to `handler` from now on.
    pub fn on_signal(&self, handler: impl Fn(i32, &Bytes) + Send + Sync + 'static) {
        self.handlers.write().expect("no panic while held").push(Box::new(handler));
    }

    fn signalled(&self, process: i32, topic: &Bytes) {
        self.handlers.read().expect("no panic while held").iter().for_each(|handler| handler(process, topic));
    }

    /// The state of the listening connection, and its changes.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// Share of Postgres's queue of notifications that was in use lately.
    pub fn queue_usage(&self) -> f64 {
        self.queue_usage.load(Relaxed) as f64 / 1e6
    }

    /// How many channels of SQL's are listened to.
    pub fn listening(&self) -> usize {
        self.wanted.len()
    }
}
