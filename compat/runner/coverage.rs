//! What the cases have shown, command by command.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use crate::commands::info::OURS;

#[derive(Default)]
pub struct Coverage {
    commands: BTreeMap<String, Shown>,
}

#[derive(Default)]
pub struct Shown {
    /// Words, in upper case, of lines that had the reference's reply, and that was no error.
    pub words: BTreeSet<Vec<u8>>,
    /// Lines with a reply that differed, or that was not compared.
    pub failed: usize,
}

impl Coverage {
    /// A line was played; `agreed` says how it came out.
    pub fn note(&mut self, catalogue: &Catalogue, words: &[&[u8]], agreed: bool, error: bool) {
        let Some((name, _)) = catalogue.find(words) else { return };
        let shown = self.commands.entry(name.to_owned()).or_default();
        if !agreed {
            shown.failed += 1;
        } else if !error {
            shown.words.extend(words.iter().skip(1).map(|word| word.to_ascii_uppercase()));
        }
    }

    pub fn of(&self, name: &str) -> Option<&Shown> {
        self.commands.get(name)
    }

    /// Commands of the catalogue that no case mentions, but for those that no reference can have. A container of subcommands is
    /// none itself.
    pub fn missing(&self, catalogue: &Catalogue) -> Vec<String> {
        let entries = catalogue.entries.iter();
        let entries = entries.filter(|(name, entry)| !entry.has_subcommands && !name.starts_with(OURS));
        let names = entries.map(|(name, _)| name).filter(|name| !self.commands.contains_key(*name));
        names.cloned().collect()
    }
}
