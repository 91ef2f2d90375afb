//! How much is said between processes, and to whom (DESIGN.md, section 5).

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};

use super::{becomes, message, pushed, subscribe};
use crate::support::client::{Client, Value};
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};
use crate::support::tcp_postgres::TcpPostgres;

/// Hears what Postgres hands on for a channel.
async fn listen(url: &str, channel: &str) -> (tokio_postgres::Client, mpsc::UnboundedReceiver<String>) {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let (sender, payloads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && sender.send(notification.payload().to_owned()).is_err()
            {
                return;
            }
        }
    });
    client.batch_execute(&format!("LISTEN \"{channel}\"")).await.unwrap();
    (client, payloads)
}

/// What has been said until now.
async fn said(
    client: &tokio_postgres::Client,
    payloads: &mut mpsc::UnboundedReceiver<String>,
) -> Vec<String> {
    client.batch_execute("NOTIFY \"respg:bus\", 'the mark of a test'").await.unwrap();
    let mut said = Vec::new();
    loop {
        let payload = tokio::time::timeout(Duration::from_secs(20), payloads.recv()).await.unwrap().unwrap();
        if payload == "the mark of a test" {
            return said;
        }
        said.push(payload);
    }
}

/// NOTIFY takes a lock that all notifying transactions of the cluster share until they have committed.
#[test]
fn many_publishers_share_a_transaction() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    blocking(async {
        let (client, mut payloads) = listen(&url, "respg:bus").await;
        let publish = || {
            thread::scope(|scope| {
                for _ in 0..50 {
                    let mut publisher = respg.connect();
                    scope.spawn(move || (0..20).for_each(|_| drop(publisher.plain("PUBLISH c x"))));
                }
            });
        };
        publish();
        let packets = said(&client, &mut payloads).await.len();
        assert!(packets < 500, "{packets} packets for 1000 messages");
    });
}

/// Writers do not notify, unless a client of another process waits for what they write.
#[test]
fn writes_that_nobody_waits_for_are_not_told() {
    let url = blocking(fresh_database());
    let (here, there) = (Respg::on(&url, &[]), Respg::on(&url, &[]));
    let (mut writer, mut at_home, mut away) = (here.connect(), here.connect(), there.connect());
    blocking(async {
        let (client, mut payloads) = listen(&url, "respg:bus").await;
        let wakes = |said: Vec<String>| said.iter().filter(|packet| packet.contains(";w")).count();
        // What was to be said before is said when this is answered.
        let settle = |writer: &mut Client| assert_eq!(writer.plain("PUBLISH mark x"), 0);
        for n in 1..50 {
            writer.plain(format!("XADD s {n}-1 f v").as_str());
            writer.plain("INCR counter");
        }
        settle(&mut writer);
        let packets = said(&client, &mut payloads).await;
        assert!(packets.len() == 1 && packets[0].contains("mark"), "{packets:?}");
        // A client of the same process is called without Postgres.
        at_home.send(["XREAD BLOCK 0 STREAMS s $"]);
        until_blocked(&mut writer);
        writer.plain("XADD s 50-1 f v");
        at_home.read();
        settle(&mut writer);
        assert_eq!(wakes(said(&client, &mut payloads).await), 0);
        away.send(["XREAD BLOCK 0 STREAMS s $"]);
        until_blocked(&mut there.connect());
        // The announcement is under way for a moment.
        let begun = Instant::now();
        let mut number = 50;
        loop {
            number += 1;
            writer.plain(format!("XADD s {number}-1 f v").as_str());
            settle(&mut writer);
            if wakes(said(&client, &mut payloads).await) > 0 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "never told");
        }
        away.read();
        writer.plain("XADD other 1-1 f v");
        settle(&mut writer);
        assert_eq!(wakes(said(&client, &mut payloads).await), 0);
    });
}

