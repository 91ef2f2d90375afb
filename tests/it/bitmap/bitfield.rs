use crate::support::client::{Value, WRONG_TYPE, array, error};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn gets_and_sets() {
    matrix(|c| {
        assert_eq!(c.cmd("BITFIELD k SET u8 #1 255 GET u4 6 INCRBY i8 8 1"), array![0, 3, 0]);
        assert_eq!(c.cmd("STRLEN k"), 2);
        assert_eq!(c.cmd("EXPIRE k 100"), 1);
        assert_eq!(c.cmd("BITFIELD k INCRBY i64 100 -1"), array![-1]);
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("BITFIELD k GET u63 101 GET i5 4294967295"), array![i64::MAX, 0]);
        assert_eq!(c.cmd("BITFIELD_RO k GET u1 99 GET u1 100"), array![0, 1]);
    });
}

#[test]
fn overflow_holds_for_what_follows() {
    matrix(|c| {
        assert_eq!(c.cmd("BITFIELD k SET u2 0 3"), array![0]);
        assert_eq!(c.cmd("BITFIELD k INCRBY u2 0 1 OVERFLOW SAT INCRBY u2 0 9"), array![0, 3]);
        assert_eq!(
            c.cmd("BITFIELD k OVERFLOW FAIL INCRBY u2 0 1 SET i2 0 2"),
            array![Value::Null, Value::Null]
        );
        assert_eq!(c.cmd("BITFIELD k OVERFLOW SAT INCRBY i2 2 -9 OVERFLOW WRAP SET u2 0 6"), array![-2, 3]);
        assert_eq!(c.cmd("BITFIELD k GET u2 0"), array![2]);
        // Even what fails makes the key long enough.
        assert_eq!(c.cmd("BITFIELD failed OVERFLOW FAIL SET u8 8 256"), array![Value::Null]);
        assert_eq!(c.cmd("STRLEN failed"), 2);
    });
}

#[test]
fn reads_make_no_key() {
    matrix(|c| {
        assert_eq!(c.cmd("BITFIELD k"), array![]);
        assert_eq!(c.cmd("BITFIELD k GET u8 0"), array![0]);
        assert_eq!(c.cmd("BITFIELD_RO k GET u8 0"), array![0]);
        assert_eq!(c.cmd("EXISTS k"), 0);
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        for (steps, text) in [
            ("GET u8", "ERR syntax error"),
            ("OVERFLOW NO", "ERR Invalid OVERFLOW type specified"),
            ("SET u8 x x", "ERR bit offset is not an integer or out of range"),
            ("SET u8 #536870912 x", "ERR bit offset is not an integer or out of range"),
            ("SET u8 0 x", "ERR value is not an integer or out of range"),
            ("OVERFLOW SAT", WRONG_TYPE),
            ("GET u8 0", WRONG_TYPE),
            ("SET u8 0 1", WRONG_TYPE),
        ] {
            assert_eq!(c.cmd(format!("BITFIELD s {steps}").as_str()), error(text), "{steps}");
        }
        let text = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        assert_eq!(c.cmd("BITFIELD s GET u64 x"), error(text));
        let only_get = error("ERR BITFIELD_RO only supports the GET subcommand");
        assert_eq!(c.cmd("BITFIELD_RO s SET u8 0 1"), only_get);
    });
}
