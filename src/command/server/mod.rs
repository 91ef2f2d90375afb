//! The server as a whole: its databases, its settings, its state.

use super::Command;

mod command;
mod config;
mod dbsize;
mod flush;
mod info;
mod latency;
mod memory;
mod monitor;
mod refused;
mod save;
mod shutdown;
mod slowlog;
mod swapdb;
mod time;

pub static COMMANDS: &[&Command] = &[
    &command::COMMAND,
    &config::CONFIG,
    &dbsize::DBSIZE,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &info::INFO,
    &latency::LATENCY,
    &memory::MEMORY,
    &monitor::MONITOR,
    &refused::ACL,
    &refused::DEBUG,
    &refused::FAILOVER,
    &refused::MODULE,
    &refused::PSYNC,
    &refused::REPLCONF,
    &refused::REPLICAOF,
    &refused::SLAVEOF,
    &refused::SYNC,
    &save::BGREWRITEAOF,
    &save::BGSAVE,
    &save::SAVE,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &swapdb::SWAPDB,
    &time::LASTSAVE,
    &time::LOLWUT,
    &time::ROLE,
    &time::TIME,
];
