use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn getrange() {
    matrix(|c| {
        assert_eq!(c.cmd(["SET", "k", "This is a string"]), ok());
        for (range, part) in [
            ("0 3", "This"),
            ("-3 -1", "ing"),
            ("0 -1", "This is a string"),
            ("10 100", "string"),
            ("-100 3", "This"),
            ("-100 -50", "T"),
            ("-1 -5", ""),
            ("5 3", ""),
            ("16 20", ""),
            ("-9223372036854775808 9223372036854775807", "This is a string"),
        ] {
            assert_eq!(c.cmd(format!("GETRANGE k {range}").as_str()), part, "{range}");
            assert_eq!(c.cmd(format!("SUBSTR k {range}").as_str()), part, "{range}");
        }
        assert_eq!(c.cmd("GETRANGE absent 0 -1"), "");
    });
}

#[test]
fn errors() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("GETRANGE s 0 -1"), error(WRONG_TYPE));
        assert_eq!(c.cmd("GETRANGE s 0 x"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("SUBSTR s 0"), error("ERR wrong number of arguments for 'substr' command"));
    });
}
