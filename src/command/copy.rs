//! Copies of keys, between a Redis and us in either direction. A [`DataType`] says how keys of its type are read, written and compared, in Redis's own commands: the
//! same record serves both sides, since both speak them. It stands beside the type's commands. Reading is a dialogue without any I/O ([`Reading`]).

use std::any::Any;
use std::fmt;

use bytes::Bytes;

use super::DATA_TYPES;
use crate::keyspace::Kind;
use crate::resp::Reply;

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

/// How keys of a type are copied.
pub struct DataType {
    pub kind: Kind,
    /// The size of the value, in elements or bytes, and whatever else has to be known before [`DataType::reads`].
    pub survey: fn(&Bytes) -> Vec<Call>,
    /// The size in bytes, roughly, by the survey's replies.
    pub size: fn(&[Reply]) -> u64,
    /// The calls that read the whole value; they run in one transaction.
    pub reads: fn(&Bytes, survey: &[Reply]) -> Vec<Call>,
    /// The value by their replies; `None` if the survey does not fit it any more.
    pub value: fn(survey: &[Reply], &[Reply]) -> Option<AnyValue>,
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
    #[error("{}", .0.escape_ascii())]
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

/// What kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The follower lacks the key.
    Missing,
    /// Only the follower has it.
    Extra,
    Type,
    Value,
    /// The same number, written in another way.
    NumberFormat,
    Ttl,
    /// A stream's last id, count of entries ever added, or highest deleted id.
    StreamIds,
    /// A consumer group that only one side has.
    Group,
    /// A consumer that only one side has.
    Consumer,
    /// A group's last delivered id.
    Cursor,
    /// A group's pending entries, their consumers or delivery counts; not their idle times.
    Pending,
    /// A group's entries-read, from which lag is computed: versions of Redis count it differently, so it is told but is no difference.
    EntriesRead,
}

impl Class {
    pub fn name(self) -> &'static str {
        match self {
            Class::Missing => "missing",
            Class::Extra => "extra",
            Class::Type => "type",
            Class::Value => "value",
            Class::NumberFormat => "number format",
            Class::Ttl => "ttl",
            Class::StreamIds => "stream ids",
            Class::Group => "group",
            Class::Consumer => "consumer",
            Class::Cursor => "cursor",
            Class::Pending => "pending",
            Class::EntriesRead => "entries-read",
        }
    }

    /// Whether it is only told.
    pub fn is_harmless(self) -> bool {
        self == Class::EntriesRead
    }
}

/// One difference between two states of a key. The detail holds no values, only sizes, places and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub class: Class,
    pub detail: String,
}

impl Difference {
    pub fn new(class: Class, detail: impl Into<String>) -> Difference {
        Difference { class, detail: detail.into() }
    }
}

/// How the second state differs from the first, the one that counts. Expiries may differ by `tolerance` milliseconds. What we do not know is not compared.
pub fn compare(first: &KeyState, second: &KeyState, tolerance: u64) -> Vec<Difference> {
    use KeyState::{Absent, Present, Unsupported};
    let one = |class, detail| vec![Difference::new(class, detail)];
    let kind = |state: &KeyState| state.type_name().escape_ascii().to_string();
    match (first, second) {
        (Unsupported(_), _) | (_, Unsupported(_)) | (Absent, Absent) => Vec::new(),
        (_, Absent) => one(Class::Missing, kind(first)),
        (Absent, _) => one(Class::Extra, kind(second)),
        (Present { kind: a, .. }, Present { kind: b, .. }) if a != b => {
            one(Class::Type, format!("{} / {}", a.name(), b.name()))
        }
        (
            Present { value: a, expires_at: first_end, .. },
            Present { value: b, expires_at: second_end, .. },
        ) => {
            let mut found = a.differences(b.as_ref());
            found.extend(ttl_difference(*first_end, *second_end, tolerance));
            found
        }
    }
}

fn ttl_difference(first: Option<i64>, second: Option<i64>, tolerance: u64) -> Option<Difference> {
    let detail = match (first, second) {
        (Some(a), Some(b)) if a.abs_diff(b) <= tolerance => return None,
        (Some(a), Some(b)) => format!("{:+} ms", i128::from(b) - i128::from(a)),
        (None, None) => return None,
        (Some(_), None) => "an expiry / none".to_owned(),
        (None, Some(_)) => "none / an expiry".to_owned(),
    };
    Some(Difference::new(Class::Ttl, detail))
}

/// How often a key may change under our hands.
const MOST_ATTEMPTS: u32 = 20;

