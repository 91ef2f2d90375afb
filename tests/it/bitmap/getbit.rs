use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn getbit() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k a"), ok());
        let bits: Vec<i64> = (0..10).map(|n| c.cmd(["GETBIT", "k", &n.to_string()]).integer()).collect();
        assert_eq!(bits, [0, 1, 1, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(c.cmd("GETBIT k 4294967295"), 0);
        assert_eq!(c.cmd("GETBIT absent 5"), 0);
    });
}

#[test]
fn errors() {
    matrix(|c| {
        make_stream(c.db, "s");
        for offset in ["x", "-1", "4294967296", "9223372036854775808"] {
            let refused = error("ERR bit offset is not an integer or out of range");
            assert_eq!(c.cmd(["GETBIT", "s", offset]), refused);
        }
        assert_eq!(c.cmd("GETBIT s 0"), error(WRONG_TYPE));
    });
}
