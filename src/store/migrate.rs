//! Brings a database to this version's schema, at every start and in several processes at once.
//!
//! Not refinery: it wants its own file names, cannot keep its table in our schema without a search path, and does not know
//! function files that are applied again when they change; what is left is this page.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::databases::Durability;
use super::error::StoreError;
use super::tls::Target;

/// Numbered migrations: append-only, each applied once.
const MIGRATIONS: &[(i32, &str)] = &[
    (1, include_str!("../../migrations/0001_keyspace.sql")),
    (2, include_str!("../../migrations/0002_streams.sql")),
    (3, include_str!("../../migrations/0003_groups.sql")),
    (4, include_str!("../../migrations/0004_bus.sql")),
    (5, include_str!("../../migrations/0005_queues.sql")),
    (6, include_str!("../../migrations/0006_object_sweep.sql")),
    (7, include_str!("../../migrations/0007_stream_options.sql")),
    (8, include_str!("../../migrations/0008_settings.sql")),
    (9, include_str!("../../migrations/0009_imports.sql")),
    (10, include_str!("../../migrations/0010_resyncs.sql")),
    (11, include_str!("../../migrations/0011_shadow.sql")),
    (12, include_str!("../../migrations/0012_shadow_runs.sql")),
    (13, include_str!("../../migrations/0013_changes.sql")),
    (14, include_str!("../../migrations/0014_no_group_count.sql")),
    (15, include_str!("../../migrations/0015_unsupported_types.sql")),
    (16, include_str!("../../migrations/0016_lost_processes.sql")),
    (17, include_str!("../../migrations/0017_lookup.sql")),
    (18, include_str!("../../migrations/0018_passing_processes.sql")),
];

/// Function files: `CREATE OR REPLACE` and views, applied again whenever their text changes, in this order.
const FUNCTIONS: &[(&str, &str)] = &[
    ("bus", include_str!("../../migrations/functions/bus.sql")),
    ("generic", include_str!("../../migrations/functions/generic.sql")),
    ("server", include_str!("../../migrations/functions/server.sql")),
    ("sql_client", include_str!("../../migrations/functions/sql_client.sql")),
    ("streams", include_str!("../../migrations/functions/streams.sql")),
    ("queues", include_str!("../../migrations/functions/queues.sql")),
    ("queue_options", include_str!("../../migrations/functions/queue_options.sql")),
    ("queue_views", include_str!("../../migrations/functions/queue_views.sql")),
    ("transactions", include_str!("../../migrations/functions/transactions.sql")),
    ("shadow", include_str!("../../migrations/functions/shadow.sql")),
];

/// Lowest Postgres version, as in server_version_num.
const LOWEST_VERSION: i32 = 140_000;

/// One respg process at a time migrates. (The letters "respg".)
const LOCK: i64 = 0x0072_6573_7067;

/// So long the schema waits for a lock: whoever comes meanwhile and wants the table waits behind it.
const PATIENCE: &str = "SET LOCAL lock_timeout = '500ms'";

/// What the start wants of the logical databases.
#[derive(Debug, Clone, Default)]
pub struct DatabaseOptions {
    pub count: u32,
    /// For all databases that `classes` does not name; `None` leaves existing ones as they are.
    pub default_class: Option<Durability>,
    pub classes: Vec<(u32, Durability)>,
}

impl DatabaseOptions {
    fn class(&self, db: u32) -> Option<Durability> {
        self.classes.iter().find(|(number, _)| *number == db).map(|(_, class)| *class).or(self.default_class)
    }
}

/// Creates or updates the schema and the rows of the logical databases. The errors are sentences for the operator.
/// [`StoreError::Locked`]: somebody uses what has to change, and nothing has happened.
pub async fn migrate(target: &Target, databases: &DatabaseOptions) -> Result<(), StoreError> {
    let (mut client, driver) = target.connect().await.map_err(|error| StoreError::before_commit(&error))?;
    let outcome = run(&mut client, databases).await;
    drop(client);
    let _ = driver.await;
    outcome.map_err(|error| StoreError::before_commit(&error))?
}

