//! The ends of a process: what makes it refuse to start, and how it stops.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::{bare_database, connect, fresh_database};
use crate::support::respg::{Respg, blocking, refusal};

/// The URL with another user and database.
fn changed(url: &str, user: &str, database: &str) -> String {
    let mut config: tokio_postgres::Config = url.parse().unwrap();
    config.user(user);
    let host = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        tokio_postgres::config::Host::Tcp(host) => host.clone(),
    };
    let port = config.get_ports().first().map_or(String::new(), |port| format!(" port={port}"));
    format!("host='{host}'{port} user={user} dbname={database}")
}

#[test]
fn refusals_to_start_are_one_sentence() {
    let url = blocking(fresh_database());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases = [
        (
            url.as_str(),
            vec!["--port", &port],
            format!("respg: cannot listen on 127.0.0.1 port {port}: Address already in use"),
        ),
        (
            url.as_str(),
            vec!["--bind", "192.0.2.77"],
            "respg: cannot listen on 192.0.2.77 port 0: Cannot assign".to_owned(),
        ),
        (url.as_str(), vec!["--durability", "strong"], "respg: bad --durability: 'strong' is not".to_owned()),
        (
            url.as_str(),
            vec!["--durability", "99=cache"],
            "respg: bad --durability: '99=cache' is not".to_owned(),
        ),
        ("postgres://127.0.0.1:1/x", vec![], "respg: cannot use the database: ".to_owned()),
        ("nonsense", vec![], "respg: the database URL is not understood: ".to_owned()),
    ];
    for (url, options, sentence) in cases {
        let said = refusal(url, &options);
        assert!(said.starts_with(&sentence), "{said}\ninstead of\n{sentence}");
    }
    let missing = refusal(&changed(&url, "respg", "no_such_database"), &[]);
    assert_eq!(missing, "respg: cannot use the database: database \"no_such_database\" does not exist");
    let nobody = refusal(&changed(&url, "no_such_user", "respg"), &[]);
    assert!(
        nobody.starts_with("respg: cannot use the database: ") && nobody.contains("no_such_user"),
        "{nobody}"
    );
}

#[test]
fn a_user_without_rights_is_told_so() {
    let url = blocking(async {
        let url = bare_database().await;
        let name = url.rsplit('/').next().unwrap().to_owned();
        let owner = connect(&url).await;
        owner.batch_execute("CREATE ROLE unprivileged LOGIN").await.unwrap();
        changed(&url, "unprivileged", &name)
    });
    let said = refusal(&url, &[]);
    assert!(said.starts_with("respg: cannot use the database: permission denied for database"), "{said}");
}

#[test]
fn a_schema_of_a_newer_respg_is_left_alone() {
    let url = blocking(fresh_database());
    assert_eq!(Respg::on(&url, &[]).connect().plain("SET k v"), ok());
    blocking(async {
        let newer = "INSERT INTO respg.migrations VALUES (9999); UPDATE respg.function_files SET sha256 = ''";
        connect(&url).await.batch_execute(newer).await.unwrap();
    });
    let said = refusal(&url, &[]);
    assert!(
        said.starts_with(
            "respg: cannot use the database: a newer respg has prepared this database (schema 9999"
        ),
        "{said}"
    );
    blocking(async {
        let replaced = "SELECT count(*) FROM respg.function_files WHERE sha256 <> ''";
        assert_eq!(connect(&url).await.query_one(replaced, &[]).await.unwrap().get::<_, i64>(0), 0);
    });
}

