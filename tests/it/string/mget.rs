use crate::support::client::{Value, array, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn mget() {
    matrix(|c| {
        assert_eq!(c.cmd("MSET a 1 b 2"), ok());
        make_stream(c.db, "s");
        assert_eq!(c.cmd("MGET a absent b s a"), array!["1", Value::Null, "2", Value::Null, "1"]);
        assert_eq!(c.cmd("MGET"), error("ERR wrong number of arguments for 'mget' command"));
    });
}
