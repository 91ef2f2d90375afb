//! COMMAND INFO: every field of every command of the subject is as one of the references has it.

use crate::runner::catalogue::Catalogue;
use crate::runner::known::Known;
use crate::runner::resp::Reply;

const FIELDS: [&str; 8] =
    ["arity", "flags", "first key", "last key", "step", "categories", "tips", "key specifications"];

/// How the names of commands begin that Redis does not have.
pub const OURS: &str = "respg.";

/// One line for each field that is as no reference has it.
pub fn differences(subject: &Catalogue, references: &[Catalogue], known: &Known) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, entry) in &subject.entries {
        let others: Vec<&Reply> =
            references.iter().filter_map(|catalogue| Some(&catalogue.entries.get(name)?.reply)).collect();
        if others.is_empty() && !name.starts_with(OURS) {
            lines.push(format!("{name}: no reference has this command"));
        }
        for (at, field) in FIELDS.into_iter().enumerate() {
            let value = |reply: &Reply| reply.items.get(at + 1).map_or("nothing".into(), canonical);
            let (ours, theirs) = (value(&entry.reply), others.iter().map(|other| value(other)));
            let theirs: Vec<String> = theirs.collect();
            let listed = || theirs.iter().any(|theirs| known.allows_info(name, field, theirs, &ours));
            if !theirs.is_empty() && !theirs.contains(&ours) && !listed() {
                lines.push(format!("{name}: {field} is {ours}, not {}", theirs.join(" nor ")));
            }
        }
    }
    lines
}

/// Text for a value, in which the order of what has none does not matter.
fn canonical(reply: &Reply) -> String {
    if reply.kind != b'*' {
        return reply.text_lossy();
    }
    let mut items: Vec<String> = reply.items.iter().map(canonical).collect();
    // Flags, categories and tips are sets; a key specification is a flat list of pairs.
    let pairs = reply.items.len().is_multiple_of(2) && reply.items.chunks(2).any(|pair| pair[1].kind == b'*');
    if pairs {
        items = items.chunks(2).map(|pair| pair.join("=")).collect();
    }
    items.sort();
    format!("[{}]", items.join(" "))
}
