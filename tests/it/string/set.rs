use crate::support::client::{Value, WRONG_TYPE, array, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn replaces_value_type_and_expiry() {
    matrix(|c| {
        make_stream(c.db, "k");
        assert_eq!(c.cmd("SET k a EX 100"), ok());
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
        assert_eq!(c.cmd("SET k b"), ok());
        assert_eq!(c.cmd("TTL k"), -1);
        assert_eq!(c.cmd("GET k"), "b");
    });
}

#[test]
fn expiries() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k v PX 100000"), ok());
        assert!((70_000..=100_000).contains(&c.cmd("PTTL k").integer()));
        assert_eq!(c.cmd("SET k v EXAT 33177117420"), ok());
        assert_eq!(c.cmd("EXPIRETIME k"), 33177117420);
        assert_eq!(c.cmd("SET k w KEEPTTL"), ok());
        assert_eq!(c.cmd("SET k w XX PXAT 33177117420123"), ok());
        assert_eq!(c.cmd("PEXPIRETIME k"), 33177117420123);
        assert_eq!(c.cmd("SET k w EXAT 1"), ok());
        assert_eq!(c.cmd("GET k"), Value::Null);
        assert_eq!(c.cmd("SET k v PX 1"), ok());
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert_eq!(c.cmd("EXISTS k"), 0);
        assert_eq!(c.cmd("SET k v NX"), ok());
    });
}

/// Seen to fail when the time an expiry counts from is rounded to the nearest millisecond.
#[test]
fn no_longer_than_said() {
    matrix(|c| {
        for _ in 0..200 {
            assert_eq!(c.cmd("SET k v PX 100000"), ok());
            let left = c.cmd("PTTL k").integer();
            assert!(left <= 100_000, "{left} ms left");
        }
    });
}

#[test]
fn conditions() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k a XX"), Value::Null);
        assert_eq!(c.cmd("SET k a NX"), ok());
        assert_eq!(c.cmd("SET k b NX"), Value::Null);
        assert_eq!(c.cmd("SET k c XX GET"), "a");
        assert_eq!(c.cmd("SET k d NX GET"), "c");
        assert_eq!(c.cmd("SET new d NX GET"), Value::Null);
        assert_eq!(c.cmd("MGET k new"), array!["c", "d"]);
    });
}

#[test]
fn errors_in_order() {
    matrix(|c| {
        make_stream(c.db, "s");
        for options in ["NX XX", "EX 10 KEEPTTL", "KEEPTTL PX 1", "EX abc PX 1", "EX abc FOO", "EX", "GET EX"]
        {
            let call = format!("SET s v {options}");
            assert_eq!(c.cmd(call.as_str()), error("ERR syntax error"), "{options}");
        }
        assert_eq!(c.cmd("SET s v GET EX abc"), error("ERR value is not an integer or out of range"));
        assert_eq!(c.cmd("SET s v GET EX 0"), error("ERR invalid expire time in 'set' command"));
        assert_eq!(c.cmd("SET s v NX GET"), error(WRONG_TYPE));
        assert_eq!(c.cmd("TYPE s"), Value::Status("stream".to_owned()));
    });
}
