//! What the durability classes promise, and changing them.

use std::path::Path;
use std::process::Command;

use respg::postgres::OwnPostgres;
use tokio_postgres::Client as Sql;

use crate::support::client::{Client, Value, error, ok};
use crate::support::pg::{self, Scratch, connect, fresh_database};
use crate::support::respg::{Respg, blocking};

fn strings<const N: usize>(client: &mut Client, db: u32, keys: [&str; N]) -> [Value; N] {
    client.select(db);
    keys.map(|key| client.plain(["GET", key]))
}

/// How many rows a table holds that are keys.
async fn rows(sql: &Sql, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM respg.{table} WHERE type <> 0");
    sql.query_one(&count, &[]).await.unwrap().get(0)
}

#[test]
fn only_durable_writes_wait_for_the_flush() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &["--durability", "0=durable,1=relaxed,2=cache", "--threads", "1"]);
    let mut client = respg.connect();
    // How a session of respg that has just written commits.
    let classes = [(0, "on", "keys_logged"), (1, "off", "keys_logged"), (2, "off", "keys_unlogged")];
    blocking(async {
        let sql = connect(&url).await;
        for (db, synchronous, table) in classes {
            client.select(db);
            let before = rows(&sql, table).await;
            // A trigger sees the setting of the session that writes.
            sql.batch_execute(&format!(
                "CREATE TABLE public.seen{db} AS SELECT ''::text AS setting WHERE false;
                 CREATE FUNCTION public.see{db}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN INSERT INTO public.seen{db} VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
                 CREATE TRIGGER see AFTER INSERT OR UPDATE ON respg.{table} EXECUTE FUNCTION public.see{db}()"
            ))
            .await
            .unwrap();
            assert_eq!(client.plain("SET plain v"), ok());
            assert_eq!(client.plain("INCR counter"), 1);
            client.send(["MULTI", "SET a 1", "INCR counter", "EXEC"]);
            assert!((0..4).all(|_| !client.read().is_error()));
            let long = "x".repeat(300_000);
            assert_eq!(client.plain(["SET", "long", &long]), ok());
            let seen =
                sql.query(&format!("SELECT DISTINCT setting FROM public.seen{db}"), &[]).await.unwrap();
            let seen: Vec<String> = seen.iter().map(|row| row.get(0)).collect();
            // What is large goes over the pool, whose connections all wait for the flush: slower than need be, never less safe.
            assert!(seen.iter().any(|setting| setting == synchronous), "database {db}: {seen:?}");
            assert!(db != 0 || seen == ["on"], "{seen:?}");
            assert_eq!(rows(&sql, table).await, before + 4);
            sql.batch_execute(&format!("DROP TRIGGER see ON respg.{table}")).await.unwrap();
        }
    });
}

