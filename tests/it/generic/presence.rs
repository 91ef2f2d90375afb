use crate::support::client::{Value, ok};
use crate::support::matrix::matrix;

#[test]
fn del_and_unlink() {
    matrix(|c| {
        assert_eq!(c.cmd("MSET a 1 b 2 c 3"), ok());
        assert_eq!(c.cmd("DEL a a none b"), 2);
        assert_eq!(c.cmd("UNLINK c c"), 1);
        assert_eq!(c.cmd("DEL a"), 0);
        assert_eq!(c.cmd("DBSIZE"), 0);
    });
}

#[test]
fn exists_touch_and_type() {
    matrix(|c| {
        assert_eq!(c.cmd(["SET", "\0\u{ff}", ""]), ok());
        assert_eq!(c.cmd(["EXISTS", "\0\u{ff}", "none", "\0\u{ff}"]), 2);
        assert_eq!(c.cmd(["TOUCH", "\0\u{ff}", "none"]), 1);
        assert_eq!(c.cmd(["TYPE", "\0\u{ff}"]), Value::Status("string".to_owned()));
        assert_eq!(c.cmd("TYPE none"), Value::Status("none".to_owned()));
    });
}

#[test]
fn keys_of_any_length() {
    matrix(|c| {
        // Longer than an index entry may be; the two differ only in their last byte.
        let long = ["k".repeat(100_000) + "1", "k".repeat(100_000) + "2"];
        assert_eq!(c.cmd(["MSET", &long[0], "1", &long[1], "2", &"k".repeat(1023), "3"]), ok());
        assert_eq!(c.cmd(["GET", &long[0]]), "1");
        assert_eq!(c.cmd(["RENAME", &long[0], &long[1]]), ok());
        assert_eq!(c.cmd(["GET", &long[1]]), "1");
        assert_eq!(c.cmd(["EXISTS", &long[0], &long[1], &"k".repeat(1023)]), 2);
        let Value::Array(keys) = c.cmd("KEYS kkk*") else { panic!() };
        assert!(keys.len() == 2 && keys.contains(&long[1].as_str().into()));
    });
}
