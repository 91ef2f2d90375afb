//! `MEMORY USAGE key [SAMPLES count] | MEMORY DOCTOR | MEMORY MALLOC-STATS | MEMORY PURGE | MEMORY STATS`
use crate::command::help::help;
use crate::command::prelude::*;
use crate::state::system;

pub(super) static MEMORY: Command = Command {
    name: "MEMORY",
    arity: AtLeast(2),
    subcommands: &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
    ..Command::in_group(Group::Server, file!())
};

const FAMILY: Command = Command {
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Command::in_group(Group::Server, file!())
};

static USAGE: Command = Command {
    name: "MEMORY|USAGE",
    arity: AtLeast(3),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, &["RO"])],
    plan: usage,
    ..Command::in_group(Group::Server, file!())
};
static DOCTOR: Command = Command {
    name: "MEMORY|DOCTOR",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::Ready(Reply::Verbatim(Bytes::from_static(NOTHING_TO_SAY.as_bytes())))),
    ..FAMILY
};
static MALLOC_STATS: Command = Command {
    name: "MEMORY|MALLOC-STATS",
    arity: Exactly(2),
    plan: |_, _| {
        Ok(Plan::Ready(Reply::Verbatim(Bytes::from_static(b"Stats not supported for the current allocator"))))
    },
    ..FAMILY
};
static PURGE: Command = Command {
    name: "MEMORY|PURGE",
    arity: Exactly(2),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    plan: |_, _| Ok(Plan::Ready(Reply::Ok)),
    ..FAMILY
};
static STATS: Command = Command { name: "MEMORY|STATS", arity: Exactly(2), plan: stats, ..FAMILY };
static HELP: Command = Command {
    name: "MEMORY|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    tips: &[],
    plan: |_, _| Ok(Plan::Ready(help("MEMORY", HELP_LINES))),
    ..FAMILY
};

const NOTHING_TO_SAY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n";

/// What a key row costs in Postgres beside the bytes of key and value: the row's header and columns, its line pointer, its index entry.
const ROW: usize = 24 + 24 + 4 + 24;

/// An estimate of the space a key takes in Postgres; `SAMPLES` has nothing to say about that.
fn usage(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let length = key.len();
    while !args.is_empty() {
        if args.left() < 2 || !args.take("SAMPLES") {
            return Err(CommandError::SYNTAX);
        }
        if args.integer()? < 0 {
            return Err(CommandError::SYNTAX);
        }
    }
    let plan = Plan::inspect(context, [key], move |view| {
        let value = view.entry(0).map(Entry::string_length);
        Ok(value.map_or(Reply::Null, |value| Reply::Integer((ROW + 2 * length + value) as i64)))
    });
    Ok(plan.quietly())
}

fn stats(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let memory = system::memory();
        let clients = context.process().clients.len() as i64;
        let number = |name, value: i64| (Reply::text(name), Reply::Integer(value));
        Ok(Reply::Map(vec![
            number("peak.allocated", memory.peak as i64),
            number("total.allocated", memory.resident as i64),
            number("startup.allocated", 0),
            number("clients.count", clients),
            number("overhead.total", memory.resident as i64),
            number("keys.count", 0),
            number("keys.bytes-per-key", 0),
            number("dataset.bytes", 0),
            (Reply::text("dataset.percentage"), Reply::Double(0.0)),
            (Reply::text("peak.percentage"), Reply::Double(percentage(memory))),
        ]))
    }))
}

fn percentage(memory: system::Memory) -> f64 {
    match memory.peak {
        0 => 0.0,
        peak => memory.resident as f64 * 100.0 / peak as f64,
    }
}

const HELP_LINES: &[&str] = &[
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
];

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, int, keys, run};
    use crate::resp::Reply;

    #[test]
    fn usage() {
        let state = || keys(&[("k", "value")]);
        assert_eq!(run(&["MEMORY", "USAGE", "absent"], state()).0, Reply::Null);
        assert_eq!(run(&["memory", "usage", "k", "SAMPLES", "5", "SAMPLES", "0"], state()).0, int(83));
        for (words, text) in [
            (&["k", "SAMPLES"][..], "ERR syntax error"),
            (&["k", "SAMPLES", "-1"], "ERR syntax error"),
            (&["k", "SAMPLES", "a"], "ERR value is not an integer or out of range"),
            (&["k", "FOO", "1"], "ERR syntax error"),
        ] {
            assert_eq!(run(&[&["MEMORY", "USAGE"], words].concat(), state()).0, error(text));
        }
    }
}
