//! What a respg process does not do: DEBUG, MODULE, replication (REPLICAOF SLAVEOF FAILOVER PSYNC SYNC REPLCONF), users other than
//! `default` (ACL). Refused as Redis refuses them, or clearly.
use crate::command::help::help;
use crate::command::prelude::*;

const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT);
const FAMILY: Command = Command::in_group(Group::Server, file!());

pub(super) static DEBUG: Command = Command {
    name: "DEBUG",
    arity: AtLeast(2),
    flags: ADMIN.and(Flags::LOADING).and(Flags::STALE),
    plan: |_, _| Err(not_allowed("DEBUG", "enable-debug-command")),
    ..FAMILY
};

fn not_allowed(command: &str, option: &str) -> CommandError {
    CommandError::text(format!(
        "ERR {command} command not allowed. If the {option} option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
    ))
}

pub(super) static MODULE: Command = Command {
    name: "MODULE",
    arity: AtLeast(2),
    subcommands: &[&MODULE_LIST, &MODULE_LOAD, &MODULE_UNLOAD],
    ..FAMILY
};
static MODULE_LIST: Command = Command {
    name: "MODULE|LIST",
    arity: Exactly(2),
    flags: ADMIN,
    tips: &["nondeterministic_output_order"],
    plan: |_, _| Ok(Plan::Ready(Reply::Array(Vec::new()))),
    ..FAMILY
};
static MODULE_LOAD: Command = Command { name: "MODULE|LOAD", arity: AtLeast(3), ..MODULE_CHANGE };
static MODULE_UNLOAD: Command = Command { name: "MODULE|UNLOAD", arity: Exactly(3), ..MODULE_CHANGE };
const MODULE_CHANGE: Command = Command {
    flags: ADMIN.and(Flags::NO_ASYNC_LOADING),
    plan: |_, _| Err(not_allowed("MODULE", "enable-module-command")),
    ..FAMILY
};

pub(super) static REPLICAOF: Command = Command { name: "REPLICAOF", ..REPLICATION };
pub(super) static SLAVEOF: Command = Command { name: "SLAVEOF", ..REPLICATION };
const REPLICATION: Command = Command {
    arity: Exactly(3),
    flags: ADMIN.and(Flags::STALE).and(Flags::NO_ASYNC_LOADING),
    plan: replica_of,
    ..FAMILY
};

fn replica_of(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    match args.take("NO") && args.take("ONE") {
        true => Ok(Plan::Ready(Reply::Ok)),
        false => Err(CommandError::text("ERR respg cannot be a replica: replicate the PostgreSQL database")),
    }
}

pub(super) static FAILOVER: Command = Command {
    name: "FAILOVER",
    arity: AtLeast(1),
    flags: ADMIN.and(Flags::STALE),
    plan: |_, _| Err(CommandError::text("ERR FAILOVER requires connected replicas.")),
    ..FAMILY
};
pub(super) static PSYNC: Command =
    Command { name: "PSYNC", arity: AtLeast(3), flags: STREAM, plan: no_stream, ..REPLICA };
pub(super) static SYNC: Command =
    Command { name: "SYNC", arity: Exactly(1), flags: STREAM, plan: no_stream, ..REPLICA };
pub(super) static REPLCONF: Command = Command {
    name: "REPLCONF",
    arity: AtLeast(1),
    flags: ADMIN.and(Flags::LOADING).and(Flags::STALE).and(Flags::ALLOW_BUSY),
    plan: no_stream,
    ..REPLICA
};
const REPLICA: Command = Command { passing: Passing::TakesOver, ..FAMILY };
const STREAM: Flags = ADMIN.and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI);

fn no_stream(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Err(CommandError::text("ERR respg has no replicas: replicate the PostgreSQL database"))
}

pub(super) static ACL: Command =
    Command { name: "ACL", arity: AtLeast(2), subcommands: &[&ACL_HELP, &ACL_USERS, &ACL_WHOAMI], ..FAMILY };
static ACL_WHOAMI: Command = Command {
    name: "ACL|WHOAMI",
    arity: Exactly(2),
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(Reply::text("default"))),
    ..FAMILY
};
static ACL_USERS: Command = Command {
    name: "ACL|USERS",
    arity: Exactly(2),
    flags: ADMIN.and(Flags::LOADING).and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(Reply::bulks(["default"]))),
    ..FAMILY
};
static ACL_HELP: Command = Command {
    name: "ACL|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("ACL", ACL_HELP_LINES))),
    ..FAMILY
};

const ACL_HELP_LINES: &[&str] = &[
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
];
