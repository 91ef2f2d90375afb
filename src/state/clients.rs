//! The clients of this process, for CLIENT LIST, CLIENT KILL and the limits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

use super::commands::CommandNumber;
use super::outbox::{Outbox, OutputLimit};
use super::subscriptions::Subscriptions;
use crate::resp::Reply;

/// What others may see of a client and do to it.
pub struct ClientHandle {
    pub id: i64,
    /// `ip:port`, or the socket's path and `:0`.
    pub addr: String,
    pub laddr: String,
    pub connected: Instant,
    pub info: RwLock<ClientInfo>,
    /// Milliseconds after `connected` of the last request.
    pub last_active_ms: AtomicU64,
    last_command: AtomicU32,
    pub kill: AtomicBool,
    /// Wakes the connection so that it sees `kill`, or that it is unblocked.
    pub wake: Notify,
    /// A [`Blockage`].
    blockage: AtomicU8,
    /// Told when CLIENT UNBLOCK wants something of a client that waits at another server.
    pub unblocked: Notify,
    /// Closed when the connection is.
    gone: Semaphore,
    /// Replies pushed by others.
    pub outbox: Outbox,
    pub subscriptions: Subscriptions,
}

/// Whether a client waits in a blocking command, and what CLIENT UNBLOCK wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Blockage {
    Free,
    Blocked,
    /// As if its time were over.
    TimeOut,
    Error,
}

const NO_COMMAND: u32 = u32::MAX;

/// How CLIENT LIST and CLIENT KILL sort clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientType {
    Normal,
    Master,
    Replica,
    Pubsub,
}

impl ClientType {
    pub fn from_name(name: &[u8]) -> Option<ClientType> {
        let names: [(&[u8], ClientType); 5] = [
            (b"normal", ClientType::Normal),
            (b"master", ClientType::Master),
            (b"replica", ClientType::Replica),
            (b"slave", ClientType::Replica),
            (b"pubsub", ClientType::Pubsub),
        ];
        names.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, kind)| kind)
    }
}

/// What CLIENT LIST prints of a client's state.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    pub name: Bytes,
    pub lib_name: Bytes,
    pub lib_ver: Bytes,
    pub db: u32,
    pub resp: u8,
    /// Number of queued commands, -1 outside MULTI.
    pub multi: i64,
    pub watch: usize,
    pub monitor: bool,
    pub no_evict: bool,
    pub no_touch: bool,
}

impl ClientHandle {
    pub fn new(id: i64, addr: String, laddr: String) -> ClientHandle {
        ClientHandle {
            id,
            addr,
            laddr,
            connected: Instant::now(),
            info: RwLock::new(ClientInfo { resp: 2, multi: -1, ..ClientInfo::default() }),
            last_active_ms: AtomicU64::new(0),
            last_command: AtomicU32::new(NO_COMMAND),
            kill: AtomicBool::new(false),
            wake: Notify::new(),
            blockage: AtomicU8::new(Blockage::Free as u8),
            unblocked: Notify::new(),
            gone: Semaphore::new(0),
            outbox: Outbox::default(),
            subscriptions: Subscriptions::default(),
        }
    }

    /// Sends the client something it did not ask for; one that has let too much pile up is killed.
    pub fn push(&self, reply: Reply, limit: OutputLimit) {
        if !self.is_killed() && !self.outbox.push(reply, limit) {
            self.kill();
        }
    }

    /// Asks the connection to close.
    pub fn kill(&self) {
        self.kill.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Waits until the connection is closed.
    pub async fn closed(&self) {
        let _ = self.gone.acquire().await;
    }

    /// Waits until the client is to be closed, by who is its connection.
    pub async fn killed(&self) {
        while !self.is_killed() {
            self.wake.notified().await;
        }
    }

    pub fn is_killed(&self) -> bool {
        self.kill.load(Relaxed)
    }

    pub fn blockage(&self) -> Blockage {
        let states = [Blockage::Free, Blockage::Blocked, Blockage::TimeOut, Blockage::Error];
        states[usize::from(self.blockage.load(Relaxed))]
    }

    pub fn set_blockage(&self, blockage: Blockage) {
        self.blockage.store(blockage as u8, Relaxed);
    }

    /// CLIENT UNBLOCK: false if the client is not blocked.
    pub fn unblock(&self, how: Blockage) -> bool {
        let was_blocked =
            self.blockage.compare_exchange(Blockage::Blocked as u8, how as u8, Relaxed, Relaxed).is_ok();
        if was_blocked {
            self.unblocked.notify_one();
            self.wake.notify_one();
        }
        was_blocked
    }

    /// What others see, as it is now.
    pub fn info(&self) -> ClientInfo {
        self.info.read().expect("no panic while held").clone()
    }

    pub fn client_type(&self) -> ClientType {
        if self.subscriptions.is_empty() { ClientType::Normal } else { ClientType::Pubsub }
    }

    /// CLIENT LIST's flags.
    pub fn flags(&self) -> String {
        let info = self.info();
        let flags = [
            ('O', info.monitor),
            ('P', !self.subscriptions.is_empty()),
            ('x', info.multi >= 0),
            ('b', self.blockage() != Blockage::Free),
            ('U', self.addr.starts_with('/')),
            ('e', info.no_evict),
            ('T', info.no_touch),
        ];
        let flags: String = flags.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).collect();
        if flags.is_empty() { "N".to_owned() } else { flags }
    }

    /// How long ago the last request came.
    pub fn idle(&self) -> Duration {
        let active = Duration::from_millis(self.last_active_ms.load(Relaxed));
        self.connected.elapsed().saturating_sub(active)
    }

    pub fn last_command(&self) -> Option<CommandNumber> {
        Some(self.last_command.load(Relaxed)).filter(|number| *number != NO_COMMAND).map(CommandNumber)
    }

    pub fn set_last_command(&self, command: CommandNumber) {
        self.last_command.store(command.0, Relaxed);
    }

    /// Changes what others see.
    pub fn update(&self, change: impl FnOnce(&mut ClientInfo)) {
        change(&mut self.info.write().expect("no panic while held"));
    }
}

/// All clients of the process, by id.
#[derive(Default)]
pub struct Clients {
    by_id: Mutex<BTreeMap<i64, Arc<ClientHandle>>>,
}

impl Clients {
    pub fn add(&self, client: Arc<ClientHandle>) {
        self.by_id.lock().expect("no panic while held").insert(client.id, client);
    }

    /// Forgets a client whose connection is closed.
    pub fn remove(&self, id: i64) {
        let removed = self.by_id.lock().expect("no panic while held").remove(&id);
        if let Some(client) = removed {
            client.gone.close();
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.lock().expect("no panic while held").len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait in blocking commands.
    pub fn blocked(&self) -> usize {
        let clients = self.by_id.lock().expect("no panic while held");
        clients.values().filter(|client| client.blockage() != Blockage::Free).count()
    }

    pub fn get(&self, id: i64) -> Option<Arc<ClientHandle>> {
        self.by_id.lock().expect("no panic while held").get(&id).cloned()
    }

    /// In the order of their ids.
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.by_id.lock().expect("no panic while held").values().cloned().collect()
    }
}

/// Hands out client ids from the block that this process has taken in the database.
pub struct ClientIds(AtomicI64);

impl ClientIds {
    pub fn from(first: i64) -> ClientIds {
        ClientIds(AtomicI64::new(first))
    }

    pub fn next(&self) -> i64 {
        self.0.fetch_add(1, Relaxed)
    }
}
