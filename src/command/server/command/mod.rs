//! COMMAND: what commands there are, derived from the table of commands.

use crate::command::help::help;
use crate::command::prelude::*;
use crate::command::{all, lookup, lookup_subcommand};

mod docs;
mod getkeys;
mod info;
mod list;

pub(super) static COMMAND: Command = Command {
    name: "COMMAND",
    arity: AtLeast(1),
    acl: &["@connection"],
    flags: FAMILY.flags,
    tips: ORDER_VARIES,
    plan: |_, _| Ok(Plan::Ready(Reply::Array(all().map(info::describe).collect()))),
    subcommands: &[
        &COUNT,
        &docs::DOCS,
        &getkeys::GETKEYS,
        &getkeys::GETKEYSANDFLAGS,
        &HELP,
        &info::INFO,
        &list::LIST,
    ],
    ..Command::in_group(Group::Server, file!())
};

const FAMILY: Command = Command {
    flags: Flags::LOADING.and(Flags::STALE),
    acl: &["@connection"],
    ..Command::in_group(Group::Server, file!())
};

const ORDER_VARIES: &[&str] = &["nondeterministic_output_order"];

static COUNT: Command = Command {
    name: "COMMAND|COUNT",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::Ready(Reply::Integer(all().count() as i64))),
    ..FAMILY
};

static HELP: Command = Command {
    name: "COMMAND|HELP",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::Ready(help("COMMAND", HELP_LINES))),
    ..FAMILY
};

/// A command by its full name, sub-commands as `client|id`.
fn by_full_name(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|byte| *byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup_subcommand(lookup(&name[..bar])?, &name[bar + 1..]),
    }
}

const HELP_LINES: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];
