//! RESPG.MODE: who answers for the data while a Redis is moved.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::command::help::help;
use crate::command::prelude::*;
use crate::exec::Context;
use crate::state::{Change, Mode, Process, Rule, SHADOW_READS, Side, SwitchError};
use crate::store::statements::server::CHANGE_SETTING;
use crate::store::{Call, Param};

const FAMILY: Command = Command {
    flags: Flags::MODULE.and(Flags::ADMIN).and(Flags::NOSCRIPT).and(Flags::NO_MULTI),
    passing: Passing::OWN,
    ..Command::in_group(Group::Server, file!())
};

pub(super) static MODE: Command = Command {
    name: "RESPG.MODE",
    arity: AtLeast(2),
    subcommands: &[&GET, &HELP, &KEYS, &READS, &SET],
    ..FAMILY
};

/// `RESPG.MODE GET`
static GET: Command = Command {
    name: "RESPG.MODE|GET",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::session(|context| Ok(Reply::text(context.process().routing.mode().name())))),
    ..FAMILY
};

/// `RESPG.MODE KEYS`
static KEYS: Command = Command {
    name: "RESPG.MODE|KEYS",
    arity: Exactly(2),
    plan: |_, _| {
        Ok(Plan::session(|context| {
            let rule = context.process().routing.rule();
            Ok(Reply::bulks(rule.moved.iter().map(<[u8]>::to_vec)))
        }))
    },
    ..FAMILY
};

/// `RESPG.MODE READS [percentage]`
static READS: Command = Command { name: "RESPG.MODE|READS", arity: AtLeast(2), plan: reads, ..FAMILY };

/// `RESPG.MODE SET <postgres | redis | shadow | reverse> [KEYS pattern [pattern ...]] [FORCE]`
static SET: Command = Command { name: "RESPG.MODE|SET", arity: AtLeast(3), plan: set, ..FAMILY };

static HELP: Command = Command {
    name: "RESPG.MODE|HELP",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::Ready(help("RESPG.MODE", HELP_LINES))),
    ..FAMILY
};

const HELP_LINES: &[&str] = &[
    "GET",
    "    Return who answers for the data.",
    "KEYS",
    "    Return the patterns of the keys for which Postgres answers although the mode is shadow.",
    "READS [<percentage>]",
    "    Of how many keys in a hundred (by hash slot) Postgres answers reads in mode shadow already, in all processes: whatever has been followed.",
    "SET <postgres | redis | shadow | reverse> [FORCE]",
    "    Change it for all keys, in all processes; return when all go by it. FORCE: also if the side that is to answer is behind, or has keys that would be lost.",
    "SET <reverse | shadow> KEYS <pattern> [<pattern> ...] [FORCE]",
    "    In mode shadow: let Postgres answer for keys like these, and the upstream follow; or the other way round again.",
];

fn set(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let mode = Mode::from_name(args.word()?);
    let mode = mode.ok_or(CommandError::text("ERR the mode is postgres, redis, shadow or reverse"))?;
    if !args.take("KEYS") {
        let force = args.take("FORCE");
        args.end()?;
        return Ok(Plan::Steps(Box::new(Set { change: Change::Everything(mode), force })));
    }
    let mut patterns = args.rest().to_vec();
    let force = patterns.pop_if(|last| last.eq_ignore_ascii_case(b"FORCE")).is_some();
    let change = match mode {
        _ if patterns.is_empty() => return Err(CommandError::SYNTAX),
        Mode::Reverse => Change::Move(patterns),
        Mode::Shadow => Change::GiveBack(patterns),
        Mode::Postgres | Mode::Redis => {
            return Err(CommandError::text("ERR keys are moved by pattern to reverse, and back to shadow"));
        }
    };
    Ok(Plan::Steps(Box::new(Set { change, force })))
}

fn reads(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() == 0 {
        return Ok(Plan::session(|context| {
            let upstream = context.process().upstream.as_ref();
            Ok(Reply::Integer(upstream.map_or(0, |upstream| upstream.reads.load(Relaxed).into())))
        }));
    }
    let share = u8::try_from(args.integer()?).ok().filter(|share| *share <= 100);
    args.end()?;
    let share = share.ok_or(CommandError::text("ERR the percentage is between 0 and 100"))?;
    let text = Bytes::from(share.to_string());
    let params = vec![Param::Bytes(Bytes::from_static(SHADOW_READS.as_bytes())), Param::Bytes(text)];
    // All processes, this one too, hear of it.
    Ok(Plan::Call(Call::write(&CHANGE_SETTING, params, |_| Reply::Ok)))
}

struct Set {
    change: Change,
    force: bool,
}

impl Steps for Set {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process().clone();
            if !self.force
                && let Err(why) = may_move(&process, &self.change).await
            {
                return Err(CommandError::text(format!("ERR {why}; nothing was changed")));
            }
            match process.change_rule(&self.change, self.force).await {
                Ok(()) => Ok(Reply::Ok),
                // It has a code of its own.
                Err(SwitchError::Store(error)) => Err(error.into()),
                Err(error) => Err(CommandError::text(format!("ERR {error}"))),
            }
        })
    }
}

/// Whether Postgres has what keys like these hold; what else is wrong with the change is not said here.
async fn may_move(process: &Process, change: &Change) -> Result<(), String> {
    let rule = process.routing.rule();
    let (Change::Move(_), Some(shadow)) = (change, process.shadow.get()) else { return Ok(()) };
    match (rule.after(change), Rule::of(Mode::Shadow).after(change)) {
        (Ok(to), Ok(alone)) if rule.hands_over(&to, Side::Postgres) => shadow.may_move(&alone.moved).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, plan};
    use crate::resp::Reply;

    #[test]
    fn mistakes() {
        for (call, text) in [
            ("SET nosuch", "ERR the mode is postgres, redis, shadow or reverse"),
            ("SET shadow KEYS", "ERR syntax error"),
            ("SET shadow KEYS FORCE", "ERR syntax error"),
            ("SET shadow FORCE KEYS a", "ERR syntax error"),
            ("SET redis KEYS a", "ERR keys are moved by pattern to reverse, and back to shadow"),
            ("READS 101", "ERR the percentage is between 0 and 100"),
            ("KEYS a", "ERR wrong number of arguments for 'respg.mode|keys' command"),
        ] {
            let words: Vec<&str> = std::iter::once("RESPG.MODE").chain(call.split(' ')).collect();
            assert_eq!(plan(&words).err().map(Reply::from), Some(error(text)), "{call}");
        }
    }
}
