//! What is to be told of the follower: counters, differences by class, command and key pattern, and what clients use that respg does not have. Bounded, and
//! without any value or key.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::lacking::name_of;
use crate::keyspace::DbIndex;

/// Most groups of differences, and most foreign commands; what is beyond goes to one group.
const MOST_GROUPS: usize = 1000;
const SAMPLES: usize = 3;

/// Since the start of the process.
#[derive(Debug, Default)]
pub struct Report {
    pub counts: Counts,
    differences: Mutex<BTreeMap<Group, Differences>>,
    foreign: Mutex<BTreeMap<String, u64>>,
    unsupported: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that the follower has executed, or that needed nothing.
    pub followed: AtomicU64,
    /// Keys that were read again and were the same.
    pub confirmed: AtomicU64,
    /// Keys that were read again and differed, and were made the same.
    pub repaired: AtomicU64,
    /// Attempts to make a key the same that failed.
    pub failed: AtomicU64,
    /// Replies that differed.
    pub mismatches: AtomicU64,
    /// Times that the follower could not be reached.
    pub unreachable: AtomicU64,
    /// Keys that are waiting to be read again.
    pub unsettled: AtomicU64,
    /// Those of them that were written and are only looked at once more.
    pub looks: AtomicU64,
    /// Times that a key was not looked at once more, since there were too many, or it was too long.
    pub not_looked_at: AtomicU64,
    /// When what was followed last had happened, in milliseconds since the epoch; 0: nothing waits.
    pub behind_since: AtomicI64,
}

impl Counts {
    /// Keys whose states are not known.
    pub fn uncertain(&self) -> u64 {
        self.unsettled.load(Relaxed).saturating_sub(self.looks.load(Relaxed))
    }
}

/// What differences are grouped by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub class: &'static str,
    /// What had been executed, or why keys were compared.
    pub command: String,
    pub pattern: String,
}

#[derive(Debug, Clone, Default)]
pub struct Differences {
    pub count: u64,
    /// Seconds since the epoch.
    pub first_seen: i64,
    pub last_seen: i64,
    pub samples: Vec<String>,
}

impl Report {
    /// Notes a difference. `detail` holds no values.
    pub fn difference(&self, class: &'static str, command: &str, key: &[u8], detail: &str) {
        let group = Group { class, command: command.to_owned(), pattern: pattern(key) };
        let mut differences = self.differences.lock().expect("no panic while held");
        let full = differences.len() >= MOST_GROUPS && !differences.contains_key(&group);
        let group = if full { Group { pattern: "(others)".to_owned(), ..group } } else { group };
        let group = if full && differences.len() > 2 * MOST_GROUPS {
            Group { class: "others", command: String::new(), pattern: String::new() }
        } else {
            group
        };
        let now = seconds();
        let found =
            differences.entry(group).or_insert_with(|| Differences { first_seen: now, ..Default::default() });
        found.count += 1;
        found.last_seen = now;
        if found.samples.len() < SAMPLES {
            found.samples.push(format!("{}: {detail}", fingerprint(key)));
        }
    }

    /// The groups, most frequent first.
    pub fn differences(&self) -> Vec<(Group, Differences)> {
        let differences = self.differences.lock().expect("no panic while held");
        let mut all: Vec<_> =
            differences.iter().map(|(group, found)| (group.clone(), found.clone())).collect();
        all.sort_by_key(|(_, found)| std::cmp::Reverse(found.count));
        all
    }

    /// Forgets the differences so far.
    pub fn forget_differences(&self) {
        self.differences.lock().expect("no panic while held").clear();
    }

    /// Counts a call that respg would not have understood.
    pub fn foreign(&self, name: &[u8]) {
        count(&self.foreign, &name.escape_ascii().to_string().to_ascii_uppercase());
    }

    /// Counts a key that respg has no place for: of a type that it does not have.
    pub fn unsupported(&self, kind: &[u8]) {
        count(&self.unsupported, &kind.escape_ascii().to_string());
    }

    /// The same of a key in a database that it does not have.
    pub fn beyond(&self, db: DbIndex) {
        self.unsupported(name_of(db).as_bytes());
    }

