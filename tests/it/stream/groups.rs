use crate::support::client::{Client, Value, WRONG_TYPE, array, error, ok};
use crate::support::matrix::matrix;

fn entry(id: &str, value: &str) -> Value {
    array![Value::from(id), array!["f", value]]
}

#[test]
fn xgroup_and_xinfo() {
    matrix(|c| {
        assert!(c.cmd("XGROUP CREATE s g $").is_error());
        assert_eq!(c.cmd("XGROUP CREATE s g $ MKSTREAM"), ok());
        assert_eq!(c.cmd("XGROUP CREATE s g $"), error("BUSYGROUP Consumer Group name already exists"));
        assert_eq!(c.cmd("XGROUP CREATECONSUMER s g c"), 1);
        assert_eq!(c.cmd("XGROUP CREATECONSUMER s g c"), 0);
        assert_eq!(c.cmd("XGROUP SETID s g 5 ENTRIESREAD 3"), ok());
        let none = error("NOGROUP No such consumer group 'h' for key name 's'");
        assert_eq!(c.cmd("XGROUP SETID s h 5"), none);
        assert_eq!(c.cmd("XINFO CONSUMERS s h"), none);
        let Value::Array(groups) = c.cmd("XINFO GROUPS s") else { panic!("no groups") };
        assert_eq!(groups.len(), 1);
        let Value::Array(consumers) = c.cmd("XINFO CONSUMERS s g") else { panic!("no consumers") };
        assert_eq!(consumers.len(), 1);
        assert!(!c.cmd("XINFO STREAM s").is_error());
        assert!(!c.cmd("XINFO STREAM s FULL").is_error());
        assert_eq!(c.cmd("XGROUP DELCONSUMER s g c"), 0);
        assert_eq!(c.cmd("XGROUP DESTROY s g"), 1);
        assert_eq!(c.cmd("XGROUP DESTROY s g"), 0);
        assert_eq!(c.cmd("XINFO GROUPS s"), array![]);
        assert!(matches!(c.cmd("XGROUP HELP"), Value::Array(_)));
        assert!(matches!(c.cmd("XINFO HELP"), Value::Array(_)));
        assert_eq!(c.cmd("SET k v"), ok());
        assert_eq!(c.cmd("XGROUP CREATE k g 0"), error(WRONG_TYPE));
        assert_eq!(c.cmd("XINFO GROUPS k"), error(WRONG_TYPE));
    });
}

#[test]
fn xreadgroup_and_xack() {
    matrix(|c| {
        for n in ["1", "2", "3", "4"] {
            c.cmd(["XADD", "s", &format!("1-{n}"), "f", n]);
        }
        assert_eq!(c.cmd("XGROUP CREATE s g 0"), ok());
        assert_eq!(c.cmd("XGROUP CREATE s h 1-3"), ok());
        let read = |c: &mut Client, group: &str, consumer: &str, id: &str| {
            let reply = c.cmd(["XREADGROUP", "GROUP", group, consumer, "COUNT", "2", "STREAMS", "s", id]);
            entries(reply)
        };
        assert_eq!(read(c, "g", "a", ">"), [entry("1-1", "1"), entry("1-2", "2")]);
        assert_eq!(read(c, "g", "b", ">"), [entry("1-3", "3"), entry("1-4", "4")]);
        assert!(read(c, "g", "b", ">").is_empty());
        assert_eq!(read(c, "h", "a", ">"), [entry("1-4", "4")]);
        assert_eq!(c.cmd("XACK s g 1-1 1-3 9-9"), 2);
        assert_eq!(c.cmd("XACK s g 1-1"), 0);
        assert_eq!(c.cmd("XDEL s 1-2"), 1);
        assert_eq!(read(c, "g", "a", "0"), [array![Value::from("1-2"), Value::Null]]);
        assert_eq!(read(c, "g", "b", "0"), [entry("1-4", "4")]);
        // A group that is set back delivers again what is pending with somebody else.
        assert_eq!(c.cmd("XGROUP SETID s g 1-3"), ok());
        assert_eq!(read(c, "g", "a", ">"), [entry("1-4", "4")]);
        assert!(read(c, "g", "b", "0").is_empty());
        assert_eq!(c.cmd("XACK s g 1-4 1-2"), 2);
        assert!(read(c, "g", "a", "0").is_empty());
    });
}

fn entries(reply: Value) -> Vec<Value> {
    if reply == Value::Null {
        return Vec::new();
    }
    match reply.entries().remove(0).1 {
        Value::Array(entries) => entries,
        other => panic!("no entries: {other:?}"),
    }
}
