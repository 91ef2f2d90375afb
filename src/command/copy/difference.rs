//! How two states of a key differ.

use super::KeyState;

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