/// The dialogue that reads one key: send what [`Reading::ask`] says, give the replies to [`Reading::answer`], until that has the state.
#[derive(Debug)]
pub struct Reading {
    key: Bytes,
    dialect: Dialect,
    stage: Stage,
    attempts: u32,
}

enum Stage {
    Type,
    Survey(&'static DataType),
    Read(&'static DataType, Vec<Reply>),
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Type => "Type",
            Stage::Survey(_) => "Survey",
            Stage::Read(..) => "Read",
        })
    }
}

/// What to send next.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    pub calls: Vec<Call>,
    /// Between MULTI and EXEC; the replies are then those in EXEC's. They say what the key is at the place of this transaction.
    pub transaction: bool,
}

impl Reading {
    pub fn new(key: Bytes, dialect: Dialect) -> Reading {
        Reading { key, dialect, stage: Stage::Type, attempts: 0 }
    }

    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// About how many bytes the next replies have.
    pub fn size(&self) -> u64 {
        match &self.stage {
            Stage::Type | Stage::Survey(_) => 64,
            Stage::Read(data_type, survey) => (data_type.size)(survey),
        }
    }

    pub fn ask(&self) -> Ask {
        match &self.stage {
            Stage::Type => Ask { calls: vec![call(b"TYPE", [&self.key])], transaction: false },
            Stage::Survey(data_type) => Ask { calls: (data_type.survey)(&self.key), transaction: false },
            Stage::Read(data_type, survey) => {
                let mut calls = vec![call(b"TYPE", [&self.key])];
                if self.dialect.knows(7, 0) {
                    calls.push(call(b"PEXPIRETIME", [&self.key]));
                } else {
                    calls.extend([call(b"PTTL", [&self.key]), vec![Bytes::from_static(b"TIME")]]);
                }
                calls.extend((data_type.reads)(&self.key, survey));
                Ask { calls, transaction: true }
            }
        }
    }

    /// Takes the replies; the state, if they say it.
    pub fn answer(&mut self, replies: Vec<Reply>) -> Result<Option<KeyState>, CopyError> {
        match std::mem::replace(&mut self.stage, Stage::Type) {
            Stage::Type => self.know_type(replies.first()),
            // An error here means that the key has changed, which is found out next.
            Stage::Survey(data_type) => {
                self.stage = Stage::Read(data_type, replies);
                Ok(None)
            }
            Stage::Read(data_type, survey) => {
                let known = self.know_type(replies.first())?;
                let changed = !matches!(self.stage, Stage::Survey(now) if now.kind == data_type.kind);
                if changed && known.is_some() {
                    return Ok(known);
                }
                let header = if self.dialect.knows(7, 0) { 2 } else { 3 };
                let body = replies.get(header..).unwrap_or_default();
                let refusal = body.iter().find_map(|reply| match reply {
                    Reply::Error(text) => Some(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes()))),
                    _ => None,
                });
                let value =
                    if changed || refusal.is_some() { None } else { (data_type.value)(&survey, body) };
                if let Some(value) = value {
                    let expires_at = expiry(&replies[1..header])?;
                    return Ok(Some(KeyState::Present { kind: data_type.kind, value, expires_at }));
                }
                self.attempts += 1;
                match self.attempts < MOST_ATTEMPTS {
                    true => Ok(None),
                    false => Err(refusal.unwrap_or(CopyError::Unexpected)),
                }
            }
        }
    }

    /// Takes TYPE's reply and prepares for what it says.
    fn know_type(&mut self, reply: Option<&Reply>) -> Result<Option<KeyState>, CopyError> {
        let name = match reply {
            Some(Reply::Status(name) | Reply::Bulk(name)) => name,
            Some(Reply::Error(text)) => {
                return Err(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes())));
            }
            _ => return Err(CopyError::Unexpected),
        };
        if name == "none" {
            return Ok(Some(KeyState::Absent));
        }
        match Kind::from_name(name).and_then(data_type) {
            Some(data_type) => {
                self.stage = Stage::Survey(data_type);
                Ok(None)
            }
            None => Ok(Some(KeyState::Unsupported(name.clone()))),
        }
    }
}

/// The expiry by PEXPIRETIME's reply, or PTTL's and TIME's.
fn expiry(replies: &[Reply]) -> Result<Option<i64>, CopyError> {
    match replies {
        [Reply::Integer(at)] => Ok((*at >= 0).then_some(*at)),
        [Reply::Integer(left), time] => {
            let now = milliseconds(time).ok_or(CopyError::Unexpected)?;
            Ok((*left >= 0).then_some(now.saturating_add(*left)))
        }
        _ => Err(CopyError::Unexpected),
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
