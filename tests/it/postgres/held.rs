//! A start while somebody else holds what respg asks for.

use std::time::Duration;

use tokio_postgres::Client;

use crate::support::client::Value;
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking, refusal};

/// Lets nobody have a client id until it is dropped or commits.
async fn holder(url: &str) -> Client {
    drop(Respg::on(url, &[]));
    let holder = connect(url).await;
    holder
        .batch_execute("BEGIN; ALTER SEQUENCE respg.client_id_block MAXVALUE 9223372036854775806")
        .await
        .unwrap();
    holder
}

/// Longer than an answer may take is not too long: nobody waits for it but who starts respg.
#[test]
fn is_waited_for() {
    blocking(async {
        let url = fresh_database().await;
        let holder = holder(&url).await;
        let starting = tokio::task::spawn_blocking(move || Respg::on(&url, &["--postgres-timeout", "500"]));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!starting.is_finished(), "the start does not need what is held");
        holder.batch_execute("COMMIT").await.unwrap();
        assert_eq!(starting.await.unwrap().connect().cmd("PING"), Value::Status("PONG".into()));
    });
}

#[test]
fn is_not_waited_for_for_ever() {
    let url = blocking(fresh_database());
    let said = blocking(async {
        let _holder = holder(&url).await;
        let refused = tokio::task::spawn_blocking(move || refusal(&url, &["--postgres-timeout", "500"]));
        refused.await.unwrap()
    });
    // Postgres's own limit of a wait, or ours, which is the same.
    let whys = ["a transaction in PostgreSQL holds a lock on it", "no answer in time"];
    assert!(whys.iter().any(|why| said == format!("respg: cannot use the database: {why}")), "{said}");
}

/// To give the logical databases another durability class takes a lock that excludes whoever reads keys. Whoever waits for it has everybody else wait too, who comes later.
#[test]
fn what_the_schema_needs_is_waited_for_beside_the_others() {
    blocking(async {
        let url = fresh_database().await;
        let (running, holder) = (Respg::on(&url, &[]), reader(&url).await);
        let starting = tokio::task::spawn_blocking(move || Respg::on(&url, &["--durability", "relaxed"]));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let served = tokio::task::spawn_blocking(move || running.connect().plain("INCR n"));
        assert_eq!(served.await.unwrap(), 1);
        assert!(!starting.is_finished(), "the start does not need what is held");
        holder.batch_execute("COMMIT").await.unwrap();
        assert_eq!(starting.await.unwrap().connect().plain("INCR n"), 2);
    });
}

#[test]
fn what_the_schema_needs_is_not_waited_for_for_ever() {
    let url = blocking(fresh_database());
    let said = blocking(async {
        drop(Respg::on(&url, &[]));
        let _holder = reader(&url).await;
        let refused = tokio::task::spawn_blocking(move || refusal(&url, &["--durability", "relaxed"]));
        refused.await.unwrap()
    });
    assert_eq!(said, "respg: cannot use the database: a transaction in PostgreSQL holds a lock on it");
}

/// A transaction that has read a key.
async fn reader(url: &str) -> Client {
    let reader = connect(url).await;
    reader.batch_execute("BEGIN; SELECT FROM respg.keyspace").await.unwrap();
    reader
}
