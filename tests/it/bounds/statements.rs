//! Every statement is understood by the Postgres of the tests, and the hot ones are planned as they must be.

use std::fs;
use std::path::Path;
use std::time::Duration;

use respg::store::statements::{self, KeyStatement, Statement, keys, streams};
use respg::store::{Commit, Connection, DatabaseOptions, Target, migrate};

use crate::support::pg::fresh_database;

async fn migrated() -> Connection {
    let target = Target::parse(&fresh_database().await).unwrap();
    migrate(&target, &DatabaseOptions { count: 16, ..DatabaseOptions::default() }).await.unwrap();
    Connection::open(&target, Commit::Durable, Duration::from_secs(10)).await.unwrap()
}

#[tokio::test]
async fn all_are_prepared() {
    let connection = migrated().await;
    for statement in statements::all() {
        if let Err(error) = connection.prepare(statement).await {
            panic!("{error}: {:?}\n{}", error.as_db_error(), statement.sql);
        }
    }
}

#[test]
fn the_list_is_complete() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/statements");
    let (mut single, mut on_keys) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let of = |kind: &str| {
            let declares = |line: &&str| line.contains("static ") && line.contains(&format!(": {kind} ="));
            text.lines().filter(declares).count()
        };
        single += of("Statement");
        on_keys += of("KeyStatement");
    }
    assert!(single > 0 && on_keys > 0);
    assert_eq!(statements::all().len(), single + 3 * on_keys, "a statement is missing in statements::all()");
}

