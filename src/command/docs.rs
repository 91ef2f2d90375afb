//! The texts of COMMAND DOCS: one `docs.json` per group, from Redis 7.0's COMMAND DOCS (7.2's for what came later).

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Command;

static FILES: [&str; 10] = [
    include_str!("bitmap/docs.json"),
    include_str!("cluster/docs.json"),
    include_str!("connection/docs.json"),
    include_str!("generic/docs.json"),
    include_str!("pubsub/docs.json"),
    include_str!("respg/docs.json"),
    include_str!("server/docs.json"),
    include_str!("stream/docs.json"),
    include_str!("string/docs.json"),
    include_str!("transactions/docs.json"),
];

/// By lower-case name, sub-commands as `client|id`.
static DOCS: LazyLock<HashMap<String, Map<String, Value>>> = LazyLock::new(|| {
    let mut docs = HashMap::new();
    for file in FILES {
        let commands: Map<String, Value> = serde_json::from_str(file).expect("checked by a test");
        commands.into_iter().for_each(|(name, value)| add(&mut docs, name, value));
    }
    docs
});

fn add(docs: &mut HashMap<String, Map<String, Value>>, name: String, value: Value) {
    let Value::Object(mut doc) = value else { unreachable!("checked by a test") };
    if let Some(Value::Object(subcommands)) = doc.remove("subcommands") {
        subcommands.into_iter().for_each(|(name, value)| add(docs, name, value));
    }
    docs.insert(name, doc);
}

/// What is said of a command, without its sub-commands.
pub fn of(command: &Command) -> Option<&'static Map<String, Value>> {
    DOCS.get(&command.lower_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_docs() {
        let every = crate::command::all()
            .flat_map(|command| std::iter::once(command).chain(command.subcommands.iter().copied()));
        for command in every {
            let doc = of(command).unwrap_or_else(|| panic!("{} is missing", command.name));
            assert_eq!(doc["group"].as_str(), Some(command.group.name()), "{}", command.name);
        }
    }
}
