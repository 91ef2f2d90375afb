use crate::support::client::{Value, array, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn mset() {
    matrix(|c| {
        assert_eq!(c.cmd("SET a x EX 100"), ok());
        make_stream(c.db, "s");
        assert_eq!(c.cmd("MSET a 1 b 2 s 3 b 4"), ok());
        assert_eq!(c.cmd("MGET a b s"), array!["1", "4", "3"]);
        assert_eq!(c.cmd("TTL a"), -1);
        assert_eq!(c.cmd("MSET a 1 b"), error("ERR wrong number of arguments for 'mset' command"));
    });
}

#[test]
fn msetnx() {
    matrix(|c| {
        assert_eq!(c.cmd("MSETNX a 1 b 2 a 3"), 1);
        assert_eq!(c.cmd("MSETNX c 1 b 4"), 0);
        assert_eq!(c.cmd("MGET a b c"), array!["3", "2", Value::Null]);
        make_stream(c.db, "s");
        assert_eq!(c.cmd("MSETNX c 1 s 4"), 0);
        assert_eq!(c.cmd("MSETNX c 1 b"), error("ERR wrong number of arguments for 'msetnx' command"));
    });
}
