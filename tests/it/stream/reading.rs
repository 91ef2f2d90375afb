use crate::support::client::{Client, Value, WRONG_TYPE, array, error, ok};
use crate::support::matrix::matrix;

fn entry(id: &str) -> Value {
    array![id, array!["f", id]]
}

fn fill(c: &mut Client, key: &str) {
    for id in ["1-1", "1-2", "2-0", "3-5"] {
        assert_eq!(c.cmd(["XADD", key, id, "f", id]), id);
    }
}

#[test]
fn xrange_and_xrevrange() {
    matrix(|c| {
        assert_eq!(c.cmd("XRANGE s - +"), array![]);
        fill(c, "s");
        assert_eq!(c.cmd("XRANGE s - +"), array![entry("1-1"), entry("1-2"), entry("2-0"), entry("3-5")]);
        assert_eq!(c.cmd("XREVRANGE s + - COUNT 2"), array![entry("3-5"), entry("2-0")]);
        assert_eq!(c.cmd("XRANGE s 1 2"), array![entry("1-1"), entry("1-2"), entry("2-0")]);
        assert_eq!(c.cmd("XRANGE s (1-1 (2-0"), array![entry("1-2")]);
        assert_eq!(c.cmd("XRANGE s + -"), array![]);
        assert_eq!(c.cmd("XRANGE s - + COUNT 0"), Value::Null);
        c.cmd("SET k v");
        assert_eq!(c.cmd("XRANGE k - +"), error(WRONG_TYPE));
    });
}

#[test]
fn xread() {
    matrix(|c| {
        assert_eq!(c.cmd("XREAD STREAMS s 0"), Value::Null);
        fill(c, "s");
        fill(c, "t");
        let read = c.cmd("XREAD COUNT 2 STREAMS s none t 1-1 0 2-0").entries();
        assert_eq!(
            read,
            [("s".into(), array![entry("1-2"), entry("2-0")]), ("t".into(), array![entry("3-5")])]
        );
        assert_eq!(c.cmd("XREAD STREAMS s t $ 3-5"), Value::Null);
        assert_eq!(c.cmd("XREAD COUNT 0 STREAMS s 3").entries(), [("s".into(), array![entry("3-5")])]);
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("XREAD STREAMS s k 0 0"), error(WRONG_TYPE));
        assert_eq!(c.cmd("XREAD BLOCK 10 STREAMS s $"), Value::Null);
        assert_eq!(c.cmd("XREAD BLOCK 0 STREAMS s 2-0").entries(), [("s".into(), array![entry("3-5")])]);
    });
}

#[test]
fn binary_fields() {
    matrix(|c| {
        let long = vec![0xff; 100_000];
        let call: [&[u8]; 7] = [b"XADD", b"s\0", b"1-1", b"", b"\r\n\0", b"long", &long];
        assert_eq!(c.cmd(call), "1-1");
        let fields = array!["", &b"\r\n\0"[..], "long", &long[..]];
        assert_eq!(c.cmd([&b"XRANGE"[..], b"s\0", b"-", b"+"]), array![array!["1-1", fields]]);
    });
}
