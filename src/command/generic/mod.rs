//! What is done to keys whatever they hold: presence, expiry, names, iteration.

use super::Command;

mod copy;
mod del;
mod exists;
mod expire;
mod keys;
mod move_;
mod persist;
mod randomkey;
mod rename;
mod scan;
mod ttl;
mod type_;

pub static COMMANDS: &[&Command] = &[
    &copy::COPY,
    &del::DEL,
    &del::UNLINK,
    &exists::EXISTS,
    &exists::TOUCH,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &keys::KEYS,
    &move_::MOVE,
    &persist::PERSIST,
    &randomkey::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &scan::SCAN,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
    &type_::TYPE,
];
