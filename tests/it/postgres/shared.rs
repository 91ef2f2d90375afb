use std::thread;

use crate::support::pg::{Database, bare_database, connect, fresh_database};
use crate::support::respg::{Respg, blocking};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (Database::create().await, Database::create().await);
    assert_ne!(one.url(), other.url());
    one.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
    other.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
    assert_ne!(fresh_database().await, one.url());
}

/// The databases of other tests have the schema already.
#[test]
fn processes_that_start_at_once_make_the_schema_once() {
    let url = blocking(bare_database());
    thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(|| Respg::on(&url, &[]))).collect();
        for (value, respg) in (1..).zip(started) {
            assert_eq!(respg.join().expect("a process").connect().plain("INCR n"), value);
        }
    });
    let gaps = "SELECT max(number) - count(*) FROM respg.migrations";
    let gaps: i64 = blocking(async { connect(&url).await.query_one(gaps, &[]).await.expect("rows").get(0) });
    assert_eq!(gaps, 0);
}