    /// These were met before; `afresh`, no others were.
    pub fn remember_unsupported(&self, names: Vec<String>, afresh: bool) {
        let mut unsupported = self.unsupported.lock().expect("no panic while held");
        if afresh {
            unsupported.clear();
        }
        for name in names {
            unsupported.entry(name).or_default();
        }
    }

    /// Commands by name, and how often they were passed through.
    pub fn foreign_calls(&self) -> BTreeMap<String, u64> {
        self.foreign.lock().expect("no panic while held").clone()
    }

    /// Types by name, and how often a key of it was met since the start of the process.
    pub fn unsupported_types(&self) -> BTreeMap<String, u64> {
        self.unsupported.lock().expect("no panic while held").clone()
    }

    /// How long ago what is next in the queue has happened, in milliseconds.
    pub fn lag_ms(&self) -> i64 {
        match self.counts.behind_since.load(Relaxed) {
            0 => 0,
            at => (now_ms() - at).max(0),
        }
    }
}

fn count(counts: &Mutex<BTreeMap<String, u64>>, name: &str) {
    let mut counts = counts.lock().expect("no panic while held");
    let known = counts.contains_key(name) || counts.len() < MOST_GROUPS;
    *counts.entry(if known { name.to_owned() } else { "(others)".to_owned() }).or_default() += 1;
}

fn seconds() -> i64 {
    now_ms() / 1000
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// By which somebody who has the key recognises it, and nobody else.
fn fingerprint(key: &[u8]) -> String {
    let hash = Sha256::digest(key);
    format!("key sha256 {:02x}{:02x}{:02x}{:02x} ({} bytes)", hash[0], hash[1], hash[2], hash[3], key.len())
}

/// The key with `*` for the parts that look like numbers, identifiers or tokens: `bull:17:wait` is `bull:*:wait`.
pub fn pattern(key: &[u8]) -> String {
    let mut pattern = String::new();
    for (i, byte) in key.iter().enumerate() {
        let delimiter = is_delimiter(*byte);
        if delimiter {
            pattern.push(char::from(*byte));
        } else if i == 0 || is_delimiter(key[i - 1]) {
            let part = key[i..].split(|byte| is_delimiter(*byte)).next().unwrap_or_default();
            match is_name(part) {
                true => pattern.push_str(&part.escape_ascii().to_string()),
                false => pattern.push('*'),
            }
        }
        if pattern.len() > 80 {
            pattern.push_str("...");
            break;
        }
    }
    let mut shorter = pattern.replace("*-*", "*");
    while shorter.len() < pattern.len() {
        pattern = shorter;
        shorter = pattern.replace("*-*", "*");
    }
    pattern
}

fn is_delimiter(byte: u8) -> bool {
    b":./|{}-_#@ ".contains(&byte)
}

/// Whether a part of a key is a word that a programmer has chosen.
fn is_name(part: &[u8]) -> bool {
    part.len() <= 24 && part.iter().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (key, expected) in [
            ("bull:17:wait", "bull:*:wait"),
            ("session:3fa85f64-5717-4562-b3fc-2c963f66afa6", "session:*"),
            ("user:{42}:name", "user:{*}:name"),
            ("plain", "plain"),
            ("t0k3n", "*"),
            ("", ""),
            ("abcdefghijklmnopqrstuvwxyz", "*"),
            ("a\u{ff}", "*"),
        ] {
            assert_eq!(pattern(key.as_bytes()), expected);
        }
    }

    #[test]
    fn bounded_and_redacted() {
        let report = Report::default();
        for i in 0..5000 {
            let word: String = format!("{i:05}").bytes().map(|b| char::from(b - b'0' + b'a')).collect();
            report.difference("value", "GET", word.as_bytes(), "5 / 6 bytes");
            report.foreign(word.as_bytes());
        }
        for _ in 0..9 {
            report.difference("value", "GET", b"secret:123", "5 / 6 bytes");
        }
        let groups = report.differences();
        assert!(groups.len() <= 2 * MOST_GROUPS && report.foreign_calls().len() <= MOST_GROUPS + 1);
        assert_eq!(groups.iter().map(|(_, found)| found.count).sum::<u64>(), 5009);
        assert!(groups.iter().all(|(_, found)| found.samples.len() <= SAMPLES));
        assert!(!format!("{groups:?}").contains("secret:123"));
    }
}
