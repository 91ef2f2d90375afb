use crate::support::client::{WRONG_TYPE, error};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn setbit() {
    matrix(|c| {
        assert_eq!(c.cmd("SETBIT k 7 1"), 0);
        assert_eq!(c.cmd("SETBIT k 7 1"), 1);
        assert_eq!(c.cmd("EXPIRE k 100"), 1);
        assert_eq!(c.cmd("SETBIT k 17 0"), 0);
        assert_eq!(c.cmd("GET k"), "\x01\0\0");
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        let offset = error("ERR bit offset is not an integer or out of range");
        assert_eq!(c.cmd("SETBIT s 4294967296 2"), offset);
        assert_eq!(c.cmd("SETBIT s 0 2"), error("ERR bit is not an integer or out of range"));
        assert_eq!(c.cmd("SETBIT s 0 1"), error(WRONG_TYPE));
    });
}
