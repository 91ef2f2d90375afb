use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn setnx() {
    matrix(|c| {
        assert_eq!(c.cmd("SETNX k a"), 1);
        assert_eq!(c.cmd("SETNX k b"), 0);
        assert_eq!(c.cmd("GET k"), "a");
        make_stream(c.db, "s");
        assert_eq!(c.cmd("SETNX s x"), 0);
    });
}
