//! `compat/known_differences.toml`: where the subject differs on purpose, and why.
//!
//! ```toml
//! [[difference]]
//! case = "server/lolwut"
//! command = "LOLWUT"              # the line as in the case file
//! reason = "the drawing is ours"
//! reference = "$10\\r\\n..."   # both replies escaped as in reports
//! respg = "$11\\r\\n..."
//!
//! [[case]]                       # not played at all
//! name = "server/monitor"
//! reason = "..."
//!
//! [[info]]                       # a field of COMMAND INFO
//! command = "get"
//! field = "flags"
//! reason = "..."
//! reference = "[readonly]"
//! respg = "[fast readonly]"
//! ```

use std::cell::Cell;
use std::path::Path;

#[derive(Default)]
pub struct Known {
    differences: Vec<Difference>,
    info: Vec<Difference>,
    /// Names of cases that are not played.
    unplayed: Vec<String>,
}

struct Difference {
    /// Of a difference in COMMAND INFO: the field.
    case: String,
    command: String,
    reason: String,
    reference: String,
    respg: String,
    /// The case was played, so the difference ought to have shown.
    met: Cell<bool>,
    seen: Cell<bool>,
}

impl Known {
    pub fn read(path: &Path) -> Result<Known, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let table: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        let list = |name: &str, place: &str| {
            let entries = table.get(name).and_then(toml::Value::as_array).cloned().unwrap_or_default();
            let read = entries.iter().map(|entry| Difference::from_entry(entry, place));
            read.collect::<Result<_, _>>().map_err(|problem| format!("{}: {problem}", path.display()))
        };
        let unplayed = table.get("case").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let unplayed = unplayed.iter().map(|entry| {
            let field =
                |name: &str| text_of(entry, name).map_err(|problem| format!("{}: {problem}", path.display()));
            field("reason").and_then(|_| field("name"))
        });
        Ok(Known {
            differences: list("difference", "case")?,
            info: list("info", "field")?,
            unplayed: unplayed.collect::<Result<_, _>>()?,
        })
    }

    /// Whether the case is listed as one that says nothing about this subject.
    pub fn leaves_out(&self, case: &str) -> bool {
        self.unplayed.iter().any(|name| name == case)
    }

    /// Whether this difference is listed. Replies are given escaped.
    pub fn allows(&self, case: &str, command: &str, reference: &str, respg: &str) -> bool {
        let fits = |known: &&Difference| {
            known.is_at(case, command) && known.reference == reference && known.respg == respg
        };
        let found = self.differences.iter().find(fits);
        if let Some(known) = found {
            known.seen.set(true);
        }
        found.is_some()
    }

    /// Whether this difference in COMMAND INFO is listed.
    pub fn allows_info(&self, command: &str, field: &str, reference: &str, respg: &str) -> bool {
        let fits = |known: &&Difference| {
            known.is_at(field, command) && known.reference == reference && known.respg == respg
        };
        let found = self.info.iter().find(fits);
        if let Some(known) = found {
            known.seen.set(true);
        }
        found.is_some()
    }

    /// Listed differences in COMMAND INFO that were not asked about.
    pub fn vanished_info(&self) -> Vec<String> {
        let gone = self.info.iter().filter(|known| !known.seen.get());
        gone.map(|known| format!("COMMAND INFO {}: {} ({})", known.command, known.case, known.reason))
            .collect()
    }

    pub fn met(&self, case: &str) {
        self.differences.iter().filter(|known| known.case == case).for_each(|known| known.met.set(true));
    }

    /// Entries that should have shown up and did not.
    pub fn vanished(&self) -> Vec<String> {
        let gone = self.differences.iter().filter(|known| known.met.get() && !known.seen.get());
        gone.map(|known| format!("{}: {} ({})", known.case, known.command, known.reason)).collect()
    }

    /// Entries whose case does not exist.
    pub fn unknown_cases(&self, exists: impl Fn(&str) -> bool) -> Vec<String> {
        let differences = self.differences.iter().map(|known| &known.case);
        differences.chain(&self.unplayed).filter(|case| !exists(case)).cloned().collect()
    }
}

fn text_of(entry: &toml::Value, name: &str) -> Result<String, String> {
    let text = entry.get(name).and_then(toml::Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("an entry lacks `{name}`: {entry}"))
}

impl Difference {
    fn from_entry(entry: &toml::Value, place: &str) -> Result<Difference, String> {
        let field = |name: &str| text_of(entry, name);
        Ok(Difference {
            case: field(place)?,
            command: field("command")?,
            reason: field("reason")?,
            reference: field("reference")?,
            respg: field("respg")?,
            met: Cell::new(false),
            seen: Cell::new(false),
        })
    }

    fn is_at(&self, case: &str, command: &str) -> bool {
        self.case == case && self.command == command
    }
}