#[test]
fn a_crash_of_postgres_empties_the_cache_and_nothing_else() {
    let scratch = Scratch::new();
    blocking(async {
        let mut options = pg::options(scratch.path());
        options.settings.retain(|(name, _)| name != "fsync");
        let postgres = OwnPostgres::start(&options).await.unwrap();
        let url = postgres.url().to_owned();
        let respg = Respg::on(&url, &["--durability", "0=durable,1=relaxed,2=cache"]);
        let mut client = respg.connect();
        for db in 0..3 {
            client.select(db);
            assert_eq!(client.plain("MSET a 1 b 2"), ok());
            assert_eq!(client.plain("INCR a"), 2);
        }
        crash(&postgres, scratch.path());
        // Service comes back by itself.
        let begun = std::time::Instant::now();
        while client.plain("EXISTS a").is_error() {
            assert!(begun.elapsed().as_secs() < 30, "no service after Postgres is back");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(strings(&mut client, 0, ["a", "b"]), [Value::from("2"), Value::from("2")]);
        assert_eq!(strings(&mut client, 2, ["a", "b"]), [Value::Null, Value::Null]);
        assert_eq!(client.plain("DBSIZE"), 0);
        assert_eq!(client.plain("SET a again"), ok());
        assert_eq!(client.plain("GET a"), "again");
        client.select(1);
        assert!(!client.plain("MGET a b").is_error());
        drop(respg);
        postgres.stop().await.unwrap();
    });
}

/// Stops Postgres as a power failure would, and waits until it is gone; its keeper starts it again.
fn crash(postgres: &OwnPostgres, home: &Path) {
    let data = home.join("data");
    let file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid = file.lines().next().unwrap().to_owned();
    let _ = postgres;
    assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());
    while Path::new("/proc").join(&pid).join("cwd").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_class_changed_at_the_start_moves_the_keys() {
    let url = blocking(fresh_database());
    let long_key = "k".repeat(3000);
    let stages = [
        ("durable", 4, 0),
        ("cache", 0, 4),
        ("relaxed", 4, 0),
        ("0=cache,1=durable", 0, 4),
        ("0=durable", 4, 0),
    ];
    let mut expected = 0;
    for (durability, logged, unlogged) in stages {
        let respg = Respg::on(&url, &["--durability", durability]);
        let mut client = respg.connect();
        if expected == 0 {
            assert_eq!(client.plain("SET k v"), ok());
            assert_eq!(client.plain("SET expiring v EX 1000"), ok());
            assert_eq!(client.plain(["SET", &long_key, "long"]), ok());
            assert_eq!(client.plain("SET counter 0"), ok());
        }
        expected += 1;
        assert_eq!(client.plain("INCR counter"), expected);
        assert_eq!(client.plain("GET k"), "v");
        assert_eq!(client.plain(["GET", &long_key]), "long");
        assert!((900..=1000).contains(&client.plain("TTL expiring").integer()));
        assert_eq!(client.plain("DBSIZE"), 4);
        blocking(async {
            let sql = connect(&url).await;
            let found = (rows(&sql, "keys_logged").await, rows(&sql, "keys_unlogged").await);
            assert_eq!(found, (logged, unlogged), "{durability}");
        });
    }
    // Without the option everything stays as it was.
    let respg = Respg::on(&url, &[]);
    assert_eq!(respg.connect().plain("GET counter"), expected.to_string().as_str());
}

#[test]
fn commands_across_classes() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &["--durability", "0=durable,1=relaxed,2=cache"]);
    let mut client = respg.connect();
    assert_eq!(client.plain("SET k v PX 1000000"), ok());
    assert_eq!(client.plain("MOVE k 2"), 1);
    assert_eq!(strings(&mut client, 0, ["k"]), [Value::Null]);
    assert_eq!(strings(&mut client, 2, ["k"]), [Value::from("v")]);
    assert!(client.plain("PTTL k").integer() > 900_000);
    assert_eq!(client.plain("COPY k k DB 1"), 1);
    assert_eq!(client.plain("COPY k k DB 1"), 0);
    assert_eq!(strings(&mut client, 1, ["k"]), [Value::from("v")]);
    // In one transaction, reads in between see what was done before them.
    let calls = [
        "MULTI",
        "SELECT 0",
        "SET x 0",
        "COPY x x DB 2",
        "SELECT 2",
        "INCR x",
        "GET x",
        "MOVE x 1",
        "SELECT 1",
        "GET x",
        "EXEC",
    ];
    client.send(calls);
    let replies: Vec<Value> = (0..calls.len()).map(|_| client.read()).collect();
    let one = |value: i64| Value::Integer(value);
    let expected = [ok(), ok(), one(1), ok(), one(1), Value::from("1"), one(1), ok(), Value::from("1")];
    assert_eq!(replies.last(), Some(&Value::Array(expected.into())));
    assert_eq!(strings(&mut client, 0, ["x"]), [Value::from("0")]);
    assert_eq!(strings(&mut client, 2, ["x"]), [Value::Null]);
    // A transaction that is refused has touched neither.
    let mut other = respg.connect();
    other.select(2);
    client.select(2);
    assert_eq!(client.plain("WATCH k"), ok());
    assert_eq!(other.plain("APPEND k w"), 2);
    client.send(["MULTI", "DEL k", "SELECT 0", "SET y 1", "EXEC"]);
    let replies: Vec<Value> = (0..5).map(|_| client.read()).collect();
    assert_eq!(replies[4], Value::Null);
    assert_eq!(strings(&mut client, 0, ["y"]), [Value::Null]);
    assert_eq!(strings(&mut client, 2, ["k"]), [Value::from("vw")]);
    // Exchanged with their data; the class goes with the data.
    assert_eq!(client.plain("SWAPDB 0 2"), ok());
    assert_eq!(strings(&mut client, 0, ["k", "x"]), [Value::from("vw"), Value::Null]);
    assert_eq!(strings(&mut client, 2, ["k", "x"]), [Value::Null, Value::from("0")]);
    client.send(["MULTI", "SWAPDB 0 2", "SELECT 0", "GET x", "SET z 1", "EXEC"]);
    let replies: Vec<Value> = (0..6).map(|_| client.read()).collect();
    assert_eq!(replies[5], Value::Array(vec![ok(), ok(), Value::from("0"), ok()]));
    assert_eq!(strings(&mut client, 2, ["k"]), [Value::from("vw")]);
    assert_eq!(client.plain("MOVE k 16"), error("ERR DB index is out of range"));
}

#[test]
fn a_move_between_classes_is_one_step() {
    let respg = Respg::start(&["--durability", "0=durable,1=cache"]);
    let mut client = respg.connect();
    assert_eq!(client.plain("SET token here"), ok());
    std::thread::scope(|scope| {
        let respg = &respg;
        let mover = scope.spawn(move || {
            let mut client = respg.connect();
            for _ in 0..300 {
                client.select(0);
                assert_eq!(client.plain("MOVE token 1"), 1);
                client.select(1);
                assert_eq!(client.plain("MOVE token 0"), 1);
            }
        });
        while !mover.is_finished() {
            // In exactly one of them at any moment.
            client.send(["MULTI", "SELECT 0", "EXISTS token", "SELECT 1", "EXISTS token", "EXEC"]);
            let replies: Vec<Value> = (0..6).map(|_| client.read()).collect();
            let Value::Array(items) = &replies[5] else { panic!("{replies:?}") };
            assert_eq!(items[1].clone().integer() + items[3].clone().integer(), 1);
        }
    });
}
