use crate::support::client::{Value, WRONG_TYPE, error};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn getset() {
    matrix(|c| {
        assert_eq!(c.cmd("GETSET k a"), Value::Null);
        assert_eq!(c.cmd("EXPIRE k 100"), 1);
        assert_eq!(c.cmd("GETSET k b"), "a");
        assert_eq!(c.cmd("GET k"), "b");
        assert_eq!(c.cmd("TTL k"), -1);
        make_stream(c.db, "s");
        assert_eq!(c.cmd("GETSET s x"), error(WRONG_TYPE));
    });
}
