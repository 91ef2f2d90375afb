//! Behind PgBouncer: Debian bookworm's 1.18, which knows no prepared statements in transaction mode, and trixie's 1.24.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::{Value, array, ok};
use crate::support::pg::{Scratch, connect};
use crate::support::respg::{Respg, blocking, refusal};
use crate::support::tcp_postgres::TcpPostgres;

const OLD: &str = "/usr/sbin/pgbouncer";
const NEW: &str = "/opt/respg-oracles/bin/pgbouncer";

struct PgBouncer {
    process: Child,
    port: u16,
}

impl PgBouncer {
    fn start(program: &str, folder: &Scratch, settings: &str, postgres: &TcpPostgres) -> PgBouncer {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\nrespg = host=127.0.0.1 port={} user=respg connect_query='{}'\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n{settings}\n",
            postgres.port(),
            connect_query(),
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            let owner = fs::metadata(postgres.socket()).unwrap();
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.arg("-q").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
        let mut process =
            command.spawn().unwrap_or_else(|error| panic!("{program} (tests/install.sh): {error}"));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "{program} does not start");
            assert!(begun.elapsed() < Duration::from_secs(20), "{program} does not start");
            sleep(Duration::from_millis(20));
        }
        PgBouncer { process, port }
    }

    fn url(&self) -> String {
        format!("postgres://respg@127.0.0.1:{}/respg", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The settings that README tells people to make.
fn connect_query() -> &'static str {
    let readme = include_str!("../../../README.md");
    readme.split("connect_query='").nth(1).and_then(|text| text.split('\'').next()).expect("README has one")
}

fn postgres() -> TcpPostgres {
    TcpPostgres::start(&[], &[], &["host all all 127.0.0.1/32 trust"])
}

/// Clients at once, on all kinds of ways to Postgres: counters, transactions, commands on the pool.
fn exercise(respg: &Respg) {
    std::thread::scope(|scope| {
        for n in 0..8 {
            scope.spawn(move || {
                let mut client = respg.connect();
                for round in 0..40 {
                    client.plain("INCR counter");
                    assert_eq!(client.plain(format!("SET own:{n} {round} EX 100").as_str()), ok());
                    assert_eq!(client.plain(format!("GET own:{n}").as_str()), round.to_string().as_str());
                    client.plain("MULTI");
                    client.plain("INCR counter");
                    client.plain(format!("DEL own:{n}").as_str());
                    client.plain("EXEC");
                    client.plain("SCAN 0");
                    client.plain("DBSIZE");
                }
            });
        }
    });
    assert_eq!(respg.connect().plain("GET counter"), "640");
}

#[test]
fn session_pooling() {
    let (postgres, folder) = (postgres(), Scratch::new());
    let bouncer = PgBouncer::start(OLD, &folder, "pool_mode = session\ndefault_pool_size = 40", &postgres);
    exercise(&Respg::on(&bouncer.url(), &["--threads", "1"]));
}

#[test]
fn transaction_pooling() {
    let (postgres, folder) = (postgres(), Scratch::new());
    let settings = "pool_mode = transaction\ndefault_pool_size = 3\nmax_prepared_statements = 200";
    let bouncer = PgBouncer::start(NEW, &folder, settings, &postgres);
    let said = refusal(&bouncer.url(), &[]);
    assert!(said.starts_with("respg: the database URL leads to a pooler in transaction mode: "), "{said}");
    let options = ["--threads", "1", "--transaction-pooling", "yes", "--durability", "0=durable,1=relaxed"];
    let respg = Respg::on(&bouncer.url(), &options);
    let mut relaxed = respg.connect();
    assert_eq!([relaxed.plain("SELECT 1"), relaxed.plain("SET k v")], [ok(), ok()]);
    exercise(&respg);
    // LISTEN has no chance there.
    let begun = Instant::now();
    for call in ["PUBLISH c x", "SPUBLISH c x", "SUBSCRIBE c d", "PSUBSCRIBE c*", "PUBSUB CHANNELS"] {
        let mut refused = respg.connect();
        assert!(refused.plain(call).is_error(), "{call}");
        assert_eq!(refused.plain("GET own:0"), Value::Null);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let direct = format!("postgres://respg@127.0.0.1:{}/respg", postgres.port());
    let listening = Respg::on(&bouncer.url(), &[&options[..], &["--listen-url", &direct]].concat());
    let mut subscriber = listening.connect();
    subscriber.plain("SUBSCRIBE direct");
    for body in ["x".to_owned(), "y".repeat(100_000)] {
        assert_eq!(listening.connect().plain(["PUBLISH", "direct", &body]), 1);
        assert_eq!(subscriber.read(), array!["message", "direct", body.as_str()]);
    }
    // Nothing was set that somebody else could be hurt by.
    blocking(async {
        let client = connect(&bouncer.url()).await;
        for (name, value) in
            [("synchronous_commit", "on"), ("lock_timeout", "1s"), ("search_path", "pg_catalog")]
        {
            let rows = client.simple_query(&format!("SHOW {name}")).await.unwrap();
            let shown = rows.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert_eq!(shown, Some(value), "{name}");
        }
    });
}

/// What is said is heard by others only, so subscriptions are announced and then refused: nobody is to count them.
#[test]
fn a_listen_url_that_does_not_listen() {
    let (postgres, folder) = (postgres(), Scratch::new());
    // Without the reset, LISTEN may work by chance: when the same server process serves the connection again.
    let settings = "pool_mode = transaction\ndefault_pool_size = 3\nmax_prepared_statements = 200\n\
                    server_reset_query_always = 1\nserver_reset_query = UNLISTEN *";
    let bouncer = PgBouncer::start(NEW, &folder, settings, &postgres);
    let options = ["--transaction-pooling", "yes", "--postgres-timeout", "1000", "--listen-url"];
    let deaf = Respg::on(&bouncer.url(), &[&options[..], &[&bouncer.url()]].concat());
    let mut refused = deaf.connect();
    for call in ["SUBSCRIBE a b", "PSUBSCRIBE a*", "SSUBSCRIBE c d"] {
        // Gone before it is refused.
        deaf.connect().send([call]);
        assert!(refused.plain(call).is_error(), "{call}");
    }
    assert_eq!(refused.plain("GET k"), Value::Null);
    let direct = format!("postgres://respg@127.0.0.1:{}/respg", postgres.port());
    let begun = Instant::now();
    loop {
        let counted = blocking(async {
            let counts = "SELECT kind, clients FROM respg.subscriptions";
            let rows = connect(&direct).await.query(counts, &[]).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, i32)>>()
        });
        if counted.is_empty() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{counted:?}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_pooler_that_is_too_old_is_found_out() {
    let (postgres, folder) = (postgres(), Scratch::new());
    let bouncer = PgBouncer::start(OLD, &folder, "pool_mode = transaction", &postgres);
    let said = refusal(&bouncer.url(), &[]);
    assert!(said.starts_with("respg: the database URL leads to a pooler in transaction mode: "), "{said}");
}
