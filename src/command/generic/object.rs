//! `OBJECT ENCODING key | OBJECT FREQ key | OBJECT IDLETIME key | OBJECT REFCOUNT key | OBJECT HELP`
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;

pub(super) static OBJECT: Command = Command {
    name: "OBJECT",
    arity: AtLeast(2),
    subcommands: &[&REFCOUNT, &FREQ, &HELP, &ENCODING, &IDLETIME],
    ..Command::in_group(Group::Generic, file!())
};
static ENCODING: Command = Command { name: "OBJECT|ENCODING", plan: encoding, ..OF_A_KEY };
static FREQ: Command = Command { name: "OBJECT|FREQ", plan: freq, ..OF_A_KEY };
static IDLETIME: Command = Command { name: "OBJECT|IDLETIME", plan: idletime, ..OF_A_KEY };
static REFCOUNT: Command = Command { name: "OBJECT|REFCOUNT", plan: refcount, ..OF_A_KEY };
static HELP: Command = Command {
    name: "OBJECT|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: help,
    ..Command::in_group(Group::Generic, file!())
};

const OF_A_KEY: Command = Command {
    arity: Exactly(3),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, &["RO"])],
    tips: &["nondeterministic_output"],
    ..Command::in_group(Group::Generic, file!())
};

/// Longest string that Redis keeps in one piece with its header.
const LONGEST_EMBEDDED: usize = 44;
/// Redis shares its objects for the integers below this, and never counts references to them.
const SHARED_INTEGERS: i64 = 10_000;

fn encoding(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let plan = Plan::read(context, [args.bytes()?], |view| {
        Ok(match view.entry(0).map(|entry| &entry.value) {
            None => Reply::Null,
            Some(Value::Inline(bytes)) => Reply::text(match parse_i64(bytes) {
                Some(_) => "int",
                None if bytes.len() <= LONGEST_EMBEDDED => "embstr",
                None => "raw",
            }),
            Some(Value::Unfetched(_)) => Reply::text("raw"),
            // The only objects so far are streams.
            Some(Value::Object(_)) => Reply::text("stream"),
        })
    });
    Ok(plan.quietly())
}

fn refcount(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let plan = Plan::read(context, [args.bytes()?], |view| {
        Ok(match view.entry(0).map(|entry| &entry.value) {
            None => Reply::Null,
            Some(Value::Inline(bytes)) => match parse_i64(bytes) {
                Some(0..SHARED_INTEGERS) => Reply::Integer(i64::from(i32::MAX)),
                _ => Reply::ONE,
            },
            Some(Value::Unfetched(_) | Value::Object(_)) => Reply::ONE,
        })
    });
    Ok(plan.quietly())
}

/// Redis's answer under every policy but LFU, the default among them.
fn freq(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    not_tracked(
        args,
        context,
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    )
}

/// Reads do not write here, so nobody knows: better an error than an invented number.
fn idletime(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    not_tracked(args, context, "ERR respg does not keep access times, idle time not tracked")
}

fn not_tracked(args: &mut Args, context: &PlanContext, error: &'static str) -> Result<Plan, CommandError> {
    let plan = Plan::inspect(context, [args.bytes()?], move |view| match view.exists(0) {
        true => Err(CommandError::text(error)),
        false => Ok(Reply::Null),
    });
    Ok(plan.quietly())
}

fn help(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let lines = [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    ];
    Ok(Plan::Ready(Reply::Array(lines.into_iter().map(Reply::status).collect())))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{int, keys, run};
    use crate::resp::Reply;

    #[test]
    fn encodings() {
        for (value, expected) in [
            ("12", "int"),
            ("-05", "embstr"),
            ("9223372036854775808", "embstr"),
            ("12345678901234567890123456789012345678901234", "embstr"),
            ("123456789012345678901234567890123456789012345", "raw"),
        ] {
            assert_eq!(run(&["OBJECT", "ENCODING", "a"], keys(&[("a", value)])).0, Reply::text(expected));
        }
    }

    #[test]
    fn what_is_not_known() {
        let one = || keys(&[("a", "10000")]);
        assert!(run(&["OBJECT", "IDLETIME", "a"], one()).0.is_error());
        assert!(run(&["OBJECT", "FREQ", "a"], one()).0.is_error());
        assert_eq!(run(&["OBJECT", "FREQ", "none"], one()).0, Reply::Null);
        assert_eq!(run(&["OBJECT", "REFCOUNT", "a"], one()).0, int(1));
    }
}
