//! Strings and what is done to them as text and numbers.

use super::Command;

mod append;
mod copy;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod incr;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;

pub use copy::STRING;

pub static COMMANDS: &[&Command] = &[
    &append::APPEND,
    &incr::DECR,
    &incr::DECRBY,
    &get::GET,
    &getdel::GETDEL,
    &getex::GETEX,
    &getrange::GETRANGE,
    &getset::GETSET,
    &incr::INCR,
    &incr::INCRBY,
    &incrbyfloat::INCRBYFLOAT,
    &lcs::LCS,
    &mget::MGET,
    &mset::MSET,
    &mset::MSETNX,
    &setex::PSETEX,
    &set::SET,
    &setex::SETEX,
    &setnx::SETNX,
    &setrange::SETRANGE,
    &strlen::STRLEN,
    &getrange::SUBSTR,
];
