use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn bitcount() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k foobar"), ok());
        for (range, count) in [
            ("", 26),
            ("0 0", 4),
            ("1 1 BYTE", 6),
            ("5 30 BIT", 17),
            ("-2 -1", 7),
            ("-100 -50", 4),
            ("-1 -2", 0),
            ("6 9", 0),
        ] {
            assert_eq!(c.cmd(format!("BITCOUNT k {range}").as_str()), count, "{range}");
        }
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("BITCOUNT s"), error(WRONG_TYPE));
        assert_eq!(c.cmd("BITCOUNT s 0"), error(WRONG_TYPE));
        for (range, text) in [
            ("0 1 FOO", "ERR syntax error"),
            ("0 1 BIT FOO", "ERR syntax error"),
            ("0 x FOO", "ERR value is not an integer or out of range"),
        ] {
            assert_eq!(c.cmd(format!("BITCOUNT s {range}").as_str()), error(text), "{range}");
            assert_eq!(c.cmd(format!("BITCOUNT absent {range}").as_str()), error(text), "{range}");
        }
    });
}
