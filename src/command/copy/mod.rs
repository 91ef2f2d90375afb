//! Copies of keys, between a Redis and us in either direction. A [`DataType`] says how keys of its type are read, written and compared, in Redis's own commands: the
//! same record serves both sides, since both speak them. It stands beside the type's commands. Reading is a dialogue without any I/O ([`Reading`]).

mod difference;
mod reading;

use std::any::Any;
use std::fmt;

use bytes::Bytes;

pub use difference::{Class, Difference, compare};
pub use reading::{Ask, Reading, TypeOf, type_of};

use super::DATA_TYPES;
use crate::keyspace::Kind;
use crate::resp::{Reply, readable};

/// The words of a call.
pub type Call = Vec<Bytes>;

/// Which commands a server knows, by its version of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dialect {
    pub major: u32,
    pub minor: u32,
}

impl Dialect {
    /// What we speak ourselves.
    pub const OWN: Dialect = Dialect { major: 7, minor: 2 };
    /// The least that is expected.
    pub const OLDEST: Dialect = Dialect { major: 5, minor: 0 };

    /// From INFO's section `server`. Valkey names the Redis that it stands for.
    pub fn from_info(info: &[u8]) -> Option<Dialect> {
        let mut lines = info.split(|byte| *byte == b'\n');
        let version = lines.find_map(|line| line.strip_prefix(b"redis_version:"))?;
        let mut numbers = std::str::from_utf8(version).ok()?.trim().split('.').map(|part| part.parse().ok());
        Some(Dialect { major: numbers.next()??, minor: numbers.next()?? })
    }

    pub fn knows(self, major: u32, minor: u32) -> bool {
        self >= Dialect { major, minor }
    }
}

/// What a key holds, apart from its expiry.
pub trait TypedValue: Any + fmt::Debug + Send + Sync {
    /// The calls that put it in the place of whatever the key holds. Several are to run in one transaction.
    fn writes(&self, key: &Bytes, expires_at: Option<i64>, dialect: Dialect) -> Vec<Call>;

    /// How `other`, of the same type, differs from it.
    fn differences(&self, other: &dyn TypedValue) -> Vec<Difference>;

    /// Equal for equal values, as far as they are compared.
    fn digest(&self) -> u64;
}

pub type AnyValue = Box<dyn TypedValue>;

/// The value by the replies of survey, pieces and reads.
type ValueFn = fn(&[Reply], &[Reply], &[Reply]) -> Option<AnyValue>;

/// How keys of a type are copied.
pub struct DataType {
    pub kind: Kind,
    /// The size of the value, in elements or bytes, and whatever else has to be known before [`DataType::reads`].
    pub survey: fn(&Bytes) -> Vec<Call>,
    /// The size in bytes, roughly, by the survey's replies.
    pub size: fn(&[Reply]) -> u64,
    /// A large value is read in pieces, so that nobody else has to wait for long: the next call, by the replies so far, as long as there is more to come than `reads` should read.
    pub piece: fn(&Bytes, survey: &[Reply], pieces: &[Reply]) -> Option<Call>,
    /// The calls that read the value, or what is left of it after the pieces; they run in one transaction.
    pub reads: fn(&Bytes, survey: &[Reply], pieces: &[Reply]) -> Vec<Call>,
    /// The value by all replies; `None` if they do not fit together.
    pub value: ValueFn,
}

/// The record of a type.
pub fn data_type(kind: Kind) -> Option<&'static DataType> {
    DATA_TYPES.iter().copied().find(|data_type| data_type.kind == kind)
}

/// What a key is.
#[derive(Debug)]
pub enum KeyState {
    Absent,
    Present {
        kind: Kind,
        value: AnyValue,
        expires_at: Option<i64>,
    },
    /// Of a type that we do not have, named as TYPE does.
    Unsupported(Bytes),
}

/// Why a key's state is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    #[error("{}", readable(.0))]
    Refused(Bytes),
    #[error("a reply is not understood")]
    Unexpected,
}

impl KeyState {
    /// The calls that make a key so, whatever it is. Several are to run in one transaction. None for what we do not know.
    pub fn writes(&self, key: &Bytes, dialect: Dialect) -> Vec<Call> {
        match self {
            KeyState::Absent => vec![vec![Bytes::from_static(b"DEL"), key.clone()]],
            KeyState::Present { value, expires_at, .. } => value.writes(key, *expires_at, dialect),
            KeyState::Unsupported(_) => Vec::new(),
        }
    }

    /// TYPE's word.
    pub fn type_name(&self) -> &[u8] {
        match self {
            KeyState::Absent => b"none",
            KeyState::Present { kind, .. } => kind.name().as_bytes(),
            KeyState::Unsupported(name) => name,
        }
    }

    /// Equal for equal states.
    pub fn digest(&self) -> u64 {
        match self {
            KeyState::Absent => 0,
            KeyState::Unsupported(_) => 1,
            KeyState::Present { value, expires_at, .. } => {
                value.digest() ^ expires_at.unwrap_or(-1).cast_unsigned().rotate_left(17)
            }
        }
    }
}

/// TIME's reply.
pub fn milliseconds(time: &Reply) -> Option<i64> {
    let Reply::Array(parts) = time else { return None };
    let [seconds, micros] = parts.as_slice() else { return None };
    let number = |reply: &Reply| match reply {
        Reply::Bulk(text) => std::str::from_utf8(text).ok()?.parse::<i64>().ok(),
        _ => None,
    };
    Some(number(seconds)? * 1000 + number(micros)? / 1000)
}

/// A call of a command with these arguments.
pub fn call<'a>(name: &'static [u8], args: impl IntoIterator<Item = &'a Bytes>) -> Call {
    std::iter::once(Bytes::from_static(name)).chain(args.into_iter().cloned()).collect()
}

/// PEXPIREAT.
pub fn expire(key: &Bytes, at: i64) -> Call {
    vec![Bytes::from_static(b"PEXPIREAT"), key.clone(), Bytes::from(at.to_string())]
}

/// The value of a field of a map, which is a flat array in RESP2.
pub fn field<'r>(reply: &'r Reply, name: &str) -> Option<&'r Reply> {
    let named = |reply: &Reply| matches!(reply, Reply::Bulk(text) | Reply::Status(text) if text == name);
    match reply {
        Reply::Map(pairs) => pairs.iter().find(|(field, _)| named(field)).map(|(_, value)| value),
        Reply::Array(flat) => flat.chunks_exact(2).find(|pair| named(&pair[0])).map(|pair| &pair[1]),
        _ => None,
    }
}

/// Something equal for equal values.
pub fn digest(value: &impl std::hash::Hash) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
