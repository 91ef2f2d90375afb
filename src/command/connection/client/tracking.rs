//! `CLIENT TRACKING (ON | OFF) ... | CLIENT CACHING (YES | NO) | CLIENT GETREDIR | CLIENT TRACKINGINFO`
//!
//! Client-side caching is not supported: it can be switched off, not on.
use super::FAMILY;
use crate::command::Request;
use crate::command::prelude::*;

pub(super) static TRACKING: Command =
    Command { name: "CLIENT|TRACKING", arity: AtLeast(3), plan: tracking, ..STATE };
pub(super) static CACHING: Command =
    Command { name: "CLIENT|CACHING", arity: Exactly(3), plan: caching, ..STATE };
pub(super) static GETREDIR: Command = Command {
    name: "CLIENT|GETREDIR",
    arity: Exactly(2),
    plan: |_, _| Ok(Plan::Ready(Reply::Integer(-1))),
    ..STATE
};
pub(super) static TRACKINGINFO: Command =
    Command { name: "CLIENT|TRACKINGINFO", arity: Exactly(2), plan: tracking_info, ..STATE };
const STATE: Command = Command { passing: Passing::TakesOver, ..FAMILY };

fn tracking(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.take("OFF") {
        args.end()?;
        return Ok(Plan::Ready(Reply::Ok));
    }
    match args.take("ON") {
        true => Err(CommandError::text("ERR Client tracking is not supported by respg")),
        false => Err(CommandError::SYNTAX),
    }
}

/// Whether the server is to remember what the client reads (TRACKING ON without BCAST).
pub fn tracks(request: &Request) -> bool {
    let is = |word: &bytes::Bytes, name: &[u8]| word.eq_ignore_ascii_case(name);
    std::ptr::eq(request.command, &TRACKING)
        && is(&request.argv[2], b"ON")
        && !request.argv.iter().any(|word| is(word, b"BCAST"))
}

fn caching(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let text = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    Err(CommandError::text(text))
}

fn tracking_info(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Ready(Reply::Map(vec![
        (Reply::text("flags"), Reply::Set(vec![Reply::text("off")])),
        (Reply::text("redirect"), Reply::Integer(-1)),
        (Reply::text("prefixes"), Reply::Array(Vec::new())),
    ])))
}