/// How Postgres executes a statement whatever its parameters are.
async fn plan(connection: &Connection, statement: &Statement) -> String {
    let client = connection.client();
    let prepared = client.prepare(statement.sql).await.unwrap();
    let nulls = vec!["NULL"; prepared.params().len()].join(", ");
    let types: Vec<&str> = prepared.params().iter().map(|kind| kind.name()).collect();
    client
        .batch_execute(&format!("PREPARE tested ({}) AS {}", types.join(", "), statement.sql))
        .await
        .unwrap();
    let rows = client.simple_query(&format!("EXPLAIN (COSTS OFF) EXECUTE tested({nulls})")).await.unwrap();
    client.batch_execute("DEALLOCATE tested").await.unwrap();
    let line = |message: &tokio_postgres::SimpleQueryMessage| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    rows.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

/// `lookup`: the end of the name of the index by which keys are found.
async fn check_plans(connection: &Connection, when: &str, lookup: &str) {
    let searching: [(&str, &KeyStatement); 6] = [
        ("READ", &keys::READ),
        ("READ_SPACE", &keys::READ_SPACE),
        ("READ_ONE", &keys::READ_ONE),
        ("LOCK", &keys::LOCK),
        ("UPDATE", &keys::UPDATE),
        ("DELETE", &keys::DELETE),
    ];
    for (name, forms) in searching {
        let expected = [
            (&forms.logged, vec!["keys_logged"]),
            (&forms.unlogged, vec!["keys_unlogged"]),
            (&forms.any, vec!["keys_logged", "keys_unlogged"]),
        ];
        // One space is in one table.
        let forms = if ["READ_SPACE", "READ_ONE"].contains(&name) { 2 } else { 3 };
        for (statement, tables) in expected.into_iter().take(forms) {
            let plan = plan(connection, statement).await;
            let used =
                tables.iter().all(|table| plan.contains(&format!("Index Scan using {table}_{lookup}")));
            assert!(used && !plan.contains("Seq Scan on keys_"), "{name} on {when}:\n{plan}");
        }
    }
    let found = &format!("keys_logged_{lookup}");
    let of_streams: [(&str, &Statement, &[&str]); 6] = [
        ("OF_KEYS", &streams::OF_KEYS.logged, &[found, "streams_logged_pkey"]),
        ("UPDATE", &streams::UPDATE.logged, &["streams_logged_pkey"]),
        ("DELETE_ENTRIES", &streams::DELETE_ENTRIES, &["stream_entries_logged_pkey"]),
        ("RANGE", &streams::RANGE, &[found, "streams_logged_pkey", "stream_entries_logged_pkey"]),
        ("READ", &streams::READ, &[found, "streams_logged_pkey", "stream_entries_logged_pkey"]),
        ("LENGTH", &streams::LENGTH, &[found, "streams_logged_pkey"]),
    ];
    for (name, statement, indexes) in of_streams {
        let plan = plan(connection, statement).await;
        let used = indexes.iter().all(|index| plan.contains(&format!("using {index}")));
        let other = ["Seq Scan", "scan_hash", "Materialize"].iter().any(|word| plan.contains(word));
        assert!(used && !other, "{name} on {when}:\n{plan}");
    }
    for (statement, index) in
        [(&keys::OVERWRITE.logged, "keys_logged_pkey"), (&keys::OVERWRITE.unlogged, "keys_unlogged_pkey")]
    {
        let plan = plan(connection, statement).await;
        let used = plan.contains(&format!("Conflict Arbiter Indexes: {index}"));
        assert!(used && !plan.contains("Seq Scan on keys_"), "OVERWRITE on {when}:\n{plan}");
    }
}

#[tokio::test]
async fn hot_statements_use_indexes() {
    let connection = migrated().await;
    check_plans(&connection, "empty tables", "pkey").await;
    // Else they may be analysed before we are.
    for table in ["keys_logged", "keys_unlogged", "streams_logged", "stream_entries_logged"] {
        let sql = format!("ALTER TABLE respg.{table} SET (autovacuum_enabled = off)");
        connection.client().batch_execute(&sql).await.unwrap();
    }
    let fill = "INSERT INTO respg.keys (space, key, type, value)
                SELECT sign(i % 2 - 0.5)::int, convert_to('key' || i, 'UTF8'), 1, 'v' FROM generate_series(1, 40000) i";
    connection.client().batch_execute(fill).await.unwrap();
    let fill = "INSERT INTO respg.streams SELECT i, 1, 1, 1, x, x, x, x, 1, 1, 1, 1, 1 FROM
                    (SELECT i, lpad(to_hex(i), 32, '0')::uuid AS x FROM generate_series(1, 40000) i) i;
                INSERT INTO respg.stream_entries SELECT 1, lpad(to_hex(i), 32, '0')::uuid, 1, '' FROM generate_series(1, 40000) i";
    connection.client().batch_execute(fill).await.unwrap();
    check_plans(&connection, "filled tables", "pkey").await;
    connection
        .client()
        .batch_execute("ANALYZE respg.keys, respg.streams, respg.stream_entries")
        .await
        .unwrap();
    check_plans(&connection, "filled tables that were analysed", "key_idx").await;
}

/// A plan that was made while the table was known to be empty does not outlive the table's growth by more than a second.
#[tokio::test]
async fn plans_follow_the_table() {
    let connection = migrated().await;
    let client = connection.client();
    let sql = keys::READ.logged.sql;
    let execute = "EXECUTE kept (NULL, NULL, NULL)";
    client
        .batch_execute(&format!("ANALYZE respg.keys; PREPARE kept (int[], bytea[], int[]) AS {sql}"))
        .await
        .unwrap();
    client.batch_execute(execute).await.unwrap();
    let fill = "INSERT INTO respg.keys (space, key, type, value)
                SELECT 1, convert_to('key' || i, 'UTF8'), 1, 'v' FROM generate_series(1, 40000) i";
    client.batch_execute(fill).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    connection.refresh_plans(Duration::from_secs(5)).await.unwrap();
    let rows = client.simple_query(&format!("EXPLAIN (COSTS OFF) {execute}")).await.unwrap();
    let plan: String = rows.iter().map(|message| format!("{message:?}\n")).collect();
    assert!(plan.contains("Index Scan using keys_logged_pkey"), "{plan}");
}
