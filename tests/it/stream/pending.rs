use crate::support::client::{Client, Value, array, ok};
use crate::support::matrix::matrix;

/// Five entries, of which the consumer c has all pending.
fn delivered(c: &mut Client) {
    for n in 1..=5 {
        c.cmd(["XADD", "s", &format!("1-{n}"), "f", "v"]);
    }
    assert_eq!(c.cmd("XGROUP CREATE s g 0"), ok());
    c.cmd("XREADGROUP GROUP g c STREAMS s >");
}

fn entry(id: &str) -> Value {
    array![Value::from(id), array!["f", "v"]]
}

#[test]
fn xpending() {
    matrix(|c| {
        delivered(c);
        let counts = array![array!["c", "5"]];
        assert_eq!(c.cmd("XPENDING s g"), array![Value::Integer(5), "1-1", "1-5", counts]);
        let Value::Array(some) = c.cmd("XPENDING s g (1-1 + 2 c") else { panic!("nothing pending") };
        assert_eq!(some.len(), 2);
        assert_eq!(c.cmd("XPENDING s g IDLE 100000 - + 10"), array![]);
        assert_eq!(c.cmd("XACK s g 1-1 1-5"), 2);
        let counts = array![array!["c", "3"]];
        assert_eq!(c.cmd("XPENDING s g"), array![Value::Integer(3), "1-2", "1-4", counts]);
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g c"), 3);
        assert_eq!(c.cmd("XPENDING s g"), array![Value::Integer(0), Value::Null, Value::Null, Value::Null]);
    });
}

#[test]
fn xclaim() {
    matrix(|c| {
        delivered(c);
        assert_eq!(c.cmd("XCLAIM s g d 100000 1-1"), array![]);
        assert_eq!(c.cmd("XCLAIM s g d 0 1-1 1-3 RETRYCOUNT 7"), array![entry("1-1"), entry("1-3")]);
        assert_eq!(c.cmd("XCLAIM s g d 0 1-2 JUSTID IDLE 50000"), array!["1-2"]);
        assert_eq!(c.cmd("XCLAIM s g e 40000 1-1 1-2 1-3 JUSTID"), array!["1-2"]);
        assert_eq!(c.cmd("XDEL s 1-3"), 1);
        assert_eq!(c.cmd("XCLAIM s g e 0 1-3"), array![]);
        assert_eq!(c.cmd("XACK s g 1-3"), 0);
        assert_eq!(c.cmd("XACK s g 1-4"), 1);
        assert_eq!(c.cmd("XCLAIM s g e 0 1-4"), array![]);
        assert_eq!(c.cmd("XCLAIM s g e 0 1-4 FORCE"), array![entry("1-4")]);
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g e"), 2);
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g d"), 1);
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g c"), 1);
    });
}

#[test]
fn xautoclaim() {
    matrix(|c| {
        delivered(c);
        let ids = |ids: &[&str]| Value::Array(ids.iter().map(|id| Value::from(*id)).collect());
        let reply = |next: &str, claimed: Value, deleted: Value| array![Value::from(next), claimed, deleted];
        assert_eq!(c.cmd("XAUTOCLAIM s g d 100000 0"), reply("0-0", ids(&[]), ids(&[])));
        assert_eq!(
            c.cmd("XAUTOCLAIM s g d 0 0 COUNT 2"),
            reply("1-3", array![entry("1-1"), entry("1-2")], ids(&[]))
        );
        assert_eq!(c.cmd("XDEL s 1-3 1-5"), 2);
        assert_eq!(c.cmd("XAUTOCLAIM s g d 0 1-3 JUSTID"), reply("0-0", ids(&["1-4"]), ids(&["1-3", "1-5"])));
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g d"), 3);
    });
}
