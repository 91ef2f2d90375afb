//! The declaration of a command: the one record from which look-up, admission, COMMAND INFO and the docs are derived.

use super::args::Args;
use super::error::CommandError;
use super::follow::Follow;
use super::plan::{Plan, PlanContext};

/// Turns arguments into a [`Plan`]. Does no I/O, reads no clock, writes no bytes.
pub type PlanFn = fn(&mut Args, &PlanContext) -> Result<Plan, CommandError>;

/// One command or sub-command, under the words of Redis's `src/commands/*.json`.
pub struct Command {
    /// In capitals; sub-commands as `CLIENT|ID`.
    pub name: &'static str,
    pub group: Group,
    pub arity: Arity,
    pub flags: Flags,
    pub keys: &'static [KeySpec],
    /// ACL categories that do not follow from flags and group, e.g. `@dangerous`.
    pub acl: &'static [&'static str],
    pub tips: &'static [&'static str],
    pub plan: PlanFn,
    /// How another server repeats what it has done, where flags and tips do not say so.
    pub follow: Follow,
    /// Whether the word at a position of the call must not be shown in logs (passwords).
    pub secret: fn(&[bytes::Bytes], usize) -> bool,
    /// Not empty for containers such as CLIENT, whose own `plan` is never called with a known sub-command.
    pub subcommands: &'static [&'static Command],
    /// How it is passed on while another server holds the data.
    pub passing: Passing,
    /// `file!()` of the declaration, for the tidy and completeness tests.
    pub file: &'static str,
}

impl Command {
    /// The defaults of a declaration: `..Command::in_group(Group::String, file!())`.
    pub const fn in_group(group: Group, file: &'static str) -> Command {
        Command {
            name: "",
            group,
            arity: Arity::Exactly(1),
            flags: Flags::NONE,
            keys: &[],
            acl: &[],
            tips: &[],
            plan: no_plan,
            follow: Follow::Flags,
            secret: |_, _| false,
            subcommands: &[],
            passing: Passing::Free,
            file,
        }
    }

    /// The name in small letters, as COMMAND INFO and error texts say it (`client|id`).
    pub fn lower_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// ACL categories in COMMAND INFO's form and order: from the flags, the group and `acl`. A container has no group's category.
    pub fn acl_categories(&self) -> Vec<&'static str> {
        let flags = self.flags;
        let derived = [
            (flags.has(Flags::WRITE), "@write"),
            (flags.has(Flags::READONLY) && self.group != Group::Scripting, "@read"),
            (flags.has(Flags::ADMIN), "@admin"),
            (flags.has(Flags::ADMIN), "@dangerous"),
            (flags.has(Flags::PUBSUB), "@pubsub"),
            (flags.has(Flags::BLOCKING), "@blocking"),
            (flags.has(Flags::FAST), "@fast"),
            (!flags.has(Flags::FAST), "@slow"),
        ];
        let derived = derived.into_iter().filter_map(|(holds, name)| holds.then_some(name));
        // WAIT stands in the group generic, but is the connection's.
        let of_the_group = self.subcommands.is_empty() && !self.acl.contains(&"@connection");
        let group = self.group.acl_category().filter(|_| of_the_group);
        let all: Vec<&str> = derived.chain(group).chain(self.acl.iter().copied()).collect();
        ACL_CATEGORIES.into_iter().filter(|name| all.contains(name)).collect()
    }
}

/// Redis's order.
const ACL_CATEGORIES: [&str; 21] = [
    "@keyspace",
    "@read",
    "@write",
    "@set",
    "@sortedset",
    "@list",
    "@hash",
    "@string",
    "@bitmap",
    "@hyperloglog",
    "@geo",
    "@stream",
    "@pubsub",
    "@admin",
    "@fast",
    "@slow",
    "@blocking",
    "@dangerous",
    "@connection",
    "@transaction",
    "@scripting",
];

fn no_plan(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    unreachable!("a declaration without a plan is refused by the table's test")
}

