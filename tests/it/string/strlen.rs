use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn strlen() {
    matrix(|c| {
        assert_eq!(c.cmd("STRLEN k"), 0);
        assert_eq!(c.cmd("SET k hello"), ok());
        assert_eq!(c.cmd("STRLEN k"), 5);
        make_stream(c.db, "s");
        assert_eq!(c.cmd("STRLEN s"), error(WRONG_TYPE));
    });
}
