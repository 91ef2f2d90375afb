use std::sync::Arc;
use std::time::Duration;

use respg::config::Config;
use tokio::runtime::Runtime;
use tokio_postgres::{Row, SimpleQueryMessage};

use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::connect;
use crate::support::server;

/// A server, a client of Redis and a client of SQL on its database.
pub struct Both {
    pub redis: Client,
    /// Another client of Redis.
    pub other: Client,
    postgres: tokio_postgres::Client,
    runtime: Runtime,
    address: Arc<server::Address>,
}

impl Both {
    pub fn start() -> Both {
        Both::at(Arc::new(server::start(Config { threads: Some(1), ..Config::defaults() })))
    }

    /// Further clients of the same server.
    pub fn another(&self) -> Both {
        Both::at(self.address.clone())
    }

    fn at(address: Arc<server::Address>) -> Both {
        let runtime = Runtime::new().unwrap();
        let postgres = runtime.block_on(connect(&address.database_url));
        let client = || Client::connect(address.socket, Protocol::Resp2);
        Both { redis: client(), other: client(), postgres, runtime, address }
    }

    pub fn sql(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.runtime.block_on(self.postgres.query(sql, &[]))
    }

    /// Several statements, as psql would send them.
    pub fn script(&self, sql: &str) -> Vec<SimpleQueryMessage> {
        self.runtime.block_on(self.postgres.simple_query(sql)).expect("the statements succeed")
    }
}

#[test]
fn nothing_is_seen_before_the_commit() {
    let mut both = Both::start();
    both.script(
        "CREATE TABLE orders (id int); BEGIN; INSERT INTO orders VALUES (1);
         SELECT respg.set('order:1', 'new'), respg.incr('orders')",
    );
    assert_eq!(both.redis.cmd("EXISTS order:1 orders"), 0);
    both.script("COMMIT");
    assert_eq!(both.redis.cmd("GET order:1"), "new");
    assert_eq!(both.redis.cmd("GET orders"), "1");
}

#[test]
fn a_rollback_takes_everything_back() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("MSET n 1 gone 1"), ok());
    both.script("BEGIN; SELECT respg.incr('n'), respg.del('gone'), respg.set('new', 'v'); ROLLBACK");
    assert_eq!(both.redis.cmd("GET n"), "1");
    assert_eq!(both.redis.cmd("EXISTS gone new"), 1);
}

#[test]
fn a_redis_client_that_writes_the_key_waits_for_the_end() {
    for (end, expected) in [("COMMIT", "12"), ("ROLLBACK", "2")] {
        let mut both = Both::start();
        assert_eq!(both.redis.cmd("SET n 1"), ok());
        both.script("BEGIN; SELECT respg.incr('n', 10)");
        both.redis.send(["INCR n"]);
        // Others are not held up.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(both.other.cmd("SET m 1"), ok());
        assert_eq!(both.other.cmd("GET n"), "1");
        both.script(end);
        assert_eq!(both.redis.read().integer().to_string(), expected);
        assert_eq!(both.redis.cmd("GET n"), expected);
    }
}

#[test]
fn an_absent_key_too() {
    let mut both = Both::start();
    both.script("BEGIN; SELECT respg.incr('n', 10)");
    both.redis.send(["SET n 1 NX"]);
    std::thread::sleep(Duration::from_millis(300));
    both.script("COMMIT");
    assert_eq!(both.redis.read(), Value::Null);
    assert_eq!(both.redis.cmd("GET n"), "10");
}

#[test]
fn watch_sees_the_commit_of_a_business_transaction() {
    let mut both = Both::start();
    for (end, aborts) in [("COMMIT", true), ("ROLLBACK", false)] {
        assert_eq!(both.redis.cmd("WATCH k"), ok());
        both.script(&format!("BEGIN; SELECT respg.set('k', 'v'); {end}"));
        assert_eq!(both.redis.cmd("MULTI"), ok());
        assert_eq!(both.redis.cmd("EXEC") == Value::Null, aborts);
    }
}

#[test]
fn flushdb_from_sql() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("SET k v"), ok());
    both.script("BEGIN; SELECT respg.flushdb(); SELECT respg.set('l', 'w'); COMMIT");
    assert_eq!(both.redis.cmd("EXISTS k l"), 1);
}
