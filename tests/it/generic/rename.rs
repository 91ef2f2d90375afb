use crate::support::client::{error, ok};
use crate::support::matrix::{matrix, next_database};

#[test]
fn rename_and_renamenx() {
    matrix(|c| {
        assert_eq!(c.cmd("SET a 1 PXAT 99999999999999"), ok());
        assert_eq!(c.cmd("SET b 2"), ok());
        assert_eq!(c.cmd("RENAMENX a b"), 0);
        assert_eq!(c.cmd("RENAME a b"), ok());
        assert_eq!(c.cmd("GET b"), "1");
        assert_eq!(c.cmd("PEXPIRETIME b"), 99_999_999_999_999);
        assert_eq!(c.cmd("RENAME b b"), ok());
        assert_eq!(c.cmd("RENAMENX b b"), 0);
        assert_eq!(c.cmd("RENAMENX b c"), 1);
        assert_eq!(c.cmd("RENAMENX b c"), error("ERR no such key"));
    });
}

#[test]
fn copy() {
    matrix(|c| {
        assert_eq!(c.cmd("SET a 1 PXAT 99999999999999"), ok());
        assert_eq!(c.cmd("COPY a b"), 1);
        assert_eq!(c.cmd("COPY a b"), 0);
        assert_eq!(c.cmd("SET a 2"), ok());
        assert_eq!(c.cmd("COPY a b REPLACE"), 1);
        assert_eq!(c.cmd("GET b"), "2");
        assert_eq!(c.cmd("TTL b"), -1);
        assert_eq!(c.cmd("COPY a a"), error("ERR source and destination objects are the same"));
        assert_eq!(c.cmd("COPY a b DB 99999"), error("ERR DB index is out of range"));
    });
}

#[test]
fn between_databases() {
    matrix(|c| {
        let other = next_database().to_string();
        assert_eq!(c.cmd("SET a 1 PXAT 99999999999999"), ok());
        assert_eq!(c.cmd(["COPY", "a", "a", "DB", &other]), 1);
        assert_eq!(c.cmd(["MOVE", "a", &other]), 0);
        assert_eq!(c.cmd("RENAME a b"), ok());
        assert_eq!(c.cmd(["MOVE", "b", &other]), 1);
        assert_eq!(c.cmd("EXISTS a b"), 0);
        assert_eq!(c.plain(["SELECT", &other]), ok());
        assert_eq!(c.cmd("EXISTS a b"), 2);
        assert_eq!(c.cmd("PEXPIRETIME b"), 99_999_999_999_999);
        assert_eq!(c.cmd(["MOVE", "b", &other]), error("ERR source and destination objects are the same"));
    });
}
