use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn setrange() {
    matrix(|c| {
        assert_eq!(c.cmd(["SET", "k", "Hello World", "EX", "100"]), ok());
        assert_eq!(c.cmd("SETRANGE k 6 Redis"), 11);
        assert_eq!(c.cmd("SETRANGE k 0 J"), 11);
        assert_eq!(c.cmd("GET k"), "Jello Redis");
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("SETRANGE pad 2 xy"), 4);
        assert_eq!(c.cmd("GET pad"), "\0\0xy");
    });
}

#[test]
fn nothing_changes_nothing() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k abc"), ok());
        assert_eq!(c.cmd(["SETRANGE", "k", "536870912", ""]), 3);
        assert_eq!(c.cmd(["SETRANGE", "absent", "5", ""]), 0);
        assert_eq!(c.cmd("EXISTS absent"), 0);
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("SETRANGE s x a"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("SETRANGE s -1 a"), error("ERR offset is out of range"));
        assert_eq!(c.cmd("SETRANGE s 536870912 a"), error(WRONG_TYPE));
        let too_long = error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        assert_eq!(c.cmd("SETRANGE k 536870912 a"), too_long);
        assert_eq!(c.cmd("SETRANGE k 9223372036854775807 a"), too_long);
        assert_eq!(c.cmd("EXISTS k"), 0);
    });
}