/// What a command means for the connection that it is sent on, for shadow mode: there all clients share one connection to the server that holds the data.
#[derive(Clone, Copy)]
pub enum Passing {
    /// Leaves nothing behind in the connection (SELECT aside). May travel with those of other clients, unless it blocks.
    Free,
    /// Waits for something although it is no blocking command: not on the shared connection.
    Waits,
    /// Calls that this is true of concern the client or respg and are answered by respg itself.
    Own(fn(&[bytes::Bytes]) -> bool),
    /// What comes after it is queued for EXEC.
    Queues,
    /// Makes the next EXEC depend on keys: until then the client needs a connection of its own.
    Watches,
    /// Ends that, as EXEC does.
    Unwatches,
    /// Makes the connection one that is sent other things than replies, for good.
    TakesOver,
    /// Ends the connection, or whatever it was used for (QUIT, RESET).
    Ends,
    /// Says who one is; by respg, or on a connection of the client's own.
    Authenticates,
}

impl Passing {
    pub const OWN: Passing = Passing::Own(|_| true);
}

/// How many words a call has, the name included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    Exactly(u16),
    AtLeast(u16),
}

impl Arity {
    pub fn admits(self, words: usize) -> bool {
        match self {
            Arity::Exactly(n) => words == n as usize,
            Arity::AtLeast(n) => words >= n as usize,
        }
    }

    /// Redis's number: negative for "at least".
    pub fn number(self) -> i64 {
        match self {
            Arity::Exactly(n) => n as i64,
            Arity::AtLeast(n) => -(n as i64),
        }
    }
}

/// The groups of redis.io; each is a folder of `src/command`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Pubsub,
    Server,
    Stream,
    String,
    Transactions,
    Scripting,
}

impl Group {
    /// The name as COMMAND DOCS says it.
    pub fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Pubsub => "pubsub",
            Group::Server => "server",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
            Group::Scripting => "scripting",
        }
    }

    fn acl_category(self) -> Option<&'static str> {
        match self {
            Group::Bitmap => Some("@bitmap"),
            Group::Connection => Some("@connection"),
            Group::Generic => Some("@keyspace"),
            Group::Stream => Some("@stream"),
            Group::String => Some("@string"),
            Group::Transactions => Some("@transaction"),
            Group::Scripting => Some("@scripting"),
            Group::Cluster | Group::Pubsub | Group::Server => None,
        }
    }
}

/// What is true of a command; the first block are Redis's own flags, in the order COMMAND INFO prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const WRITE: Flags = Flags(1);
    pub const READONLY: Flags = Flags(1 << 1);
    pub const DENYOOM: Flags = Flags(1 << 2);
    pub const MODULE: Flags = Flags(1 << 3);
    pub const ADMIN: Flags = Flags(1 << 4);
    pub const PUBSUB: Flags = Flags(1 << 5);
    pub const NOSCRIPT: Flags = Flags(1 << 6);
    pub const BLOCKING: Flags = Flags(1 << 7);
    pub const LOADING: Flags = Flags(1 << 8);
    pub const STALE: Flags = Flags(1 << 9);
    pub const SKIP_MONITOR: Flags = Flags(1 << 10);
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 11);
    pub const ASKING: Flags = Flags(1 << 12);
    pub const FAST: Flags = Flags(1 << 13);
    pub const NO_AUTH: Flags = Flags(1 << 14);
    pub const MAY_REPLICATE: Flags = Flags(1 << 15);
    pub const NO_MANDATORY_KEYS: Flags = Flags(1 << 16);
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 17);
    pub const NO_MULTI: Flags = Flags(1 << 18);
    pub const MOVABLEKEYS: Flags = Flags(1 << 19);
    pub const ALLOW_BUSY: Flags = Flags(1 << 20);
    /// Ours: only says something of the client that its server is to remember (CLIENT SETNAME ...).
    pub const DESCRIBES_CLIENT: Flags = Flags(1 << 23);
    /// Ours: inside MULTI it is executed at once instead of queued (EXEC, DISCARD, WATCH, RESET, QUIT ...).
    pub const NOT_QUEUED: Flags = Flags(1 << 24);
    /// Ours: runs the commands queued since MULTI.
    pub const EXECUTES_QUEUE: Flags = Flags(1 << 27);
    /// Ours: replaces a whole logical database (FLUSHALL, FLUSHDB, SWAPDB); an EXEC with one takes the keyspace's lock first.
    pub const BARRIER: Flags = Flags(1 << 25);
    /// Ours: may change the protocol of the replies after it (HELLO, RESET).
    pub const SETS_PROTOCOL: Flags = Flags(1 << 26);
    /// Ours: the commands after it run in another database, named by its first argument, else 0 (SELECT, RESET).
    pub const SELECTS_DATABASE: Flags = Flags(1 << 28);

    /// Ours: subscribes or unsubscribes.
    pub const SUBSCRIBES: Flags = Flags(1 << 29);
    /// Ours: allowed to a RESP2 client that has subscribed to something.
    pub const FOR_SUBSCRIBERS: Flags = Flags(1 << 30);
    /// Ours: says which replies the client gets from now on.
    pub const CHOOSES_REPLIES: Flags = Flags(1 << 31);

    const NAMES: [(Flags, &'static str); 21] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::MODULE, "module"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::ASKING, "asking"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::MAY_REPLICATE, "may_replicate"),
        (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLEKEYS, "movablekeys"),
        (Flags::ALLOW_BUSY, "allow_busy"),
    ];

    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Redis's names of the flags that are set, in COMMAND INFO's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| name)
    }
}

