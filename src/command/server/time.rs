//! `TIME | LASTSAVE | ROLE | LOLWUT [VERSION version]`
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::prelude::*;
use crate::store::statements::server;
use crate::store::{Call, Row};

pub(super) static TIME: Command = Command {
    name: "TIME",
    arity: Exactly(1),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    tips: &["nondeterministic_output"],
    plan: time,
    ..Command::in_group(Group::Server, file!())
};

pub(super) static LASTSAVE: Command = Command {
    name: "LASTSAVE",
    arity: Exactly(1),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    acl: &["@admin", "@dangerous"],
    tips: &["nondeterministic_output"],
    plan: last_save,
    ..Command::in_group(Group::Server, file!())
};

pub(super) static ROLE: Command = Command {
    name: "ROLE",
    arity: Exactly(1),
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
    acl: &["@admin", "@dangerous"],
    plan: |_, _| {
        Ok(Plan::Ready(Reply::Array(vec![Reply::text("master"), Reply::ZERO, Reply::Array(Vec::new())])))
    },
    ..Command::in_group(Group::Server, file!())
};

pub(super) static LOLWUT: Command = Command {
    name: "LOLWUT",
    arity: AtLeast(1),
    flags: Flags::READONLY.and(Flags::FAST),
    plan: lolwut,
    ..Command::in_group(Group::Server, file!())
};

/// The database's clock, as everywhere.
fn time(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Call(Call::read(&server::TIME, Vec::new(), |rows: &[Row]| {
        let micros: i64 = rows[0].get(0);
        Reply::bulks([micros / 1_000_000, micros % 1_000_000].map(|part| part.to_string()))
    })))
}

/// What is acknowledged is saved: the last time is now.
fn last_save(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Reply::Integer(since.as_secs() as i64))
    }))
}

/// Without the drawings.
fn lolwut(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() > 1 && args.take("VERSION") {
        args.integer()?;
    }
    Ok(Plan::session(|context| {
        let version = &context.process().settings.config.redis_version;
        Ok(Reply::Verbatim(format!("Redis ver. {version}\n").into()))
    }))
}
