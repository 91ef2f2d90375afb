use respg::config::Config;

use crate::support::client::{Client, Protocol, Value, array, error, ok};
use crate::support::matrix::{matrix, next_database};
use crate::support::server;

#[test]
fn dbsize_and_flushdb() {
    matrix(|c| {
        let other = next_database().to_string();
        assert_eq!(c.cmd("MSET a 1 b 2 c 3"), ok());
        assert_eq!(c.cmd(["COPY", "a", "a", "DB", &other]), 1);
        assert_eq!(c.cmd("DBSIZE"), 3);
        assert_eq!(c.cmd("FLUSHDB"), ok());
        assert_eq!(c.cmd("DBSIZE"), 0);
        assert_eq!(c.cmd("MGET a b"), array![Value::Null, Value::Null]);
        assert_eq!(c.cmd("SET a 4"), ok());
        assert_eq!(c.cmd("KEYS *"), array!["a"]);
        assert_eq!(c.cmd("FLUSHDB ASYNC"), ok());
        assert_eq!(c.cmd("FLUSHDB now"), error("ERR syntax error"));
        assert_eq!(c.plain(["SELECT", &other]), ok());
        assert_eq!(c.cmd("DBSIZE"), 1);
    });
}

/// A server of its own, with logical databases of all classes: 0 and 3 durable, 1 cache, 2 relaxed.
fn of_all_classes() -> [Client; 2] {
    let config = Config { durability: Some("durable,1=cache,2=relaxed".into()), ..Config::defaults() };
    let address = server::start(config).socket;
    [Protocol::Resp2, Protocol::Resp3].map(|protocol| Client::connect(address, protocol))
}

#[test]
fn flushall() {
    let [mut c, mut other] = of_all_classes();
    for db in 0..4 {
        assert_eq!(c.cmd(format!("SELECT {db}").as_str()), ok());
        assert_eq!(c.cmd("SET k v"), ok());
    }
    assert_eq!(other.cmd("GET k"), "v");
    assert_eq!(c.cmd("FLUSHALL"), ok());
    assert_eq!(other.cmd("GET k"), Value::Null);
    for db in 0..4 {
        assert_eq!(c.cmd(format!("SELECT {db}").as_str()), ok());
        assert_eq!(c.cmd("DBSIZE"), 0);
    }
}

#[test]
fn swapdb() {
    let [mut c, mut other] = of_all_classes();
    for (a, b) in [(0, 3), (0, 2), (0, 1), (1, 2), (1, 0)] {
        assert_eq!(c.cmd("FLUSHALL"), ok());
        for db in [a, b] {
            assert_eq!(c.cmd(format!("SELECT {db}").as_str()), ok());
            assert_eq!(c.cmd(format!("MSET where {db} only{db} 1").as_str()), ok());
        }
        assert_eq!(other.cmd(format!("SELECT {a}").as_str()), ok());
        assert_eq!(c.cmd(format!("SWAPDB {a} {b}").as_str()), ok());
        assert_eq!(other.cmd("GET where"), b.to_string().as_str());
        assert_eq!(other.cmd(format!("EXISTS only{a} only{b}").as_str()), 1);
        assert_eq!(c.cmd("GET where"), a.to_string().as_str());
        assert_eq!(c.cmd("SET new 1"), ok());
        assert_eq!(c.cmd("DBSIZE"), 3);
        assert_eq!(other.cmd("DBSIZE"), 2);
    }
    assert_eq!(c.cmd("SWAPDB 0 99"), error("ERR DB index is out of range"));
    assert_eq!(c.cmd("SWAPDB x y"), error("ERR invalid first DB index"));
}
