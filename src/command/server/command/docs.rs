//! `COMMAND DOCS [command-name ...]`
use serde_json::Value;

use super::{FAMILY, ORDER_VARIES, by_full_name};
use crate::command::prelude::*;
use crate::command::{all, docs};

pub(super) static DOCS: Command =
    Command { name: "COMMAND|DOCS", arity: AtLeast(2), tips: ORDER_VARIES, plan, ..FAMILY };

fn plan(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let entries = match args.rest() {
        [] => all().map(entry).collect(),
        names => names.iter().filter_map(|name| by_full_name(name)).map(entry).collect(),
    };
    Ok(Plan::Ready(Reply::Map(entries)))
}

fn entry(command: &'static Command) -> (Reply, Reply) {
    let mut doc: Vec<(Reply, Reply)> = docs::of(command).into_iter().flatten().map(pair).collect();
    if !command.subcommands.is_empty() {
        let subcommands = command.subcommands.iter().copied().map(entry).collect();
        doc.push((Reply::text("subcommands"), Reply::Map(subcommands)));
    }
    (Reply::bulk(command.lower_name()), Reply::Map(doc))
}

fn pair((name, value): (&'static String, &'static Value)) -> (Reply, Reply) {
    let value = match (name.as_str(), value) {
        ("flags" | "doc_flags", Value::Array(flags)) => {
            Reply::Set(flags.iter().filter_map(Value::as_str).map(Reply::status).collect())
        }
        ("history", Value::Array(changes)) => Reply::Set(changes.iter().map(reply).collect()),
        (_, value) => reply(value),
    };
    (Reply::text(name), value)
}

fn reply(value: &'static Value) -> Reply {
    match value {
        Value::String(text) => Reply::text(text),
        Value::Array(items) => Reply::Array(items.iter().map(reply).collect()),
        Value::Object(fields) => Reply::Map(fields.iter().map(pair).collect()),
        Value::Number(number) => number.as_i64().map_or(Reply::Null, Reply::Integer),
        Value::Bool(_) | Value::Null => Reply::Null,
    }
}
