use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use respg::postgres::OwnPostgres;

use crate::support::pg::{self, Scratch};

#[tokio::test]
async fn data_stays_between_runs_and_the_server_does_not() {
    let scratch = Scratch::new();
    let options = pg::options(scratch.path());

    let postgres = OwnPostgres::start(&options).await.unwrap();
    let client = pg::connect(postgres.url()).await;
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    let url = postgres.url().to_owned();
    postgres.stop().await.unwrap();
    assert!(!scratch.path().join("data/postmaster.pid").exists());
    assert!(tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err());

    let postgres = OwnPostgres::start(&options).await.unwrap();
    assert_eq!(postgres.url(), url);
    let client = pg::connect(postgres.url()).await;
    let n: i32 = client.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(n, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn settings_come_from_respg_then_from_the_user_then_from_the_caller() {
    let scratch = Scratch::new();
    let mut options = pg::options(scratch.path());
    let postgres = OwnPostgres::start(&options).await.unwrap();
    let show = async |postgres: &OwnPostgres, name: &str| -> String {
        let client = pg::connect(postgres.url()).await;
        client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0)
    };
    assert_eq!(show(&postgres, "listen_addresses").await, "");
    assert_eq!(show(&postgres, "server_encoding").await, "UTF8");
    let client = pg::connect(postgres.url()).await;
    let collation = "SELECT datcollate::text FROM pg_database WHERE datname = current_database()";
    assert_eq!(client.query_one(collation, &[]).await.unwrap().get::<_, &str>(0), "C");
    assert_eq!(show(&postgres, "deadlock_timeout").await, "100ms");
    assert_eq!(show(&postgres, "wal_level").await, "replica");
    assert_eq!(show(&postgres, "fsync").await, "off");
    postgres.stop().await.unwrap();

    let configuration = scratch.path().join("data/postgresql.conf");
    let text = fs::read_to_string(&configuration).unwrap();
    fs::write(&configuration, text + "deadlock_timeout = 250ms\nmax_wal_size = 1GB\n").unwrap();
    options.settings.push(("max_wal_size".into(), "2GB".into()));
    let postgres = OwnPostgres::start(&options).await.unwrap();
    assert_eq!(show(&postgres, "deadlock_timeout").await, "250ms");
    assert_eq!(show(&postgres, "max_wal_size").await, "2GB");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn only_its_user_gets_at_data_and_socket() {
    let scratch = Scratch::new();
    let postgres = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap();
    let root = rustix::process::geteuid().is_root();
    for directory in ["data", "socket"] {
        let entry = fs::metadata(scratch.path().join(directory)).unwrap();
        assert_eq!(entry.mode() & 0o777, 0o700, "{directory}");
        assert_eq!(
            root,
            entry.uid() != rustix::process::geteuid().as_raw(),
            "root's Postgres runs as somebody else"
        );
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_long_path_has_its_socket_elsewhere() {
    let scratch = Scratch::new();
    let deep: PathBuf = scratch.path().join("d".repeat(60)).join("e".repeat(60));
    let options = pg::options(&deep);
    let postgres = OwnPostgres::start(&options).await.unwrap();
    let client = pg::connect(postgres.url()).await;
    client.simple_query("SELECT 1").await.unwrap();
    let socket: String = client.query_one("SHOW unix_socket_directories", &[]).await.unwrap().get(0);
    postgres.stop().await.unwrap();
    fs::remove_dir(socket.trim_matches('"')).unwrap();
}