fn until_blocked(admin: &mut Client) {
    let begun = Instant::now();
    while !matches!(admin.plain("INFO clients"), Value::Bulk(text) if String::from_utf8_lossy(&text).contains("blocked_clients:1"))
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody blocks");
    }
}

/// One of each process, however many clients have subscribed to whatever.
#[test]
fn one_listening_connection() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let connections = || -> i64 {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
        blocking(async { connect(&url).await.query_one(count, &[]).await.unwrap().get(0) })
    };
    let locks = || -> i64 {
        let count = "SELECT count(DISTINCT pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND datname = current_database()";
        blocking(async { connect(&url).await.query_one(count, &[]).await.unwrap().get(0) })
    };
    let mut first: Vec<_> = servers.iter().map(Respg::connect).collect();
    for client in &mut first {
        subscribe(client, "SUBSCRIBE one two");
        subscribe(client, "PSUBSCRIBE *");
    }
    let before = connections();
    let mut more: Vec<_> = servers.iter().flat_map(|respg| (0..50).map(|_| respg.connect())).collect();
    for (number, client) in more.iter_mut().enumerate() {
        subscribe(client, &format!("SUBSCRIBE one {number}"));
    }
    assert_eq!(locks(), 2);
    assert!(connections() <= before + 2, "{before} connections became {}", connections());
    assert_eq!(servers[0].connect().plain("PUBLISH one x"), 104);
}

/// A queue that cannot be emptied is shown, an error when it is full, and no matter afterwards.
#[test]
fn a_full_queue_is_an_error() {
    let url = blocking(fresh_database());
    let version: i32 = blocking(async {
        let version = "SELECT current_setting('server_version_num')::integer";
        connect(&url).await.query_one(version, &[]).await.unwrap().get(0)
    });
    // Older ones take 8 GB before they are full.
    let can_be_small = version >= 170_000;
    let settings: &[&str] = if can_be_small { &["max_notify_queue_pages = 64"] } else { &[] };
    let postgres = TcpPostgres::start(&[], settings, &["host all all 127.0.0.1/32 trust"]);
    let url = postgres.local();
    let respg = Respg::on(&url, &[]);
    let (mut subscriber, mut publisher) = (respg.connect(), respg.connect());
    subscribe(&mut subscriber, "SUBSCRIBE c");
    blocking(async {
        let hanging = connect(&url).await;
        hanging.batch_execute("LISTEN whatever").await.unwrap();
        hanging.batch_execute("BEGIN; SELECT 1").await.unwrap();
        let body = "x".repeat(6000);
        let begun = Instant::now();
        for count in 0.. {
            match publisher.plain(["PUBLISH", "c", &body]) {
                Value::Integer(1) => assert_eq!(pushed(&mut subscriber), message("c", &body)),
                Value::Error(error) if can_be_small => {
                    assert!(error.contains("too many notifications"), "{error}");
                    break;
                }
                other => panic!("{other:?}"),
            }
            if !can_be_small && count == 2000 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "never full");
        }
        let usage = |client: &mut Client| -> f64 {
            let Value::Bulk(info) = client.plain("INFO respg") else { panic!() };
            let info = String::from_utf8(info.to_vec()).unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("respg_notification_queue_usage:"));
            line.expect("INFO shows it").parse().unwrap()
        };
        let full = if can_be_small { 0.9 } else { 0.000_1 };
        while usage(&mut publisher) < full {
            assert!(begun.elapsed() < Duration::from_secs(60), "not shown");
        }
        // Data does not need the queue.
        assert_eq!(publisher.plain("XADD s 1-1 f v"), "1-1");
        hanging.batch_execute("COMMIT").await.unwrap();
        becomes(&mut publisher, "PUBLISH c again", &Value::Integer(1));
        assert_eq!(pushed(&mut subscriber), message("c", "again"));
        while usage(&mut publisher) >= full / 2.0 {
            assert!(begun.elapsed() < Duration::from_secs(90), "not emptied");
        }
    });
}
