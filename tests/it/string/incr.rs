use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn counts() {
    matrix(|c| {
        assert_eq!(c.cmd("INCR k"), 1);
        assert_eq!(c.cmd("INCRBY k 41"), 42);
        assert_eq!(c.cmd("DECR k"), 41);
        assert_eq!(c.cmd("DECRBY k 50"), -9);
        assert_eq!(c.cmd("INCRBY k -1"), -10);
        assert_eq!(c.cmd("GET k"), "-10");
    });
}

#[test]
fn keeps_the_expiry() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k 1 EX 100"), ok());
        assert_eq!(c.cmd("INCR k"), 2);
        assert!((99..=100).contains(&c.cmd("TTL k").integer()));
    });
}

#[test]
fn limits() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k 9223372036854775807"), ok());
        assert_eq!(c.cmd("INCR k"), error("ERR increment or decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k -1"), error("ERR increment or decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k -9223372036854775808"), error("ERR decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k 9223372036854775807"), 0);
        assert_eq!(c.cmd("INCRBY k -9223372036854775808"), i64::MIN);
        assert_eq!(c.cmd("DECR k"), error("ERR increment or decrement would overflow"));
    });
}

#[test]
fn errors() {
    matrix(|c| {
        let not_an_integer = error("ERR value is not an integer or out of range");
        make_stream(c.db, "s");
        assert_eq!(c.cmd("INCR s"), error(WRONG_TYPE));
        assert_eq!(c.cmd("INCRBY s x"), not_an_integer);
        for value in ["", " 1", "1 ", "+1", "01", "1.0", "9223372036854775808", "x"] {
            assert_eq!(c.cmd(["SET", "k", value]), ok());
            assert_eq!(c.cmd("INCR k"), not_an_integer, "{value}");
            assert_eq!(c.cmd("GET k"), value);
        }
    });
}
