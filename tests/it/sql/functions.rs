use tokio_postgres::error::SqlState;
use tokio_postgres::types::FromSqlOwned;

use super::transactions::Both;
use crate::support::client::{Value, ok};

impl Both {
    pub fn one<T: FromSqlOwned>(&self, sql: &str) -> T {
        self.sql(sql).expect("the statement succeeds")[0].get(0)
    }

    pub fn refused(&self, sql: &str) -> SqlState {
        self.sql(sql).expect_err("the statement fails").code().cloned().expect("an error of Postgres")
    }
}

#[test]
fn one_truth_for_both() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("SET a 1"), ok());
    assert_eq!(both.one::<Option<String>>("SELECT respg.get('a')").as_deref(), Some("1"));
    assert_eq!(both.one::<i64>("SELECT respg.incr('a', 41)"), 42);
    assert_eq!(both.redis.cmd("GET a"), "42");
    both.sql("SELECT respg.set('b', 'ü', interval '100 seconds')").unwrap();
    assert_eq!(both.redis.cmd("GET b"), "ü");
    assert!((70..=100).contains(&both.redis.cmd("TTL b").integer()));
    assert_eq!(both.redis.cmd("PERSIST b"), 1);
    assert!(both.one::<bool>("SELECT respg.ttl('b') IS NULL AND respg.exists('b')"));
    assert!(both.one::<bool>("SELECT respg.expire('b', interval '50 seconds')"));
    assert!((20..=50).contains(&both.redis.cmd("TTL b").integer()));
    assert!(both.one::<bool>("SELECT respg.del('b')"));
    assert_eq!(both.redis.cmd("EXISTS b"), 0);
    assert_eq!(both.one::<Option<String>>("SELECT respg.get('b')"), None);
}

#[test]
fn bytes_and_other_databases() {
    let mut both = Both::start();
    both.sql(r"SELECT respg.set('\x00ff'::bytea, '\x0d0a'::bytea, NULL, 3)").unwrap();
    assert_eq!(both.redis.cmd("SELECT 3"), ok());
    assert_eq!(both.redis.cmd([&b"GET"[..], b"\x00\xff"]), &b"\r\n"[..]);
    let long = "k".repeat(5000);
    both.sql(&format!("SELECT respg.set('{long}', 'v', NULL, 3)")).unwrap();
    assert_eq!(both.redis.cmd(["GET", &long]), "v");
    assert_eq!(both.redis.cmd(["SET", &long, "w"]), ok());
    assert_eq!(both.one::<String>(&format!("SELECT respg.get('{long}', 3)")), "w");
}

#[test]
fn expired_keys_and_placeholders_are_absent() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("SET k 5 PX 1"), ok());
    assert_eq!(both.redis.cmd("WATCH l"), ok());
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert!(!both.one::<bool>(
        "SELECT respg.exists('k') OR respg.exists('l') OR respg.del('l') OR respg.expire('k', NULL)"
    ));
    assert_eq!(both.one::<i64>("SELECT respg.incr('k')"), 1);
    assert_eq!(both.one::<i64>("SELECT respg.incr('l', -1)"), -1);
    assert_eq!(both.redis.cmd("TTL k"), -1);
    // The write counts for WATCH.
    assert_eq!(both.redis.cmd("MULTI"), ok());
    assert_eq!(both.redis.cmd("EXEC"), Value::Null);
}

#[test]
fn errors() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("MSET text x big 9223372036854775807 zero 007"), ok());
    for key in ["text", "zero"] {
        let state = both.refused(&format!("SELECT respg.incr('{key}')"));
        assert_eq!(state, SqlState::INVALID_TEXT_REPRESENTATION);
    }
    assert_eq!(both.refused("SELECT respg.incr('big')"), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    assert_eq!(both.refused("SELECT respg.get('k', 99)"), SqlState::INVALID_PARAMETER_VALUE);
    let past = "SELECT respg.set('k', 'v', interval '0')";
    assert_eq!(both.refused(past), SqlState::INVALID_PARAMETER_VALUE);
    assert_eq!(both.refused("SELECT respg.set('k', NULL::text)"), SqlState::NULL_VALUE_NOT_ALLOWED);
    assert_eq!(both.redis.cmd("EXISTS k"), 0);
}
