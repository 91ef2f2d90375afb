use crate::support::client::Protocol;
use crate::support::client::{Client, Value, array, error, ok};
use crate::support::matrix::{Mode, matrix, next_database, run};

/// MULTI itself is not tried inside MULTI.
fn each_protocol(body: impl Fn(&mut Client)) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for mode in [Mode::Alone, Mode::Batched] {
            run(mode, protocol, &body);
        }
    }
}

fn queued() -> Value {
    Value::Status("QUEUED".to_owned())
}

fn exec(c: &mut Client, calls: &[&str]) -> Value {
    assert_eq!(c.cmd("MULTI"), ok());
    for call in calls {
        assert_eq!(c.cmd(*call), queued(), "{call}");
    }
    c.cmd("EXEC")
}

#[test]
fn commands_see_each_other() {
    each_protocol(|c| {
        let replies = exec(c, &["SET a 1", "INCR a", "RENAME a b", "GET a", "GET b", "DEL b", "EXISTS b"]);
        assert_eq!(replies, array![ok(), 2, ok(), Value::Null, "2", 1, 0]);
        assert_eq!(exec(c, &[]), array![]);
    });
}

#[test]
fn a_mistake_at_run_time_does_not_undo_the_others() {
    each_protocol(|c| {
        let replies = exec(c, &["SET a x", "INCR a", "SET b 1"]);
        assert_eq!(replies, array![ok(), error("ERR value is not an integer or out of range"), ok()]);
        assert_eq!(c.cmd("MGET a b"), array!["x", "1"]);
    });
}

#[test]
fn a_refused_command_aborts() {
    each_protocol(|c| {
        assert_eq!(c.cmd("MULTI"), ok());
        assert_eq!(c.cmd("SET a 1"), queued());
        assert!(c.cmd("GET").is_error());
        let abort = error("EXECABORT Transaction discarded because of previous errors.");
        assert_eq!(c.cmd("EXEC"), abort);
        assert_eq!(c.cmd("EXISTS a"), 0);
        assert_eq!(c.cmd("EXEC"), error("ERR EXEC without MULTI"));
    });
}

#[test]
fn discard_and_nesting() {
    each_protocol(|c| {
        assert_eq!(c.cmd("DISCARD"), error("ERR DISCARD without MULTI"));
        assert_eq!(c.cmd("MULTI"), ok());
        assert_eq!(c.cmd("MULTI"), error("ERR MULTI calls can not be nested"));
        assert_eq!(c.cmd("WATCH a"), error("ERR WATCH inside MULTI is not allowed"));
        assert_eq!(c.cmd("SET a 1"), queued());
        assert_eq!(c.cmd("DISCARD"), ok());
        assert_eq!(c.cmd("EXISTS a"), 0);
    });
}

#[test]
fn with_commands_that_are_more_than_keys() {
    each_protocol(|c| {
        let other = next_database();
        let select = format!("SELECT {other}");
        let calls = [
            "SET a 1",
            "DBSIZE",
            "RANDOMKEY",
            "KEYS *",
            "SCAN 0",
            "INCR a",
            &select,
            "SET c 1",
            "DBSIZE",
            "MOVE c 0",
        ];
        let replies = exec(c, &calls[..9]);
        let scanned = array!["0", array!["a"]];
        assert_eq!(replies, array![ok(), 1, "a", array!["a"], scanned, 2, ok(), ok(), 1]);
        // SELECT holds from here on.
        assert_eq!(c.cmd("KEYS *"), array!["c"]);
    });
}

#[test]
fn flushdb_in_the_middle() {
    matrix(|c| {
        assert_eq!(c.plain("MSET a 1 b 2"), ok());
        let calls = ["MULTI", "GET a", "FLUSHDB", "GET a", "SET b 3", "DBSIZE", "FLUSHDB", "SET c 4", "EXEC"];
        let mut last = Value::Null;
        for call in calls {
            last = c.plain(call);
        }
        assert_eq!(last, array!["1", ok(), Value::Null, ok(), 1, ok(), ok()]);
        assert_eq!(c.cmd("KEYS *"), array!["c"]);
    });
}
