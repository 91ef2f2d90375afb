//! The state of one client between its requests: selected database, protocol, MULTI queue, watched keys. Knows replies and commands,
//! not how they are executed and not the socket.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use crate::command::Request;
use crate::exec::Watched;
use crate::keyspace::DbIndex;
use crate::resp::Protocol;
use crate::state::ClientHandle;

pub mod admission;
mod blocked;

pub use blocked::{Blocked, Wake};

/// One client's state.
pub struct Session {
    pub client: Arc<ClientHandle>,
    pub db: DbIndex,
    pub protocol: Protocol,
    pub authenticated: bool,
    /// Between MULTI and EXEC or DISCARD.
    pub multi: Option<Multi>,
    pub watched: Vec<Watched>,
    /// The blocking command that the client waits in.
    pub blocked: Option<Box<Blocked>>,
    /// What the EXECs of the batch in hand have run, for the layers, which take it.
    pub executed: Vec<Vec<Request>>,
    /// MONITOR: sees what others do and may not touch keys.
    pub monitor: bool,
    pub reply_mode: ReplyMode,
    /// The client's own connection to another server, of the layer that passes requests on.
    pub aside: Option<Box<dyn Any + Send + Sync>>,
    /// Close the connection once the replies so far are written.
    pub close: bool,
}

/// The commands queued since MULTI.
#[derive(Default)]
pub struct Multi {
    pub queued: Vec<Request>,
    /// Memory of their arguments.
    pub bytes: usize,
    /// A command was refused: EXEC will abort.
    pub failed: bool,
}

impl Multi {
    pub fn push(&mut self, request: Request) {
        self.bytes += request.argv.iter().map(|arg| arg.len() + size_of::<Bytes>()).sum::<usize>();
        self.queued.push(request);
    }
}

/// CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyMode {
    On,
    Off,
    /// Said by CLIENT REPLY SKIP itself: its own and the next command's replies are left out.
    SkipNext,
    Skip,
}

impl Session {
    pub fn new(client: Arc<ClientHandle>, authenticated: bool) -> Session {
        Session {
            client,
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            authenticated,
            multi: None,
            watched: Vec::new(),
            blocked: None,
            executed: Vec::new(),
            monitor: false,
            reply_mode: ReplyMode::On,
            aside: None,
            close: false,
        }
    }

    /// Whether the reply of the command that was just executed goes out; moves SKIP along.
    pub fn takes_reply(&mut self) -> bool {
        match self.reply_mode {
            ReplyMode::On => true,
            ReplyMode::Off => false,
            ReplyMode::SkipNext => {
                self.reply_mode = ReplyMode::Skip;
                false
            }
            ReplyMode::Skip => {
                self.reply_mode = ReplyMode::On;
                false
            }
        }
    }

    pub fn select(&mut self, db: DbIndex) {
        self.db = db;
        self.client.update(|info| info.db = db.0);
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.client.update(|info| info.resp = if protocol == Protocol::Resp3 { 3 } else { 2 });
    }

    /// Leaves MULTI and forgets watched keys.
    pub fn discard(&mut self) {
        self.multi = None;
        self.watched.clear();
        self.client.update(|info| (info.multi, info.watch) = (-1, 0));
    }
}
