use crate::support::client::{Value, WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn get() {
    matrix(|c| {
        assert_eq!(c.cmd("GET k"), Value::Null);
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("GET k"), "v");
        assert_eq!(c.cmd(["SET", "", ""]), ok());
        assert_eq!(c.cmd(["GET", ""]), "");
        make_stream(c.db, "s");
        assert_eq!(c.cmd("GET s"), error(WRONG_TYPE));
        assert_eq!(c.cmd("GET"), error("ERR wrong number of arguments for 'get' command"));
    });
}

#[test]
fn any_bytes() {
    matrix(|c| {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(c.cmd([b"SET".as_slice(), &bytes, &bytes]), ok());
        assert_eq!(c.cmd([b"GET".as_slice(), &bytes]), bytes.as_slice());
    });
}
