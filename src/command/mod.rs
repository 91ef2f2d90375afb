//! Commands: what each is called, which keys it touches and what it wants from Postgres. One file per command (or per family of
//! names with one meaning), one table per group. Nothing here knows sockets, batching, transactions or RESP versions.

mod args;
pub mod copy;
mod docs;
mod error;
pub mod follow;
pub mod help;
pub mod options;
mod plan;
mod prelude;
mod spec;
#[cfg(test)]
pub mod testing;
mod view;

pub mod bitmap;
pub mod cluster;
pub mod connection;
pub mod generic;
pub mod pubsub;
pub mod respg;
pub mod server;
pub mod stream;
pub mod string;
pub mod transactions;

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};

pub use args::Args;
pub use error::CommandError;
pub use follow::{Done, Effect, Follow};
pub use plan::{Access, Apply, Attempt, Audience, Block, KeyOp, KeyUse, Plan, PlanContext, Steps};
pub use spec::{Arity, Begin, Command, Find, Flags, Group, KeySpec, Passing, PlanFn};
pub use view::{Slot, View};

/// The command table, group by group.
static GROUPS: &[&[&Command]] = &[
    bitmap::COMMANDS,
    cluster::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    pubsub::COMMANDS,
    respg::COMMANDS,
    server::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
];

/// The types whose keys can be copied.
pub static DATA_TYPES: &[&copy::DataType] = &[&string::STRING, &stream::STREAM];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Command>> =
    LazyLock::new(|| all().map(|command| (command.name, command)).collect());

/// All commands, containers included, sub-commands not.
pub fn all() -> impl Iterator<Item = &'static Command> {
    GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// Finds a command by its first word in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let mut upper = [0u8; 24];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    BY_NAME.get(std::str::from_utf8(upper).ok()?).copied()
}

/// Finds a container's sub-command by its second word in any case.
pub fn lookup_subcommand(container: &'static Command, name: &[u8]) -> Option<&'static Command> {
    container.subcommands.iter().copied().find(|sub| {
        let (_, word) = sub.name.split_once('|').expect("sub-commands are named CONTAINER|WORD");
        word.as_bytes().eq_ignore_ascii_case(name)
    })
}

/// A call whose command and number of words are known to be good.
#[derive(Debug, Clone)]
pub struct Request {
    pub command: &'static Command,
    pub argv: Vec<Bytes>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a client sent: a call, or words that are none (kept, since another server may know them).
#[derive(Debug)]
pub enum Incoming {
    Known(Request),
    Refused { argv: Vec<Bytes>, error: CommandError },
}

impl Incoming {
    /// Resolves the first words to a command (or sub-command) and checks the arity; the errors are Redis's.
    pub fn new(argv: Vec<Bytes>) -> Incoming {
        match resolve(&argv) {
            Ok(command) => Incoming::Known(Request { command, argv }),
            Err(error) => Incoming::Refused { argv, error },
        }
    }

    /// Whether it is a call of a command with this flag.
    pub fn has(&self, flag: Flags) -> bool {
        matches!(self, Incoming::Known(request) if request.command.flags.has(flag))
    }

    /// The command, if the first word names one.
    pub fn command(&self) -> Option<&'static Command> {
        match self {
            Incoming::Known(request) => Some(request.command),
            Incoming::Refused { argv, .. } => lookup(argv.first()?),
        }
    }

    /// Whether the first word is a command that no other server has.
    pub fn is_ours(&self) -> bool {
        self.command().is_some_and(|command| command.flags.has(Flags::MODULE))
    }

    /// Its words.
    pub fn argv(&self) -> &[Bytes] {
        match self {
            Incoming::Known(request) => &request.argv,
            Incoming::Refused { argv, .. } => argv,
        }
    }

    pub fn resolved(&self) -> Result<&Request, CommandError> {
        match self {
            Incoming::Known(request) => Ok(request),
            Incoming::Refused { error, .. } => Err(error.clone()),
        }
    }
}

fn resolve(argv: &[Bytes]) -> Result<&'static Command, CommandError> {
    let mut command = lookup(&argv[0]).ok_or_else(|| unknown_command(argv))?;
    if !command.subcommands.is_empty() && argv.len() > 1 {
        command =
            lookup_subcommand(command, &argv[1]).ok_or_else(|| unknown_subcommand(command, &argv[1]))?;
    }
    match command.arity.admits(argv.len()) {
        true => Ok(command),
        false => Err(CommandError::wrong_arity(&command.lower_name())),
    }
}

impl Request {
    /// The same call with small arguments copied ([`detach`]).
    pub fn detached(&self) -> Request {
        let mut argv = self.argv.clone();
        detach(&mut argv.iter_mut().collect::<Vec<_>>());
        Request { command: self.command, argv }
    }

    /// The plan of this call.
    pub fn plan(&self, context: &PlanContext) -> Result<Plan, CommandError> {
        let skip = if self.command.name.contains('|') { 2 } else { 1 };
        (self.command.plan)(&mut Args::new(&self.argv, skip, self.command.name), context)
    }

    /// The positions of the call's keys, as its key specifications find them.
    pub fn key_positions(&self) -> Vec<usize> {
        self.command.keys.iter().flat_map(|spec| spec.positions(&self.argv)).collect()
    }
}

/// Copies small words into one piece of memory, so that keeping them does not keep the read buffers they came from. Larger ones are most of the buffer that they are in.
pub fn detach(words: &mut [&mut Bytes]) {
    let small = |word: &Bytes| word.len() < 16_384;
    let size = words.iter().filter(|word| small(word)).map(|word| word.len()).sum();
    let mut copy = BytesMut::with_capacity(size);
    for word in words.iter_mut().filter(|word| small(word)) {
        copy.extend_from_slice(word);
        **word = copy.split().freeze();
    }
}

/// `ERR unknown command 'x', with args beginning with: 'a' 'b' `, arguments shown up to 128 bytes in all.
fn unknown_command(argv: &[Bytes]) -> CommandError {
    let mut shown = Vec::new();
    for arg in &argv[1..] {
        if shown.len() >= 128 {
            break;
        }
        let room = 128 - shown.len();
        shown.push(b'\'');
        shown.extend_from_slice(printed(arg, room));
        shown.extend_from_slice(b"' ");
    }
    let name = printed(&argv[0], 128);
    CommandError::text([b"ERR unknown command '", name, b"', with args beginning with: ", &shown].concat())
}

/// What C's printf shows of a text: up to the first NUL, and no more than `most` bytes.
fn printed(text: &[u8], most: usize) -> &[u8] {
    let text = &text[..text.len().min(most)];
    text.split(|byte| *byte == 0).next().unwrap_or(text)
}

fn unknown_subcommand(container: &Command, name: &[u8]) -> CommandError {
    let name = printed(name, 128);
    let help = format!("'. Try {} HELP.", container.name);
    CommandError::text([b"ERR unknown subcommand '", name, help.as_bytes()].concat())
}
