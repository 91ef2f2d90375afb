use std::collections::BTreeSet;

use crate::support::client::{Client, Value, error, ok};
use crate::support::matrix::matrix;

fn texts(value: Value) -> Vec<String> {
    let Value::Array(items) = value else { panic!("not an array: {value:?}") };
    items.into_iter().map(text).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("not a string: {other:?}"),
    }
}

fn page(c: &mut Client, cursor: &str, options: &str) -> (String, Vec<String>) {
    let Value::Array(mut reply) = c.cmd(format!("SCAN {cursor} {options}").as_str()) else { panic!() };
    let keys = texts(reply.pop().unwrap());
    (text(reply.pop().unwrap()), keys)
}

fn fill(c: &mut Client, keys: impl Iterator<Item = String>) {
    let words: Vec<String> =
        ["MSET".to_owned()].into_iter().chain(keys.flat_map(|key| [key, "v".into()])).collect();
    assert_eq!(c.cmd(words), ok());
}

#[test]
fn scan_shows_every_key_that_is_there_all_the_time() {
    matrix(|c| {
        fill(c, (0..100).map(|i| format!("stay:{i}")));
        let (mut cursor, mut seen, mut pages) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let (next, keys) = page(c, &cursor, "COUNT 7");
            seen.extend(keys);
            pages += 1;
            // Others come and go.
            fill(c, (0..20).map(|i| format!("new:{pages}:{i}")));
            assert_eq!(c.cmd(format!("DEL new:{pages}:1 new:{pages}:2").as_str()), 2);
            cursor = next;
            if cursor == "0" || pages > 1000 {
                break;
            }
        }
        assert!(pages > 10 && (0..100).all(|i| seen.contains(&format!("stay:{i}"))));
    });
}

#[test]
fn scan_with_options() {
    matrix(|c| {
        fill(c, (0..30).map(|i| format!("k{i}")));
        assert_eq!(c.cmd("SET gone v PX 1"), ok());
        std::thread::sleep(std::time::Duration::from_millis(5));
        let (cursor, keys) = page(c, "0", "MATCH k1[0-3] COUNT 1000 TYPE string");
        assert_eq!(cursor, "0");
        assert_eq!(
            BTreeSet::from_iter(keys),
            BTreeSet::from(["k10", "k11", "k12", "k13"].map(str::to_owned))
        );
        assert_eq!(page(c, "0", "COUNT 9223372036854775807").1.len(), 30);
        assert_eq!(page(c, "0", "TYPE list COUNT 100"), ("0".to_owned(), Vec::new()));
        assert_eq!(c.cmd("SCAN x"), error("ERR invalid cursor"));
        assert_eq!(c.cmd("SCAN 0 COUNT 0"), error("ERR syntax error"));
    });
}

#[test]
fn keys() {
    matrix(|c| {
        assert_eq!(
            c.cmd(["MSET", "user:1", "", "user:2", "", "a_b", "", "axb", "", "50%", "", "", ""]),
            ok()
        );
        let mut found = |pattern: &str| BTreeSet::from_iter(texts(c.cmd(["KEYS", pattern])));
        assert_eq!(found("*").len(), 6);
        assert_eq!(found("user:*"), BTreeSet::from(["user:1", "user:2"].map(str::to_owned)));
        assert_eq!(found("a_b"), BTreeSet::from(["a_b".to_owned()]));
        assert_eq!(found("a?b").len(), 2);
        assert_eq!(found("*%"), BTreeSet::from(["50%".to_owned()]));
        assert_eq!(found("**").len(), 5);
        assert_eq!(found("[^u]*").len(), 3);
    });
}

#[test]
fn randomkey() {
    matrix(|c| {
        assert_eq!(c.cmd("RANDOMKEY"), Value::Null);
        fill(c, ["a", "b", "c"].map(str::to_owned).into_iter());
        let seen: BTreeSet<String> = (0..100).map(|_| text(c.cmd("RANDOMKEY"))).collect();
        assert_eq!(seen, BTreeSet::from(["a", "b", "c"].map(str::to_owned)));
    });
}
