//! Streams under the commands that treat all types alike, and what is left in the tables.

use std::thread::sleep;
use std::time::{Duration, Instant};

use respg::config::Config;

use crate::support::client::{Client, Protocol, Value, array, ok};
use crate::support::matrix::matrix;
use crate::support::pg::connect;
use crate::support::respg::blocking;
use crate::support::server;

fn fill(c: &mut Client, key: &str, ids: std::ops::RangeInclusive<u32>) {
    for id in ids {
        assert!(!c.cmd(["XADD", key, &id.to_string(), "f", "v"]).is_error());
    }
}

#[test]
fn names() {
    matrix(|c| {
        fill(c, "s", 1..=3);
        assert_eq!(c.cmd("RENAME s t"), ok());
        assert_eq!((c.cmd("XLEN s"), c.cmd("XLEN t")), (Value::Integer(0), Value::Integer(3)));
        assert_eq!(c.cmd("COPY t u"), 1);
        fill(c, "t", 4..=4);
        assert_eq!(c.cmd("XDEL u 1"), 1);
        assert_eq!((c.cmd("XLEN t"), c.cmd("XLEN u")), (Value::Integer(4), Value::Integer(2)));
        // Copies of what a batch has just changed.
        c.send(["XADD u 8 f v", "XDEL u 2", "COPY u v", "XADD u 9 f v", "COPY v w", "DEL v"]);
        (0..6).for_each(|_| assert!(!c.read().is_error()));
        assert_eq!(
            c.cmd("XRANGE w - +"),
            array![array!["3-0", array!["f", "v"]], array!["8-0", array!["f", "v"]]]
        );
        assert_eq!((c.cmd("XLEN u"), c.cmd("XLEN v")), (Value::Integer(3), Value::Integer(0)));
    });
}

/// To other databases, also of another class.
#[test]
fn databases() {
    let config = Config { durability: Some("durable,1=cache".into()), ..Config::defaults() };
    let address = server::start(config).socket;
    for (protocol, in_multi) in [(Protocol::Resp2, false), (Protocol::Resp3, true)] {
        let mut c = Client::connect(address, protocol);
        c.in_multi = in_multi;
        for [here, there] in [[0, 2], [0, 1], [1, 0]] {
            assert_eq!(c.plain("FLUSHALL"), ok());
            c.select(here);
            let mut other = c.sibling();
            other.select(there);
            fill(&mut c, "w", 1..=3);
            let there = there.to_string();
            assert_eq!(c.cmd(["COPY", "w", "w", "DB", &there]), 1);
            assert_eq!(c.cmd(["MOVE", "w", &there]), 0);
            assert_eq!(other.cmd("DEL w"), 1);
            assert_eq!(c.cmd("COPY w x REPLACE"), 1);
            assert_eq!(c.cmd(["MOVE", "x", &there]), 1);
            assert_eq!((c.cmd("EXISTS x"), other.cmd("XLEN x")), (Value::Integer(0), Value::Integer(3)));
            assert_eq!(other.cmd("XADD x 9 f v"), "9-0");
            assert_eq!(other.cmd("XREVRANGE x + - COUNT 1"), array![array!["9-0", array!["f", "v"]]]);
            assert_eq!(c.cmd(["SWAPDB", &here.to_string(), &there]), ok());
            assert_eq!((other.cmd("XLEN w"), c.cmd("XLEN x")), (Value::Integer(3), Value::Integer(4)));
            fill(&mut c, "x", 10..=11);
            assert_eq!(c.cmd("XTRIM x MAXLEN 3"), 3);
        }
    }
}

#[test]
fn ends() {
    matrix(|c| {
        fill(c, "s", 1..=3);
        assert_eq!(c.cmd("PEXPIREAT s 99999999999999"), 1);
        fill(c, "s", 4..=4);
        assert_eq!(c.cmd("PEXPIRETIME s"), 99_999_999_999_999);
        assert_eq!(c.cmd("PERSIST s"), 1);
        assert_eq!(c.cmd("DEL s"), 1);
        fill(c, "s", 1..=1);
        assert_eq!(c.cmd("XLEN s"), 1);
        // Plain SETs do not look at what they overwrite.
        assert_eq!(c.cmd("SET s v"), ok());
        assert_eq!(c.cmd("GET s"), "v");
        c.cmd("DEL s");
        fill(c, "s", 1..=1);
        assert_eq!(c.cmd("PEXPIRE s 1"), 1);
        sleep(Duration::from_millis(5));
        assert_eq!(c.cmd("XADD s NOMKSTREAM 9 f v"), Value::Null);
        fill(c, "s", 1..=1);
        assert_eq!(c.cmd("FLUSHDB"), ok());
        assert_eq!(c.cmd("XLEN s"), 0);
        fill(c, "s", 1..=1);
        assert_eq!(c.cmd("MSET s v t v"), ok());
        assert_eq!(c.cmd("UNLINK s"), 1);
    });
}

#[test]
fn watched() {
    matrix(|c| {
        let mut other = c.sibling();
        other.in_multi = false;
        for (meanwhile, expected) in
            [("XLEN s", false), ("XADD s * f v", true), ("XTRIM s MAXLEN 0", true), ("XDEL s 99", false)]
        {
            c.plain("DEL s");
            c.plain("XADD s 1-1 f v");
            assert_eq!(c.plain("WATCH s"), ok());
            assert!(!other.cmd(meanwhile).is_error());
            c.send(["MULTI", "PING", "EXEC"]);
            c.read();
            c.read();
            assert_eq!(c.read() == Value::Null, expected, "{meanwhile}");
        }
    });
}

/// Whatever takes a stream from its key leaves it to the sweeper, and nothing is left over in the end.
#[test]
fn nothing_is_left_over() {
    let running = server::start(Config::defaults());
    let mut c = Client::connect(running.socket, Protocol::Resp2);
    let ends = [
        "DEL s",
        "SET s v",
        "RENAME t s",
        "COPY t s REPLACE",
        "PEXPIRE s 1",
        "FLUSHDB",
        "MSET s 1 u 1",
        "MOVE s 2",
    ];
    for end in ends {
        c.plain("FLUSHDB");
        fill(&mut c, "s", 1..=40);
        fill(&mut c, "t", 1..=40);
        assert!(!c.plain(end).is_error(), "{end}");
    }
    fill(&mut c, "v", 1..=3000);
    assert_eq!(c.plain("XTRIM v MAXLEN 1"), 2999);
    for call in ["SWAPDB 0 2", "FLUSHALL"] {
        assert_eq!(c.plain(call), ok());
    }
    blocking(wait_for_nothing(&running.database_url));
}

async fn wait_for_nothing(url: &str) {
    let client = connect(url).await;
    let begun = Instant::now();
    loop {
        let left = "SELECT (SELECT count(*) FROM respg.stream_entries) + (SELECT count(*) FROM respg.streams)
                         + (SELECT count(*) FROM respg.dropped_objects) + (SELECT count(*) FROM respg.stream_trims)";
        let left: i64 = client.query_one(left, &[]).await.unwrap().get(0);
        if left == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{left} rows are left over");
        client.batch_execute("UPDATE respg.sweep SET due = now()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
