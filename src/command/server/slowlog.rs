//! `SLOWLOG GET [count] | SLOWLOG LEN | SLOWLOG RESET`
use std::time::UNIX_EPOCH;

use crate::command::help::help;
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::state::SlowCall;

pub(super) static SLOWLOG: Command = Command {
    name: "SLOWLOG",
    arity: AtLeast(2),
    subcommands: &[&GET, &HELP, &LEN, &RESET],
    ..Command::in_group(Group::Server, file!())
};

const FAMILY: Command = Command {
    flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
    ..Command::in_group(Group::Server, file!())
};

static GET: Command = Command {
    name: "SLOWLOG|GET",
    arity: AtLeast(2),
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    plan: get,
    ..FAMILY
};
static LEN: Command = Command {
    name: "SLOWLOG|LEN",
    arity: Exactly(2),
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    plan: |_, _| Ok(Plan::session(|context| Ok(Reply::Integer(context.process().slowlog.len() as i64)))),
    ..FAMILY
};
static RESET: Command = Command {
    name: "SLOWLOG|RESET",
    arity: Exactly(2),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    plan: |_, _| {
        Ok(Plan::session(|context| {
            context.process().slowlog.clear();
            Ok(Reply::Ok)
        }))
    },
    ..FAMILY
};
static HELP: Command = Command {
    name: "SLOWLOG|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("SLOWLOG", HELP_LINES))),
    ..FAMILY
};

fn get(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let count = match args.rest() {
        [] => 10,
        [count] => match parse_i64(count) {
            Some(-1) => usize::MAX,
            Some(count) if count >= 0 => count as usize,
            _ => return Err(CommandError::text("ERR count should be greater than or equal to -1")),
        },
        _ => {
            let text = "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.";
            return Err(CommandError::text(text));
        }
    };
    Ok(Plan::session(move |context| {
        Ok(Reply::Array(context.process().slowlog.newest(count).into_iter().map(entry).collect()))
    }))
}

fn entry((id, call): (i64, SlowCall)) -> Reply {
    let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Reply::Array(vec![
        Reply::Integer(id),
        Reply::Integer(at.as_secs() as i64),
        Reply::Integer(call.took.as_micros() as i64),
        Reply::bulks(call.argv),
        Reply::bulk(call.addr),
        Reply::Bulk(call.name),
    ])
}

const HELP_LINES: &[&str] = &[
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
];
