//! The README's table of commands: what the subject has, with the options the cases have shown to be as in Redis.

use std::collections::BTreeMap;
use std::path::Path;

use super::docs::Doc;
use super::info::OURS;
use crate::runner::catalogue::Catalogue;
use crate::runner::coverage::Coverage;

const BEGIN: &str = "<!-- commands:begin -->";
const END: &str = "<!-- commands:end -->";

/// The table. Subcommands stand in the row of their command.
pub fn table(catalogue: &Catalogue, docs: &BTreeMap<String, Doc>, coverage: &Coverage) -> String {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, entry) in &catalogue.entries {
        if name.contains('|') || name.starts_with(OURS) {
            continue;
        }
        let group = docs.get(name).map_or("other", |doc| doc.group.as_str());
        let subcommands = catalogue.entries.keys().filter(|key| key.starts_with(&format!("{name}|")));
        let parts: Vec<String> = match entry.has_subcommands {
            true => subcommands.map(|key| row_part(key, docs, coverage)).collect(),
            false => options(name, docs, coverage),
        };
        let row = format!(
            "| {} | {} |",
            name.to_uppercase(),
            parts.join(if entry.has_subcommands { ", " } else { " " })
        );
        groups.entry(group).or_default().push(row);
    }
    let mut text = String::new();
    for (group, rows) in groups {
        text.push_str(&format!("\n| {group} | options |\n|---|---|\n{}\n", rows.join("\n")));
    }
    text
}

fn row_part(key: &str, docs: &BTreeMap<String, Doc>, coverage: &Coverage) -> String {
    let name = key.split('|').next_back().unwrap_or_default().to_uppercase();
    let options = options(key, docs, coverage);
    if options.is_empty() { name } else { format!("{name} ({})", options.join(" ")) }
}

/// The options in the order of the syntax; those that no case has shown are struck through.
fn options(name: &str, docs: &BTreeMap<String, Doc>, coverage: &Coverage) -> Vec<String> {
    let options = docs.get(name).map_or(&[][..], |doc| &doc.options);
    let shown =
        |option: &&String| coverage.of(name).is_some_and(|shown| shown.words.contains(option.as_bytes()));
    options
        .iter()
        .map(|option| if shown(&option) { option.clone() } else { format!("~~{option}~~") })
        .collect()
}

/// Compares the README's table with this one, or rewrites it when UPDATE=1 is set.
pub fn check_readme(path: &Path, table: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let begin = text.find(BEGIN).ok_or_else(|| format!("README.md has no {BEGIN}"))? + BEGIN.len();
    let end = begin + text[begin..].find(END).ok_or_else(|| format!("README.md has no {END}"))?;
    let wanted = format!("\n{table}\n");
    if text[begin..end] == wanted {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_none_or(|value| value != "1") {
        return Err(
            "README.md's table of commands is out of date: run `UPDATE=1 cargo test --test compat`".into()
        );
    }
    let updated = [&text[..begin], &wanted, &text[end..]].concat();
    std::fs::write(path, updated).map_err(|error| format!("{}: {error}", path.display()))
}
