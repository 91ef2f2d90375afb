//! COMMAND DOCS: groups, and the options of commands.

use std::collections::BTreeMap;

use crate::runner::resp::{Client, Reply};

/// What came with versions after this is not expected.
const NEWEST: (u32, u32) = (7, 2);

#[derive(Clone, Debug, Default)]
pub struct Doc {
    pub group: String,
    /// Option words in the order of the syntax.
    pub options: Vec<String>,
}

/// By command, subcommands as `config|get`.
pub fn read(client: &mut Client) -> Result<BTreeMap<String, Doc>, String> {
    let mut docs = BTreeMap::new();
    collect(&client.demand(&["COMMAND", "DOCS"])?, &mut docs);
    Ok(docs)
}

fn collect(list: &Reply, docs: &mut BTreeMap<String, Doc>) {
    for pair in list.items.chunks_exact(2) {
        let fields = &pair[1];
        let group = field(fields, "group").map(Reply::text_lossy).unwrap_or_default();
        let mut doc = Doc { group, options: Vec::new() };
        if let Some(arguments) = field(fields, "arguments") {
            options(arguments, &mut doc.options);
        }
        docs.insert(pair[0].text_lossy(), doc);
        if let Some(subcommands) = field(fields, "subcommands") {
            collect(subcommands, docs);
        }
    }
}

fn options(arguments: &Reply, found: &mut Vec<String>) {
    for argument in &arguments.items {
        let text = |name| field(argument, name).map(Reply::text_lossy);
        let version = text("since").unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) > NEWEST {
            continue;
        }
        if let Some(token) = text("token").filter(|token| !token.is_empty() && !found.contains(token)) {
            found.push(token);
        }
        if let Some(inner) = field(argument, "arguments") {
            options(inner, found);
        }
    }
}

/// The value beside a name in a flat list of pairs.
fn field<'a>(pairs: &'a Reply, name: &str) -> Option<&'a Reply> {
    pairs.items.chunks_exact(2).find(|pair| pair[0].text == name.as_bytes()).map(|pair| &pair[1])
}
