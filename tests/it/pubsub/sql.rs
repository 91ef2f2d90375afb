//! Both directions between Redis's channels and those of SQL.

use std::time::Duration;

use tokio_postgres::AsyncMessage;
use tokio_postgres::NoTls;

use super::{message, parts, pushed, subscribe};
use crate::support::client::Value;
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};

fn execute(url: &str, sql: &str) {
    blocking(async { connect(url).await.batch_execute(sql).await.expect("good SQL") });
}

#[test]
fn notify_reaches_subscribers_on_commit() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    let mut subscriber = respg.connect();
    subscribe(&mut subscriber, "SUBSCRIBE plain Mixed-Case");
    subscribe(&mut subscriber, "PSUBSCRIBE p*");
    execute(&url, "BEGIN; NOTIFY plain, 'never'; ROLLBACK");
    execute(&url, "BEGIN; NOTIFY plain, 'one'; SELECT pg_notify('Mixed-Case', 'two'); COMMIT; NOTIFY plain");
    assert_eq!(pushed(&mut subscriber), message("plain", "one"));
    assert_eq!(pushed(&mut subscriber), parts(["pmessage", "p*", "plain", "one"]));
    assert_eq!(pushed(&mut subscriber), message("Mixed-Case", "two"));
    assert_eq!(pushed(&mut subscriber), message("plain", ""));
    pushed(&mut subscriber);
    // The function takes any bytes, and no LISTEN is needed for patterns.
    execute(&url, "BEGIN; SELECT respg.publish('pa', 'x'); SELECT respg.publish('plain', 'never'); ROLLBACK");
    execute(&url, r"SELECT respg.publish('pa', 'x'), respg.publish('\x70ff'::bytea, '\x00ff'::bytea)");
    assert_eq!(pushed(&mut subscriber), parts(["pmessage", "p*", "pa", "x"]));
    assert_eq!(pushed(&mut subscriber), parts([&b"pmessage"[..], b"p*", b"p\xff", b"\0\xff"]));
    // Once, although it comes twice: in a packet and as a plain notification.
    blocking(async {
        let client = connect(&url).await;
        for sql in [
            "SELECT respg.publish('plain', 'f')",
            "NOTIFY plain, 'f'",
            r"SELECT respg.spublish('plain', 'no')",
        ] {
            client.batch_execute(sql).await.expect("good SQL");
        }
    });
    for _ in 0..2 {
        assert_eq!(pushed(&mut subscriber), message("plain", "f"));
        assert_eq!(pushed(&mut subscriber), parts(["pmessage", "p*", "plain", "f"]));
    }
    execute(&url, "SELECT respg.publish('pa', repeat('x', 100000))");
    assert_eq!(pushed(&mut subscriber)[3], "x".repeat(100_000).as_str());
    execute(&url, "NOTIFY plain, 'end'");
    assert_eq!(pushed(&mut subscriber), message("plain", "end"));
}

#[test]
fn publish_reaches_listen() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    let mut publisher = respg.connect();
    let mut subscriber = respg.connect();
    subscribe(&mut subscriber, "SUBSCRIBE chan");
    blocking(async {
        let (client, mut connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let (sender, mut payloads) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) =
                std::future::poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(notification) = message {
                    sender.send(notification.payload().to_owned()).unwrap();
                }
            }
        });
        client.batch_execute("LISTEN chan").await.unwrap();
        let long = "y".repeat(8000);
        for body in [&b"text"[..], "täxt".as_bytes(), b"", b"\x00\xff", long.as_bytes(), &[0xff; 9000]] {
            assert_eq!(publisher.plain([&b"PUBLISH"[..], b"chan", body]), 1);
            assert_eq!(pushed(&mut subscriber), parts([&b"message"[..], b"chan", body]));
            let payload =
                tokio::time::timeout(Duration::from_secs(10), payloads.recv()).await.unwrap().unwrap();
            match body {
                b"\x00\xff" => assert_eq!(payload, r"\x00ff"),
                long if long.len() >= 8000 => {
                    let row = client.query_one(&format!("SELECT {payload}"), &[]).await.unwrap();
                    assert_eq!(row.get::<_, &[u8]>(0), long);
                }
                text => assert_eq!(payload.as_bytes(), text),
            }
        }
    });
    // Nothing came twice.
    assert_eq!(publisher.plain("PUBLISH chan end"), 1);
    assert_eq!(pushed(&mut subscriber), message("chan", "end"));
    assert_eq!(publisher.plain("PUBLISH other end"), Value::Integer(0));
}