#[test]
fn what_is_in_flight_is_finished() {
    for shutdown in [true, false] {
        let url = blocking(fresh_database());
        let respg = Respg::on(&url, &[]);
        let mut clients: Vec<Client> = (0..20).map(|_| respg.connect()).collect();
        let mut begin = respg.connect();
        assert_eq!(begin.plain("SET start now"), ok());
        // Held by somebody else for a moment, so that the commands are in flight when the stop comes.
        blocking(async {
            let mut sql = connect(&url).await;
            let transaction = sql.transaction().await.unwrap();
            transaction.execute("SELECT 1 FROM respg.keys FOR UPDATE", &[]).await.unwrap();
            for (i, client) in clients.iter_mut().enumerate() {
                client.send([format!("APPEND start {i}.").as_str()]);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            match shutdown {
                true => begin.send(["SHUTDOWN"]),
                false => respg.signal(Signal::TERM),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            transaction.commit().await.unwrap();
        });
        for client in &mut clients {
            assert!(!client.read().is_error(), "acknowledged");
        }
        assert!(respg.ended().success());
        let again = Respg::on(&url, &[]);
        let length: usize = (0..20).map(|i| format!("{i}.").len()).sum();
        assert_eq!(again.connect().plain("STRLEN start"), (3 + length) as i64);
    }
}

/// They come back by way of the bus, which has to stay until then.
#[test]
fn messages_in_flight_are_finished() {
    let url = blocking(fresh_database());
    let (mut respg, other) = (Respg::on(&url, &[]), Respg::on(&url, &[]));
    for _ in 0..3 {
        let mut subscriber = other.connect();
        subscriber.plain("SUBSCRIBE news");
        let publish = |mut client: Client| {
            let mut said = 0;
            while client.try_calls(["PUBLISH news x"]).is_ok_and(|replies| replies == [Value::from(1)]) {
                said += 1;
            }
            said
        };
        let said: usize = thread::scope(|scope| {
            let publishers: Vec<_> = (0..20).map(|_| respg.connect()).collect();
            let publishers: Vec<_> =
                publishers.into_iter().map(|client| scope.spawn(move || publish(client))).collect();
            sleep(Duration::from_millis(300));
            respg.signal(Signal::TERM);
            assert!(respg.wait().success());
            publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum()
        });
        let mut last = other.connect();
        assert_eq!(last.plain("PUBLISH news end"), 1);
        let heard = std::iter::from_fn(|| Some(subscriber.read()))
            .take_while(|message| !message.to_string_lossy().contains("end"))
            .count();
        assert_eq!(said, heard, "messages that were said and not acknowledged");
        respg = Respg::on(&url, &[]);
    }
}

#[test]
fn a_stop_does_not_wait_long_for_a_row_that_somebody_keeps_locked() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &["--postgres-timeout", "60000"]);
    let mut client = respg.connect();
    assert_eq!(client.plain("SET k v"), ok());
    let took = blocking(async {
        let mut sql = connect(&url).await;
        let transaction = sql.transaction().await.unwrap();
        transaction.execute("SELECT 1 FROM respg.keys FOR UPDATE", &[]).await.unwrap();
        client.send(["APPEND k x"]);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        respg.signal(Signal::TERM);
        assert!(respg.ended().success());
        begun.elapsed()
    });
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_stop_does_not_wait_for_who_does_not_read() {
    let respg = Respg::start(&[]);
    let value = "x".repeat(1 << 20);
    assert_eq!(respg.connect().plain(["SET", "k", &value]), ok());
    let (idle, mut deaf) = (respg.socket(), respg.socket());
    deaf.write_all(&b"GET k\r\n".repeat(1000)).unwrap();
    sleep(Duration::from_millis(500));
    let begun = Instant::now();
    respg.signal(Signal::INT);
    assert!(respg.ended().success());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(deaf);
    assert_eq!((&idle).read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_port_that_is_free_again_can_be_used_at_once() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    let address = respg.address();
    let mut client = respg.connect();
    assert_eq!(client.plain("SET k v"), ok());
    respg.signal(Signal::TERM);
    assert!(respg.ended().success());
    let again = Respg::on(&url, &["--port", &address.port().to_string()]);
    assert_eq!(again.address(), address);
    assert_eq!(Client::connect(address, Protocol::Resp2).plain("GET k"), "v");
}
