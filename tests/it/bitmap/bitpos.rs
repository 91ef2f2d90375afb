use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn bitpos() {
    matrix(|c| {
        assert_eq!(c.cmd([b"SET".as_slice(), b"k", b"\xff\xf0\x00"]), ok());
        assert_eq!(c.cmd([b"SET".as_slice(), b"ones", b"\xff\xff"]), ok());
        for (call, place) in [
            ("BITPOS k 0", 12),
            ("BITPOS k 1 1", 8),
            ("BITPOS k 1 2", -1),
            ("BITPOS k 0 7 15 BIT", 12),
            ("BITPOS k 1 -2 -1 byte", 8),
            ("BITPOS ones 0", 16),
            ("BITPOS ones 0 0", 16),
            ("BITPOS ones 0 0 -1", -1),
            ("BITPOS ones 0 5", -1),
            ("BITPOS absent 0 3 4", 0),
            ("BITPOS absent 1", -1),
        ] {
            assert_eq!(c.cmd(call), place, "{call}");
        }
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("SET k v"), ok());
        let not_an_integer = error("ERR value is not an integer or out of range");
        assert_eq!(c.cmd("BITPOS s x"), not_an_integer);
        assert_eq!(c.cmd("BITPOS s 2"), error("ERR The bit argument must be 1 or 0."));
        assert_eq!(c.cmd("BITPOS s 1 x"), not_an_integer);
        assert_eq!(c.cmd("BITPOS s 1 0"), error(WRONG_TYPE));
        assert_eq!(c.cmd("BITPOS k 1 x 0 FOO"), not_an_integer);
        assert_eq!(c.cmd("BITPOS k 1 0 x FOO"), error("ERR syntax error"));
        assert_eq!(c.cmd("BITPOS k 1 x 0 BIT FOO"), error("ERR syntax error"));
        assert_eq!(c.cmd("BITPOS absent 1 x"), not_an_integer);
    });
}
