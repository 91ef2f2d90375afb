//! RESPG.SHADOW: how the side that follows is doing.

use crate::command::help::help;
use crate::command::prelude::*;
use crate::state::{ShadowDifference, ShadowReport};

pub(super) static SHADOW: Command = Command {
    name: "RESPG.SHADOW",
    arity: AtLeast(2),
    flags: Flags::MODULE.and(Flags::ADMIN),
    subcommands: &[&DIFFS, &HELP, &REPORT, &STATUS],
    ..Command::in_group(Group::Server, file!())
};

/// `RESPG.SHADOW STATUS`
static STATUS: Command = Command {
    name: "RESPG.SHADOW|STATUS",
    plan: |args, _| {
        args.end()?;
        Ok(told(|shadow| pairs(shadow.status())))
    },
    ..SUBCOMMAND
};

/// `RESPG.SHADOW REPORT`
static REPORT: Command = Command {
    name: "RESPG.SHADOW|REPORT",
    plan: |args, _| {
        args.end()?;
        Ok(told(report))
    },
    ..SUBCOMMAND
};

/// `RESPG.SHADOW DIFFS [COUNT count | RESET]`
static DIFFS: Command = Command { name: "RESPG.SHADOW|DIFFS", arity: AtLeast(2), plan: diffs, ..SUBCOMMAND };

static HELP: Command = Command {
    name: "RESPG.SHADOW|HELP",
    flags: Flags::MODULE.and(Flags::LOADING).and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("RESPG.SHADOW", HELP_LINES))),
    ..SUBCOMMAND
};

const SUBCOMMAND: Command = Command {
    arity: Exactly(2),
    flags: Flags::MODULE.and(Flags::ADMIN).and(Flags::LOADING).and(Flags::STALE),
    tips: &["nondeterministic_output"],
    ..Command::in_group(Group::Server, file!())
};

const HELP_LINES: &[&str] = &[
    "DIFFS [COUNT <count> | RESET]",
    "    Return the differences that were found, by class, command and key pattern, the most frequent first. RESET forgets them.",
    "REPORT",
    "    Return the status, what clients use that respg does not have, and the most frequent differences.",
    "STATUS",
    "    Return counters: what was queued, followed, spilled, given up and repaired, and how far behind the follower is.",
];

const OFF: CommandError = CommandError::constant("ERR this process does not follow anything, see --mode");
/// Groups of differences in a report.
const REPORTED: usize = 10;

fn told(tell: impl FnOnce(&dyn ShadowReport) -> Reply + Send + Sync + 'static) -> Plan {
    Plan::session(move |context| match context.process().shadow.get() {
        Some(shadow) => Ok(tell(shadow.as_ref())),
        None => Err(OFF),
    })
}

fn diffs(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.take("RESET") {
        args.end()?;
        return Ok(told(|shadow| {
            shadow.forget_differences();
            Reply::Ok
        }));
    }
    let mut most = usize::MAX;
    if args.take("COUNT") {
        most = usize::try_from(args.integer()?).map_err(|_| CommandError::MUST_BE_POSITIVE)?;
    }
    args.end()?;
    Ok(told(move |shadow| differences(shadow, most)))
}

fn report(shadow: &dyn ShadowReport) -> Reply {
    let counts = |counts: Vec<(String, u64)>| {
        let pair = |(name, count): (String, u64)| (Reply::bulk(name), Reply::Integer(count.cast_signed()));
        Reply::Map(counts.into_iter().map(pair).collect())
    };
    Reply::Map(vec![
        (Reply::text("status"), pairs(shadow.status())),
        (Reply::text("foreign-commands"), counts(shadow.foreign_commands())),
        (Reply::text("unsupported-types"), counts(shadow.unsupported_types())),
        (Reply::text("differences"), differences(shadow, REPORTED)),
    ])
}

fn pairs(status: Vec<(&'static str, i64)>) -> Reply {
    Reply::Map(status.into_iter().map(|(name, value)| (Reply::text(name), Reply::Integer(value))).collect())
}

fn differences(shadow: &dyn ShadowReport, most: usize) -> Reply {
    Reply::Array(shadow.differences().into_iter().take(most).map(difference).collect())
}

fn difference(found: ShadowDifference) -> Reply {
    Reply::Map(vec![
        (Reply::text("class"), Reply::bulk(found.class)),
        (Reply::text("command"), Reply::bulk(found.command)),
        (Reply::text("pattern"), Reply::bulk(found.pattern)),
        (Reply::text("count"), Reply::Integer(found.count.cast_signed())),
        (Reply::text("first-seen"), Reply::Integer(found.first_seen)),
        (Reply::text("last-seen"), Reply::Integer(found.last_seen)),
        (Reply::text("samples"), Reply::bulks(found.samples)),
    ])
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, plan};
    use crate::resp::Reply;

    #[test]
    fn mistakes() {
        for (call, text) in [
            ("DIFFS COUNT", "ERR syntax error"),
            ("DIFFS COUNT x", "ERR value is not an integer or out of range"),
            ("DIFFS COUNT -1", "ERR value is out of range, must be positive"),
            ("DIFFS RESET 1", "ERR syntax error"),
            ("STATUS now", "ERR wrong number of arguments for 'respg.shadow|status' command"),
        ] {
            let words: Vec<&str> = std::iter::once("RESPG.SHADOW").chain(call.split(' ')).collect();
            assert_eq!(plan(&words).err().map(Reply::from), Some(error(text)), "{call}");
        }
    }
}