async fn run(
    client: &mut Client,
    databases: &DatabaseOptions,
) -> Result<Result<(), StoreError>, tokio_postgres::Error> {
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
    if version < LOWEST_VERSION {
        let found = version / 10_000;
        return Ok(Err(StoreError::Refused(format!("respg needs PostgreSQL 14 or newer, this is {found}"))));
    }
    let transaction = client.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    transaction.batch_execute(PATIENCE).await?;
    let exists = "SELECT to_regclass('respg.migrations') IS NOT NULL";
    if !transaction.query_one(exists, &[]).await?.get::<_, bool>(0) {
        // Asked first: CREATE SCHEMA IF NOT EXISTS needs the right to create even if there is nothing to do.
        if !transaction.query_one("SELECT to_regnamespace('respg') IS NOT NULL", &[]).await?.get::<_, bool>(0)
        {
            transaction.batch_execute("CREATE SCHEMA respg").await?;
        }
        transaction
            .batch_execute(
                "CREATE TABLE respg.migrations (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
                 CREATE TABLE respg.function_files (name text PRIMARY KEY, sha256 bytea NOT NULL)",
            )
            .await?;
    }
    let newest: i32 =
        transaction.query_one("SELECT coalesce(max(number), 0) FROM respg.migrations", &[]).await?.get(0);
    let known = MIGRATIONS.last().map_or(0, |(number, _)| *number);
    if newest > known {
        // It would put its own functions in the place of newer ones, under those who use them.
        return Ok(Err(StoreError::Refused(format!(
            "a newer respg has prepared this database (schema {newest}, this respg knows {known}): start that version, or a newer one"
        ))));
    }
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > newest) {
        transaction.batch_execute(sql).await?;
        transaction.execute("INSERT INTO respg.migrations VALUES ($1)", &[number]).await?;
    }
    for (name, sql) in FUNCTIONS {
        let digest = Sha256::digest(sql).to_vec();
        let same = "SELECT EXISTS (SELECT FROM respg.function_files WHERE name = $1 AND sha256 = $2)";
        if !transaction.query_one(same, &[name, &digest]).await?.get::<_, bool>(0) {
            transaction.batch_execute(sql).await?;
            let remember = "INSERT INTO respg.function_files VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sha256 = $2";
            transaction.execute(remember, &[name, &digest]).await?;
        }
    }
    configure_databases(&transaction, databases).await?;
    transaction.commit().await?;
    Ok(Ok(()))
}

/// Makes a row for each logical database and changes the durability class of those whose class is given and another.
async fn configure_databases(
    transaction: &tokio_postgres::Transaction<'_>,
    databases: &DatabaseOptions,
) -> Result<(), tokio_postgres::Error> {
    let rows = transaction.query("SELECT db, space, durability FROM respg.databases", &[]).await?;
    let existing: Vec<(i32, i32, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let mut changed = false;
    for db in 0..databases.count {
        let wanted = databases.class(db);
        match existing.iter().find(|(number, ..)| *number == db as i32) {
            None => {
                let class = wanted.unwrap_or(Durability::Durable);
                let space = new_space(transaction, class).await?;
                let insert = "INSERT INTO respg.databases (db, space, durability) VALUES ($1, $2, $3)";
                transaction.execute(insert, &[&(db as i32), &space, &class.name()]).await?;
                changed = true;
            }
            Some((_, space, class)) => {
                let Some(wanted) = wanted.filter(|wanted| wanted.name() != class) else { continue };
                if !changed {
                    transaction
                        .batch_execute("LOCK TABLE respg.keyspace, respg.databases IN ACCESS EXCLUSIVE MODE")
                        .await?;
                    changed = true;
                }
                let target = match (*space < 0) == (wanted == Durability::Cache) {
                    true => *space,
                    false => new_space(transaction, wanted).await?,
                };
                // To the other table, if the class has another one.
                transaction
                    .execute("SELECT respg.move_objects($1) WHERE $1 <> $2", &[space, &target])
                    .await?;
                transaction
                    .execute(
                        "UPDATE respg.keys SET space = $2 WHERE space = $1 AND $1 <> $2",
                        &[space, &target],
                    )
                    .await?;
                let update = "UPDATE respg.databases SET space = $2, durability = $3 WHERE db = $1";
                transaction.execute(update, &[&(db as i32), &target, &wanted.name()]).await?;
            }
        }
    }
    if changed {
        transaction.execute("UPDATE respg.keyspace SET version = version + 1", &[]).await?;
    }
    Ok(())
}

async fn new_space(
    transaction: &tokio_postgres::Transaction<'_>,
    class: Durability,
) -> Result<i32, tokio_postgres::Error> {
    let number: i32 = transaction.query_one("SELECT nextval('respg.space')::int", &[]).await?.get(0);
    Ok(if class == Durability::Cache { -number } else { number })
}
