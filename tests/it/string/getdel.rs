use crate::support::client::{Value, WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn getdel() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k v EX 100"), ok());
        assert_eq!(c.cmd("GETDEL k"), "v");
        assert_eq!(c.cmd("GETDEL k"), Value::Null);
        assert_eq!(c.cmd("EXISTS k"), 0);
        make_stream(c.db, "s");
        assert_eq!(c.cmd("GETDEL s"), error(WRONG_TYPE));
        assert_eq!(c.cmd("EXISTS s"), 1);
    });
}
