use crate::support::client::{Value, WRONG_TYPE, array, error, ok};
use crate::support::matrix::matrix;

const TOO_SMALL: &str = "ERR The ID specified in XADD is equal or smaller than the target stream top item";

#[test]
fn xadd_and_xlen() {
    matrix(|c| {
        assert_eq!(c.cmd("XADD s NOMKSTREAM 1-1 a b"), Value::Null);
        assert_eq!(c.cmd("XLEN s"), 0);
        assert_eq!(c.cmd("XADD s 1-1 a b"), "1-1");
        assert_eq!(c.cmd("XADD s 1-* a b c d"), "1-2");
        assert_eq!(c.cmd("XADD s 5 a b"), "5-0");
        assert_eq!(c.cmd("XADD s 5-0 a b"), error(TOO_SMALL));
        assert_eq!(c.cmd("XADD s 4-* a b"), error(TOO_SMALL));
        assert_eq!(c.cmd("XLEN s"), 3);
        assert_eq!(c.cmd("TYPE s"), Value::Status("stream".into()));
        assert_eq!(c.cmd("OBJECT ENCODING s"), "stream");
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("XADD k 1-1 a b"), error(WRONG_TYPE));
        assert_eq!(c.cmd("XLEN k"), error(WRONG_TYPE));
        assert_eq!(c.cmd("GET s"), error(WRONG_TYPE));
    });
}

#[test]
fn ids_are_the_clock_and_increase() {
    matrix(|c| {
        let mut last = (0, 0);
        for _ in 0..20 {
            let Value::Bulk(id) = c.cmd("XADD s * f v") else { panic!("no id") };
            let id = std::str::from_utf8(&id).unwrap();
            let (ms, seq) = id.split_once('-').unwrap();
            let id: (u64, u64) = (ms.parse().unwrap(), seq.parse().unwrap());
            assert!(id > last);
            last = id;
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!((now.as_millis() as i64 - last.0 as i64).abs() < 5000);
        // A clock that is behind.
        let ahead = last.0 + 10_000_000;
        c.cmd(["XADD", "s", &format!("{ahead}-7"), "f", "v"]);
        assert_eq!(c.cmd("XADD s * f v"), &*format!("{ahead}-8"));
    });
}

#[test]
fn xdel() {
    matrix(|c| {
        for id in 1..=5 {
            c.cmd(["XADD", "s", &format!("{id}-0"), "f", "v"]);
        }
        assert_eq!(c.cmd("XDEL s 2 2-0 9 1-1"), 1);
        assert_eq!(c.cmd("XDEL s 1 5"), 2);
        assert_eq!(c.cmd("XDEL s 1 5"), 0);
        assert_eq!(c.cmd("XLEN s"), 2);
        assert_eq!(c.cmd("XRANGE s - + COUNT 1"), array![array!["3-0", array!["f", "v"]]]);
        assert_eq!(c.cmd("XDEL s 3 4"), 2);
        // An empty stream is still there, and knows its last id.
        assert_eq!(c.cmd("EXISTS s"), 1);
        assert_eq!(c.cmd("XADD s 5-0 f v"), error(TOO_SMALL));
        assert_eq!(c.cmd("XDEL s x"), error("ERR Invalid stream ID specified as stream command argument"));
        assert_eq!(c.cmd("XDEL none x"), 0);
    });
}

#[test]
fn xsetid() {
    matrix(|c| {
        assert_eq!(c.cmd("XSETID s 1-1"), error("ERR no such key"));
        c.cmd("XADD s 5-5 f v");
        c.cmd("XADD s 6-6 f v");
        assert_eq!(
            c.cmd("XSETID s 6-5"),
            error("ERR The ID specified in XSETID is smaller than the target stream top item")
        );
        assert_eq!(c.cmd("XDEL s 6-6"), 1);
        assert_eq!(
            c.cmd("XSETID s 5-9"),
            error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
        );
        assert_eq!(c.cmd("XSETID s 9-9 ENTRIESADDED 7 MAXDELETEDID 8-8"), ok());
        assert_eq!(c.cmd("XADD s 9-9 f v"), error(TOO_SMALL));
        assert_eq!(c.cmd("XADD s 9-* f v"), "9-10");
    });
}

/// Commands of one pipeline, and of one EXEC, see what those before them did.
#[test]
fn in_a_row() {
    matrix(|c| {
        let calls = [
            "XADD s 1-1 a b",
            "XADD s 1-2 a b",
            "XDEL s 1-1",
            "XTRIM s MAXLEN 0",
            "XADD s 1-3 a b",
            "XLEN s",
        ];
        for wrap in [false, true] {
            c.plain("DEL s");
            if wrap {
                c.send(["MULTI"]);
            }
            c.send(calls);
            if wrap {
                c.send(["EXEC"]);
                (0..=calls.len()).for_each(|_| drop(c.read()));
                assert_eq!(c.read(), array!["1-1", "1-2", 1, 1, "1-3", 1]);
            } else {
                let replies: Vec<Value> = calls.iter().map(|_| c.read()).collect();
                assert_eq!(Value::Array(replies), array!["1-1", "1-2", 1, 1, "1-3", 1]);
            }
            assert_eq!(c.plain("XRANGE s - +"), array![array!["1-3", array!["a", "b"]]]);
        }
    });
}
