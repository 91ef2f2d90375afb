use crate::support::client::{WRONG_TYPE, error, ok};
use crate::support::matrix::matrix;
use crate::support::server::make_stream;

#[test]
fn counts() {
    matrix(|c| {
        assert_eq!(c.cmd("INCR k"), 1);
        assert_eq!(c.cmd("INCRBY k 41"), 42);
        assert_eq!(c.cmd("DECR k"), 41);
        assert_eq!(c.cmd("DECRBY k 50"), -9);
        assert_eq!(c.cmd("INCRBY k -1"), -10);
        assert_eq!(c.cmd("GET k"), "-10");
    });
}

#[test]
fn keeps_the_expiry() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k 1 EX 100"), ok());
        assert_eq!(c.cmd("INCR k"), 2);
        assert!((70..=100).contains(&c.cmd("TTL k").integer()));
    });
}

#[test]
fn limits() {
    matrix(|c| {
        assert_eq!(c.cmd("SET k 9223372036854775807"), ok());
        assert_eq!(c.cmd("INCR k"), error("ERR increment or decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k -1"), error("ERR increment or decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k -9223372036854775808"), error("ERR decrement would overflow"));
        assert_eq!(c.cmd("DECRBY k 9223372036854775807"), 0);
        assert_eq!(c.cmd("INCRBY k -9223372036854775808"), i64::MIN);
        assert_eq!(c.cmd("DECR k"), error("ERR increment or decrement would overflow"));
    });
}

#[test]
fn errors() {
    matrix(|c| {
        let not_an_integer = error("ERR value is not an integer or out of range");
        make_stream(c.db, "s");
        assert_eq!(c.cmd("INCR s"), error(WRONG_TYPE));
        assert_eq!(c.cmd("INCRBY s x"), not_an_integer);
        for value in ["", " 1", "1 ", "+1", "01", "1.0", "9223372036854775808", "x"] {
            assert_eq!(c.cmd(["SET", "k", value]), ok());
            assert_eq!(c.cmd("INCR k"), not_an_integer, "{value}");
            assert_eq!(c.cmd("GET k"), value);
        }
    });
}

/// Many increments are one statement, unless one of them cannot be: then all are done one after the other.
#[test]
fn many_at_once() {
    matrix(|c| {
        let spoilers =
            ["1", "x", "01", "-0", "4611686018427387904", "9223372036854775807", "-9223372036854775808"];
        for (round, spoiler) in spoilers.into_iter().enumerate() {
            let key = |n: usize| format!("k{round}:{n}");
            c.cmd(["SET", &key(3), "40"]);
            c.cmd(["SET", &key(4), "40", "EX", "100"]);
            c.cmd(["SET", &key(5), "40", "PX", "1"]);
            c.cmd(["SET", &key(6), spoiler]);
            std::thread::sleep(std::time::Duration::from_millis(5));
            let keys: Vec<String> = (0..20).chain(0..20).map(key).collect();
            c.send(keys.iter().map(|key| ["INCRBY", key, "2"]));
            for turn in 1..=2 {
                for n in 0..20 {
                    let expected = match (n, spoiler.parse::<i64>()) {
                        (3 | 4, _) => (40 + 2 * turn).into(),
                        (6, _) if ["x", "01", "-0"].contains(&spoiler) => {
                            error("ERR value is not an integer or out of range")
                        }
                        (6, Ok(old)) => match old.checked_add(2 * turn) {
                            Some(sum) => sum.into(),
                            None => error("ERR increment or decrement would overflow"),
                        },
                        _ => (2 * turn).into(),
                    };
                    assert_eq!(c.read(), expected, "{spoiler} {n} {turn}");
                }
            }
            assert_eq!(c.cmd(["TTL", &key(5)]), -1);
            assert!((70..=100).contains(&c.cmd(["TTL", &key(4)]).integer()));
        }
    });
}