/// What a given call does to keys.
pub type KeyFlagsFn = fn(&[bytes::Bytes]) -> &'static [&'static str];

/// Where a call's keys stand and what is done to them (COMMAND INFO's key specifications).
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    pub notes: &'static str,
    /// `RO ACCESS`, `RW UPDATE`, `OW` ... as COMMAND INFO prints them.
    pub flags: &'static [&'static str],
    pub begin: Begin,
    pub find: Find,
    /// What is done to the keys by a given call, where that depends on its arguments (flag VARIABLE_FLAGS).
    pub variable: Option<KeyFlagsFn>,
}

/// Where the search for keys begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    Index(i64),
    Keyword(&'static str, i64),
    Unknown,
}

/// How the keys are found from there.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    Range { last: i64, step: i64, limit: i64 },
    KeyNum { at: i64, first: i64, step: i64 },
    Unknown,
}

impl KeySpec {
    /// One key at argument `index` (the command's name is 0).
    pub const fn at(index: i64, flags: &'static [&'static str]) -> KeySpec {
        KeySpec {
            notes: "",
            flags,
            begin: Begin::Index(index),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            variable: None,
        }
    }

    /// Every `step`th argument from `index` to the end.
    pub const fn from(index: i64, step: i64, flags: &'static [&'static str]) -> KeySpec {
        KeySpec {
            notes: "",
            flags,
            begin: Begin::Index(index),
            find: Find::Range { last: -1, step, limit: 0 },
            variable: None,
        }
    }

    /// Whether the call only reads these keys.
    pub fn is_read_only(&self) -> bool {
        self.flags.contains(&"RO")
    }

    /// What a call does to these keys.
    pub fn flags_of(&self, argv: &[bytes::Bytes]) -> &'static [&'static str] {
        self.variable.map_or(self.flags, |variable| variable(argv))
    }

    /// The positions of this spec's keys in a call of so many `words`.
    pub fn positions(&self, argv: &[bytes::Bytes]) -> Vec<usize> {
        let words = argv.len() as i64;
        let first = match self.begin {
            Begin::Index(index) => index,
            Begin::Keyword(word, from) => {
                let start = if from < 0 { words + from } else { from };
                let found = (start..words).find(|i| argv[*i as usize].eq_ignore_ascii_case(word.as_bytes()));
                match found {
                    Some(i) => i + 1,
                    None => return Vec::new(),
                }
            }
            Begin::Unknown => return Vec::new(),
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = match last {
                    n if n >= 0 => first + n,
                    n if limit <= 1 => words + n,
                    n => first + (words - first) / limit + n,
                };
                (first, last, step)
            }
            Find::KeyNum { at, first: offset, step } => {
                let count = argv
                    .get((first + at) as usize)
                    .and_then(|n| std::str::from_utf8(n).ok()?.parse::<i64>().ok());
                match count {
                    Some(n) if n > 0 => (first + offset, first + offset + (n - 1) * step, step),
                    _ => return Vec::new(),
                }
            }
            Find::Unknown => return Vec::new(),
        };
        (first..=last.min(words - 1)).step_by(step.max(1) as usize).map(|i| i as usize).collect()
    }
}
