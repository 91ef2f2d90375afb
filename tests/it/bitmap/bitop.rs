use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn operations() {
    matrix(|c| {
        assert_eq!(c.cmd("MSET a abc b xy"), ok());
        for (call, result) in
            [("BITOP AND d a b", "``\0"), ("BITOP or d a b absent", "y{c"), ("BITOP XOR d a b", "\x19\x1bc")]
        {
            assert_eq!(c.cmd(call), 3, "{call}");
            assert_eq!(c.cmd("GET d"), result, "{call}");
        }
        assert_eq!(c.cmd("BITOP NOT a a"), 3);
        assert_eq!(c.cmd("GET a"), b"\x9e\x9d\x9c".as_slice());
    });
}

#[test]
fn the_destination_is_replaced() {
    matrix(|c| {
        assert_eq!(c.cmd("SET d x EX 100"), ok());
        assert_eq!(c.cmd("BITOP OR d d"), 1);
        assert_eq!(c.cmd("TTL d"), -1);
        assert_eq!(c.cmd("BITOP OR d absent absent"), 0);
        assert_eq!(c.cmd("EXISTS d"), 0);
        make_stream(c.db, "s");
        assert_eq!(c.cmd("SET a x"), ok());
        assert_eq!(c.cmd("BITOP AND s a"), 1);
        assert_eq!(c.cmd("GET s"), "x");
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("BITOP FOO d s"), error("ERR syntax error"));
        let two = error("ERR BITOP NOT must be called with a single source key.");
        assert_eq!(c.cmd("BITOP NOT d s s"), two);
        assert_eq!(c.cmd("BITOP AND d a s"), error(WRONG_TYPE));
    });
}
