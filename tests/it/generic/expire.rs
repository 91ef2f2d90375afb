use std::thread::sleep;
use std::time::Duration;

use crate::support::client::{Value, error, ok};
use crate::support::matrix::matrix;

#[test]
fn a_key_is_gone_when_its_time_is_over() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("PEXPIRE k 30"), 1);
        sleep(Duration::from_millis(40));
        assert_eq!(c.cmd("GET k"), Value::Null);
        assert_eq!(c.cmd("EXISTS k"), 0);
        assert_eq!(c.cmd("DBSIZE"), 0);
        assert_eq!(c.cmd("RANDOMKEY"), Value::Null);
        assert_eq!(c.cmd("RENAME k l"), error("ERR no such key"));
        // What comes after it is a new key.
        assert_eq!(c.cmd("INCR k"), 1);
        assert_eq!(c.cmd("TTL k"), -1);
    });
}

#[test]
fn expire_and_ttl() {
    matrix(|c| {
        assert_eq!(c.cmd("EXPIRE none 10"), 0);
        assert_eq!(c.cmd("TTL none"), -2);
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("EXPIRE k 100"), 1);
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert!((70_000..=100_000).contains(&c.cmd("PTTL k").integer()));
        assert_eq!(c.cmd("EXPIRE k 200 NX"), 0);
        assert_eq!(c.cmd("EXPIRE k 50 GT"), 0);
        assert_eq!(c.cmd("EXPIREAT k 33177117420 GT"), 1);
        assert_eq!(c.cmd("EXPIRETIME k"), 33177117420);
        assert_eq!(c.cmd("PEXPIREAT k 33177117420123"), 1);
        assert_eq!(c.cmd("PEXPIRETIME k"), 33177117420123);
        assert_eq!(c.cmd("APPEND k w"), 2);
        assert_eq!(c.cmd("PEXPIRETIME k"), 33177117420123);
        assert_eq!(c.cmd("PERSIST k"), 1);
        assert_eq!(c.cmd("PERSIST k"), 0);
        assert_eq!(c.cmd("EXPIRE k 0"), 1);
        assert_eq!(c.cmd("EXISTS k"), 0);
    });
}

#[test]
fn errors() {
    matrix(|c| {
        assert_eq!(c.cmd("EXPIRE k x"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("EXPIRE k 1 YY"), error("ERR Unsupported option YY"));
        assert_eq!(
            c.cmd("PEXPIRE k 9223372036854775807"),
            error("ERR invalid expire time in 'pexpire' command")
        );
    });
}
