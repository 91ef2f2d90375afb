//! Several processes on one database.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{becomes, message, parts, pushed, subscribe};
use crate::support::client::{Value, array};
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};

#[test]
fn counts_are_exact_at_once() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut clients = servers.each_ref().map(Respg::connect);
    let mut publisher = servers[1].connect();
    for round in 0..20 {
        let channel = format!("c{round}");
        // An acknowledged SUBSCRIBE is before every later PUBLISH and NUMSUB of anybody.
        for client in &mut clients {
            subscribe(client, &format!("SUBSCRIBE {channel}"));
            let count = |reply: Value| matches!(reply, Value::Integer(_)).then_some(reply);
            assert!(count(publisher.plain(["PUBLISH", &channel, "x"])).is_some());
        }
        assert_eq!(publisher.plain(["PUBLISH", &channel, "all"]), 3);
        assert_eq!(publisher.plain(["PUBSUB", "NUMSUB", &channel]), array![channel.as_str(), 3]);
        for (place, client) in clients.iter_mut().enumerate() {
            (place..3).for_each(|_| assert_eq!(pushed(client), message(&channel, "x")));
            assert_eq!(pushed(client), message(&channel, "all"));
            client.send(["UNSUBSCRIBE"]);
            pushed(client);
        }
        assert_eq!(publisher.plain(["PUBLISH", &channel, "none"]), 0);
    }
    subscribe(&mut clients[0], "PSUBSCRIBE a*");
    subscribe(&mut clients[2], "PSUBSCRIBE a* b*");
    assert_eq!(publisher.plain("PUBLISH abc x"), 2);
    assert_eq!(publisher.plain("PUBSUB NUMPAT"), 2);
    assert_eq!(pushed(&mut clients[2]), parts(["pmessage", "a*", "abc", "x"]));
}

#[test]
fn dead_processes_are_forgotten() {
    let url = blocking(fresh_database());
    let (alive, dying) = (Respg::on(&url, &[]), Respg::on(&url, &[]));
    let mut lost = dying.connect();
    subscribe(&mut lost, "SUBSCRIBE a");
    subscribe(&mut lost, "PSUBSCRIBE *");
    let mut client = alive.connect();
    assert_eq!(client.plain("PUBLISH a x"), 2);
    dying.signal(Signal::KILL);
    let took = becomes(&mut client, "PUBLISH a x", &Value::Integer(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(client.plain("PUBSUB CHANNELS"), Value::Array(vec![]));
    assert_eq!(client.plain("PUBSUB NUMPAT"), 0);
}

#[test]
fn a_lost_connection_is_made_again() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut subscriber = servers[0].connect();
    subscribe(&mut subscriber, "SUBSCRIBE a");
    let mut publisher = servers[1].connect();
    let mut own_publisher = servers[0].connect();
    for round in 0..3 {
        blocking(async {
            let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                             WHERE pid <> pg_backend_pid() AND datname = current_database()";
            connect(&url).await.execute(terminate, &[]).await.unwrap();
        });
        becomes(&mut own_publisher, "PUBLISH a own", &Value::Integer(1));
        // The subscriber's process listens again: from here on nothing is missed.
        becomes(&mut publisher, "PUBLISH a remote", &Value::Integer(1));
        // SQL's way needs its LISTEN again too.
        blocking(async { connect(&url).await.execute("NOTIFY a, 'sql'", &[]).await.unwrap() });
        assert_eq!(own_publisher.plain(format!("PUBLISH a end{round}").as_str()), 1);
        let mut seen = Vec::new();
        let end = message("a", &format!("end{round}"));
        loop {
            let got = pushed(&mut subscriber);
            if got == end {
                break;
            }
            seen.push(got);
        }
        for body in ["remote", "own", "sql"] {
            assert!(seen.contains(&message("a", body)), "{body}: {seen:?}");
        }
        assert!(seen.iter().filter(|got| **got == message("a", "sql")).count() == 1, "{seen:?}");
    }
    assert_eq!(publisher.plain("PUBSUB NUMSUB a"), array!["a", 1]);
}

/// What others have said of their subscribers stands in the database: whoever has not heard it learns it when he listens again.
#[test]
fn who_listens_again_knows_the_others() {
    let url = blocking(fresh_database());
    let listening = || -> Vec<i32> {
        let locks = "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE l.locktype = 'advisory' AND l.mode = 'ExclusiveLock' AND d.datname = current_database()";
        blocking(async {
            connect(&url).await.query(locks, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
        })
    };
    let stable = Respg::on(&url, &[]);
    let before = listening();
    let cut = Respg::on(&url, &[]);
    let mut subscriber = stable.connect();
    subscribe(&mut subscriber, "SUBSCRIBE a b");
    let mut client = cut.connect();
    for round in 1..=3 {
        assert_eq!(client.plain("PUBSUB NUMSUB a b"), array!["a", 1, "b", round % 2]);
        let pid = listening().into_iter().find(|pid| !before.contains(pid)).expect("it listens");
        blocking(async {
            connect(&url).await.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap()
        });
        subscribe(&mut subscriber, if round % 2 == 1 { "UNSUBSCRIBE b" } else { "SUBSCRIBE b" });
        let again = format!("respg_listen_reconnects:{round}\r");
        let begun = Instant::now();
        while !matches!(client.plain("INFO respg"), Value::Bulk(info) if String::from_utf8_lossy(&info).contains(&again))
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not listen again");
        }
    }
    assert_eq!(client.plain("PUBLISH a x"), 1);
}
