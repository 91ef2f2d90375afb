use crate::support::client::{Value, error, ok};
use crate::support::matrix::matrix;

#[test]
fn dump_and_restore() {
    matrix(|c| {
        for value in ["", "12", "-70000", &"text ".repeat(1000), "\0\r\n"] {
            assert_eq!(c.cmd(["SET", "k", value]), ok());
            let Value::Bulk(payload) = c.cmd("DUMP k") else { panic!() };
            assert_eq!(
                c.cmd([&b"RESTORE"[..], b"k", b"0", &payload]),
                error("BUSYKEY Target key name already exists.")
            );
            assert_eq!(c.cmd([&b"RESTORE"[..], b"k", b"100000", &payload, b"REPLACE"]), ok());
            assert_eq!(c.cmd("GET k"), value);
            assert!((70..=100).contains(&c.cmd("TTL k").integer()));
            assert_eq!(c.cmd([&b"RESTORE"[..], b"k", b"5", &payload, b"REPLACE", b"ABSTTL"]), ok());
            assert_eq!(c.cmd("EXISTS k"), 0);
        }
        assert_eq!(c.cmd("DUMP k"), Value::Null);
        assert_eq!(c.cmd("RESTORE k 0 rubbish"), error("ERR DUMP payload version or checksum are wrong"));
    });
}
