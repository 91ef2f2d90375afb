//! What only a cluster has: refused, in the words of a standalone Redis.

use super::Command;
use super::prelude::*;

pub static COMMANDS: &[&Command] = &[&CLUSTER, &ASKING, &READONLY, &READWRITE];

static ASKING: Command = Command { name: "ASKING", arity: Exactly(1), flags: Flags::FAST, ..MODE };
static READONLY: Command = Command { name: "READONLY", arity: Exactly(1), flags: MODE_FLAGS, ..MODE };
static READWRITE: Command = Command { name: "READWRITE", arity: Exactly(1), flags: MODE_FLAGS, ..MODE };

const MODE_FLAGS: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);
const MODE: Command = Command { acl: &["@connection"], ..FAMILY };

const FAMILY: Command = Command { plan: refused, ..Command::in_group(Group::Cluster, file!()) };

fn refused(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Err(CommandError::text("ERR This instance has cluster support disabled"))
}

const READS: Flags = Flags::STALE;
const CHANGES: Flags = Flags::ADMIN.and(Flags::STALE).and(Flags::NO_ASYNC_LOADING);
const ADMIN: Flags = Flags::ADMIN.and(Flags::STALE);
const VARIES: &[&str] = &["nondeterministic_output"];

const fn sub(
    name: &'static str,
    arity: super::Arity,
    flags: Flags,
    tips: &'static [&'static str],
) -> Command {
    Command { name, arity, flags, tips, ..FAMILY }
}

static CLUSTER: Command = Command {
    name: "CLUSTER",
    arity: AtLeast(2),
    subcommands: &[
        &const { sub("CLUSTER|ADDSLOTS", AtLeast(3), CHANGES, &[]) },
        &const { sub("CLUSTER|ADDSLOTSRANGE", AtLeast(4), CHANGES, &[]) },
        &const { sub("CLUSTER|BUMPEPOCH", Exactly(2), CHANGES, VARIES) },
        &const { sub("CLUSTER|COUNT-FAILURE-REPORTS", Exactly(3), ADMIN, VARIES) },
        &const { sub("CLUSTER|COUNTKEYSINSLOT", Exactly(3), READS, &[]) },
        &const { sub("CLUSTER|DELSLOTS", AtLeast(3), CHANGES, &[]) },
        &const { sub("CLUSTER|DELSLOTSRANGE", AtLeast(4), CHANGES, &[]) },
        &const { sub("CLUSTER|FAILOVER", AtLeast(2), CHANGES, &[]) },
        &const { sub("CLUSTER|FLUSHSLOTS", Exactly(2), CHANGES, &[]) },
        &const { sub("CLUSTER|FORGET", Exactly(3), CHANGES, &[]) },
        &const { sub("CLUSTER|GETKEYSINSLOT", Exactly(4), READS, VARIES) },
        &const { sub("CLUSTER|HELP", Exactly(2), Flags::LOADING.and(Flags::STALE), &[]) },
        &const { sub("CLUSTER|INFO", Exactly(2), READS, VARIES) },
        &const { sub("CLUSTER|KEYSLOT", Exactly(3), READS, &[]) },
        &const { sub("CLUSTER|LINKS", Exactly(2), READS, VARIES) },
        &const { sub("CLUSTER|MEET", AtLeast(4), CHANGES, &[]) },
        &const { sub("CLUSTER|MYID", Exactly(2), READS, &[]) },
        &const { sub("CLUSTER|MYSHARDID", Exactly(2), Flags::LOADING.and(Flags::STALE), VARIES) },
        &const { sub("CLUSTER|NODES", Exactly(2), READS, VARIES) },
        &const { sub("CLUSTER|REPLICAS", Exactly(3), ADMIN, VARIES) },
        &const { sub("CLUSTER|REPLICATE", Exactly(3), CHANGES, &[]) },
        &const { sub("CLUSTER|RESET", AtLeast(2), ADMIN.and(Flags::NOSCRIPT), &[]) },
        &const { sub("CLUSTER|SAVECONFIG", Exactly(2), CHANGES, &[]) },
        &const { sub("CLUSTER|SET-CONFIG-EPOCH", Exactly(3), CHANGES, &[]) },
        &const { sub("CLUSTER|SETSLOT", AtLeast(4), CHANGES, &[]) },
        &const { sub("CLUSTER|SHARDS", Exactly(2), READS, VARIES) },
        &const { sub("CLUSTER|SLAVES", Exactly(3), ADMIN, VARIES) },
        &const { sub("CLUSTER|SLOTS", Exactly(2), READS, VARIES) },
    ],
    ..Command::in_group(Group::Cluster, file!())
};
