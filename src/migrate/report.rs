//! What `verify` has found, grouped, for people and for programs.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};

use super::pattern::{pattern, redacted};
use crate::command::copy::{Class, Difference};

/// Most groups, and samples of each.
const GROUPS: usize = 500;
const SAMPLES: usize = 3;

/// Differences of one class in keys of one type and pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    class: Class,
    kind: String,
    pattern: String,
}

#[derive(Debug)]
struct Group {
    count: u64,
    first_seen: SystemTime,
    last_seen: SystemTime,
    samples: Vec<String>,
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Report {
    /// Keys that were compared, on whichever side they are.
    pub keys: u64,
    pub rounds: u32,
    /// Keys that differ.
    pub different: u64,
    /// Keys that were written all the time.
    pub superseded: u64,
    /// Keys that seemed to differ and did not the next time.
    pub transient: u64,
    /// Keys that could not be read, and some of the reasons.
    pub unreadable: u64,
    pub reasons: Vec<(String, String)>,
    /// Keys of types that respg does not have, by type.
    pub unsupported: BTreeMap<String, u64>,
    pub repaired: u64,
    groups: BTreeMap<Which, Group>,
}

impl Report {
    /// Takes a key's differences.
    pub fn add(
        &mut self,
        (db, key): (u32, &Bytes),
        kind: &str,
        (first_seen, last_seen): (SystemTime, SystemTime),
        differences: &[Difference],
    ) {
        for Difference { class, detail } in differences {
            let mut which = Which { class: *class, kind: kind.to_owned(), pattern: pattern(key) };
            if self.groups.len() >= GROUPS && !self.groups.contains_key(&which) {
                which.pattern = "(others)".to_owned();
            }
            let group = self.groups.entry(which).or_insert_with(|| Group {
                count: 0,
                first_seen,
                last_seen,
                samples: Vec::new(),
            });
            group.count += 1;
            group.first_seen = group.first_seen.min(first_seen);
            group.last_seen = group.last_seen.max(last_seen);
            if group.samples.len() < SAMPLES {
                group.samples.push(format!("db {db} {}: {detail}", redacted(key)));
            }
        }
    }

    pub fn note_unreadable(&mut self, key: &Bytes, why: String) {
        self.unreadable += 1;
        if self.reasons.len() < SAMPLES {
            self.reasons.push((redacted(key), why));
        }
    }

    /// Whether both sides are the same, as far as was seen.
    pub fn is_good(&self) -> bool {
        self.different == 0 && self.superseded == 0 && self.unreadable == 0 && self.unsupported.is_empty()
    }

    /// With 95 % certainty no larger share of the keys differs: the rule of three.
    fn bound(&self) -> Option<f64> {
        (self.different == 0 && self.repaired == 0 && self.keys > 0)
            .then(|| (3.0 / self.keys as f64).min(1.0))
    }

    fn verdict(&self) -> String {
        let basis = format!("{} keys compared in {} rounds", self.keys, self.rounds);
        let nothing_known = self.keys == 0 && !self.is_good();
        match (self.different, self.bound()) {
            (0, None) if nothing_known => "nothing could be compared".to_owned(),
            (0, None) if self.repaired > 0 => {
                format!("all differences were repaired: {} of {basis}", self.repaired)
            }
            (0, Some(bound)) => format!(
                "no differences: {basis}; 0 of {} means at most {:.4} % at 95 %",
                self.keys,
                bound * 100.0
            ),
            (0, None) => "no differences: there was nothing to compare".to_owned(),
            (different, _) => format!("{different} keys differ: {basis}"),
        }
    }

    pub fn text(&self) -> String {
        let mut lines = vec![self.verdict()];
        for (Which { class, kind, pattern }, group) in &self.groups {
            let harmless = if class.is_harmless() { " (told only)" } else { "" };
            let seen = group.last_seen.duration_since(group.first_seen).unwrap_or_default().as_secs_f64();
            lines.push(format!(
                "{:>8}  {}{harmless}, {kind}, {pattern} (for {seen:.1} s)",
                group.count,
                class.name()
            ));
            lines.extend(group.samples.iter().map(|sample| format!("            {sample}")));
        }
        let also = [
            (self.repaired, "repaired"),
            (self.superseded, "superseded: written all the time, so nothing can be said about them"),
            (self.transient, "differed for a moment only"),
            (self.unreadable, "could not be read"),
        ];
        let told = also.iter().filter(|(count, _)| *count > 0);
        lines.extend(told.map(|(count, what)| format!("{count:>8}  {what}")));
        lines.extend(self.reasons.iter().map(|(key, why)| format!("            {key}: {why}")));
        let lacking = self.unsupported.iter();
        lines.extend(
            lacking.map(|(kind, count)| {
                format!("{count:>8}  not compared, respg does not have the type {kind}")
            }),
        );
        lines.join("\n")
    }

    pub fn json(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(json_of).collect();
        json!({
            "verdict": self.verdict(),
            "equal": self.is_good(),
            "keys": self.keys,
            "rounds": self.rounds,
            "different": self.different,
            "bound_95": self.bound(),
            "repaired": self.repaired,
            "superseded": self.superseded,
            "transient": self.transient,
            "unreadable": self.unreadable,
            "reasons": self.reasons.iter().map(|(key, why)| format!("{key}: {why}")).collect::<Vec<_>>(),
            "unsupported": self.unsupported,
            "groups": groups,
        })
    }
}

fn json_of((which, group): (&Which, &Group)) -> Value {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    json!({
        "class": which.class.name(),
        "harmless": which.class.is_harmless(),
        "type": which.kind,
        "pattern": which.pattern,
        "count": group.count,
        "first_seen": seconds(group.first_seen),
        "last_seen": seconds(group.last_seen),
        "samples": group.samples,
    })
}
