use crate::support::client::{Value, WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn append() {
    matrix(|c| {
        assert_eq!(c.cmd("APPEND k Hello"), 5);
        assert_eq!(c.cmd(["APPEND", "k", " World"]), 11);
        assert_eq!(c.cmd("GET k"), "Hello World");
        assert_eq!(c.cmd(["APPEND", "empty", ""]), 0);
        assert_eq!(c.cmd("EXISTS empty"), 1);
    });
}

#[test]
fn keeps_the_expiry() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k v EX 100"), ok());
        assert_eq!(c.cmd("APPEND k w"), 2);
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
    });
}

#[test]
fn errors() {
    matrix(|c| {
        make_stream(c.db, "s");
        assert_eq!(c.cmd("APPEND s x"), error(WRONG_TYPE));
        assert_eq!(c.cmd("APPEND s"), error("ERR wrong number of arguments for 'append' command"));
    });
}

#[test]
fn grows_to_a_large_value() {
    matrix(|c| {
        let part = "x".repeat(100_000);
        for n in 1..=30 {
            assert_eq!(c.cmd(["APPEND", "k", &part]), n * 100_000);
        }
        assert_eq!(c.cmd("GETRANGE k 2999998 -1"), "xx");
    });
}

#[test]
fn nothing_of_many_clients_is_lost() {
    matrix(|c| {
        std::thread::scope(|scope| {
            for letter in ["a", "b", "c", "d"] {
                let mut other = c.sibling();
                scope.spawn(move || (0..25).for_each(|_| drop(other.cmd(["APPEND", "k", letter]))));
            }
        });
        let Value::Bulk(bytes) = c.cmd("GET k") else { panic!() };
        let count = |letter| bytes.iter().filter(|byte| **byte == letter).count();
        assert_eq!([b'a', b'b', b'c', b'd'].map(count), [25; 4]);
    });
}
