//! What one key holds: the value of a row of the keys table as commands see it.

use bytes::Bytes;

/// The number of a logical database (SELECT n); admitted ones exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DbIndex(pub u32);

/// The type of a key. The numbers stand in the table's `type` column and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Kind {
    String = 1,
    List = 2,
    Set = 3,
    SortedSet = 4,
    Hash = 5,
    Stream = 6,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash, Kind::Stream];

    /// The kind of a row; `None` for the placeholder (0) that WATCH leaves for an absent key.
    pub fn from_column(column: i16) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == column)
    }

    /// The kind that TYPE calls so, in any case (SCAN's option TYPE).
    pub fn from_name(name: &[u8]) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::SortedSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
        }
    }
}

/// When a key expires, in milliseconds since 1970-01-01 00:00 UTC by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    #[default]
    Never,
    At(i64),
    /// So many milliseconds after the statement that writes it. Only in blind writes, which do not know the time yet.
    After(i64),
}

impl Expiry {
    /// Whether the key is gone at `now` (Redis: a key lives up to and including its last millisecond).
    pub fn is_past(self, now: i64) -> bool {
        matches!(self, Expiry::At(at) if at < now)
    }
}

/// The value of a key, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string's bytes.
    Inline(Bytes),
    /// A string that was not fetched because nobody needs its bytes: its length.
    Unfetched(usize),
    /// Not a string: elements live in their type's tables under this object id.
    Object(i64),
}

/// One live key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub value: Value,
    pub expiry: Expiry,
}

impl Entry {
    pub fn string(value: Bytes, expiry: Expiry) -> Entry {
        Entry { kind: Kind::String, value: Value::Inline(value), expiry }
    }

    /// The length in bytes of a string, fetched or not; 0 for other types.
    pub fn string_length(&self) -> usize {
        match &self.value {
            Value::Inline(bytes) => bytes.len(),
            Value::Unfetched(length) => *length,
            Value::Object(_) => 0,
        }
    }
}
