//! RESPG.MODE: who answers for the data while a Redis is moved.

use futures_util::future::BoxFuture;

use crate::command::help::help;
use crate::command::prelude::*;
use crate::exec::Context;
use crate::state::Mode;

const FAMILY: Command = Command {
    flags: Flags::MODULE.and(Flags::ADMIN).and(Flags::NOSCRIPT).and(Flags::NO_MULTI),
    passing: Passing::OWN,
    ..Command::in_group(Group::Server, file!())
};

pub(super) static MODE: Command =
    Command { name: "RESPG.MODE", arity: AtLeast(2), subcommands: &[&GET, &HELP, &SET], ..FAMILY };

/// `RESPG.MODE GET`
static GET: Command = Command {
    name: "RESPG.MODE|GET",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::session(|context| Ok(Reply::text(context.process().routing.mode().name())))),
    ..FAMILY
};

/// `RESPG.MODE SET <postgres | redis | shadow | reverse> [FORCE]`
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
    "SET <postgres | redis | shadow | reverse> [FORCE]",
    "    Change it in all processes; return when all go by it. FORCE: also if the side that is to answer is behind, or has keys that would be lost.",
];

fn set(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let mode = Mode::from_name(args.word()?);
    let mode = mode.ok_or(CommandError::text("ERR the mode is postgres, redis, shadow or reverse"))?;
    let force = args.take("FORCE");
    args.end()?;
    Ok(Plan::Steps(Box::new(Set { mode, force })))
}

struct Set {
    mode: Mode,
    force: bool,
}

impl Steps for Set {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process().clone();
            match process.switch_mode(self.mode, self.force).await {
                Ok(()) => Ok(Reply::Ok),
                Err(error) => Err(CommandError::text(format!("ERR {error}"))),
            }
        })
    }
}
