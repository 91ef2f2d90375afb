//! What is done to keys whatever they hold: presence, expiry, names, iteration.

use super::Command;

mod copy;
mod del;
mod dump;
mod exists;
mod expire;
mod keys;
mod move_;
mod object;
mod persist;
mod randomkey;
mod rename;
mod restore;
mod scan;
mod ttl;
mod type_;
mod wait;

pub static COMMANDS: &[&Command] = &[
    &copy::COPY,
    &del::DEL,
    &del::UNLINK,
    &dump::DUMP,
    &exists::EXISTS,
    &exists::TOUCH,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &keys::KEYS,
    &move_::MOVE,
    &object::OBJECT,
    &persist::PERSIST,
    &randomkey::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &restore::RESTORE,
    &scan::SCAN,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
    &type_::TYPE,
    &wait::WAIT,
    &wait::WAITAOF,
];
