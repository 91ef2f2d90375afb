use crate::support::pg::{Database, fresh_database};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (Database::create().await, Database::create().await);
    assert_ne!(one.url(), other.url());
    one.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
    other.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
    assert_ne!(fresh_database().await, one.url());
}
