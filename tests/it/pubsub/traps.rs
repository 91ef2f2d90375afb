//! What LISTEN and NOTIFY would get wrong (DESIGN.md, section 5).

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::{parts, pushed, subscribe};
use crate::support::client::{Client, Protocol, Value};
use crate::support::pg::fresh_database;
use crate::support::respg::{Respg, blocking};

#[test]
fn any_bytes_of_any_size_on_any_channel() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut subscribers = servers.each_ref().map(Respg::connect);
    let mut publisher = servers[0].connect();
    let long_name = "n".repeat(64);
    let longer_name = "m".repeat(20_000);
    let names: [&[u8]; 7] =
        [b"c", b"", b"\x00", b"\xff\xfe", b"respg:bus", long_name.as_bytes(), longer_name.as_bytes()];
    // Two names that agree in the first 63 bytes are not one.
    let neighbour = format!("{}x", "n".repeat(63));
    for subscriber in &mut subscribers {
        subscriber.send([[&b"SUBSCRIBE"[..]].iter().copied().chain(names).collect::<Vec<_>>()]);
        names.iter().for_each(|_| drop(pushed(subscriber)));
    }
    let sizes = [0, 1, 7_990, 7_999, 8_000, 100_000, 3_000_000];
    let mut bodies: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
    bodies.extend([5_000, 5_999, 6_000].map(|size| vec![0xff; size]));
    bodies.push((0..=255).collect());
    for name in names {
        assert_eq!(publisher.plain([&b"PUBLISH"[..], neighbour.as_bytes(), b"no"]), 0);
        for body in &bodies {
            assert_eq!(publisher.plain([&b"PUBLISH"[..], name, body]), 2, "{} bytes", body.len());
            for subscriber in &mut subscribers {
                assert!(pushed(subscriber) == parts([&b"message"[..], name, body]), "{} bytes", body.len());
            }
        }
    }
}

#[test]
fn identical_messages_are_not_one() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut subscribers = servers.each_ref().map(Respg::connect);
    subscribers.iter_mut().for_each(|subscriber| subscribe(subscriber, "SUBSCRIBE same"));
    thread::scope(|scope| {
        for _ in 0..16 {
            let mut client = servers[0].connect();
            scope.spawn(move || (0..50).for_each(|_| assert_eq!(client.plain("PUBLISH same x"), 2)));
        }
        let mut client = servers[1].connect();
        scope.spawn(move || {
            for _ in 0..20 {
                client.send(["MULTI", "PUBLISH same x", "PUBLISH same x", "EXEC"]);
                (0..4).for_each(|_| drop(client.read()));
            }
        });
    });
    assert_eq!(servers[0].connect().plain("PUBLISH same end"), 2);
    for subscriber in &mut subscribers {
        (0..16 * 50 + 40).for_each(|_| assert_eq!(pushed(subscriber), parts(["message", "same", "x"])));
        assert_eq!(pushed(subscriber), parts(["message", "same", "end"]));
    }
}

#[test]
fn all_subscribers_see_one_order() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut subscribers: Vec<Client> =
        servers.iter().flat_map(|respg| [respg.connect(), respg.connect()]).collect();
    subscribers.iter_mut().for_each(|subscriber| subscribe(subscriber, "PSUBSCRIBE o*"));
    thread::scope(|scope| {
        for (number, respg) in servers.iter().enumerate() {
            for client in 0..4 {
                let mut publisher = respg.connect();
                scope.spawn(move || {
                    for count in 0..50 {
                        let long = if count % 10 == 0 { "x".repeat(9000) } else { String::new() };
                        let body = format!("{number}.{client}.{count}.{long}");
                        assert_eq!(publisher.plain(["PUBLISH", "order", &body]), 6);
                    }
                });
            }
        }
    });
    let seen =
        |subscriber: &mut Client| -> Vec<Value> { (0..600).map(|_| pushed(subscriber).remove(3)).collect() };
    let first = seen(&mut subscribers[0]);
    for subscriber in &mut subscribers[1..] {
        assert!(seen(subscriber) == first, "another order");
    }
}

/// What is LISTENed to follows what is subscribed to a moment later; meanwhile nothing comes twice, and nothing that only SQL is to see.
#[test]
fn each_message_once_while_subscribers_come_and_go() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut standing = servers[1].connect();
    subscribe(&mut standing, "PSUBSCRIBE c*");
    let publishing = AtomicUsize::new(servers.len());
    thread::scope(|scope| {
        for respg in &servers {
            let mut publisher = respg.connect();
            let prefix = publisher.plain("CLIENT ID").integer();
            let publishing = &publishing;
            scope.spawn(move || {
                for number in 0..1500 {
                    let long = if number % 5 == 0 { "x".repeat(9000) } else { String::new() };
                    publisher.plain(["PUBLISH", "c", &format!("{prefix} {number} {long}")]);
                }
                publishing.fetch_sub(1, Relaxed);
            });
        }
        for respg in servers.iter().chain(&servers) {
            let (mut comer, publishing) = (respg.connect(), &publishing);
            scope.spawn(move || {
                while publishing.load(Relaxed) > 0 {
                    comer.send(["SUBSCRIBE c", "UNSUBSCRIBE c"]);
                    let mut last = HashMap::new();
                    loop {
                        let message = pushed(&mut comer);
                        match (&message[0], &message[2]) {
                            (Value::Bulk(word), Value::Bulk(body)) if word == "message" => {
                                increases(&mut last, body);
                            }
                            (Value::Bulk(word), _) if word == "unsubscribe" => break,
                            _ => {}
                        }
                    }
                }
            });
        }
    });
    assert_eq!(servers[0].connect().plain("PUBLISH cc end"), 1);
    let mut last = HashMap::new();
    loop {
        match &pushed(&mut standing)[3] {
            Value::Bulk(body) if body == "end" => return,
            Value::Bulk(body) => increases(&mut last, body),
            other => panic!("{other:?}"),
        }
    }
}

/// The next message of a publisher.
fn increases(last: &mut HashMap<String, u32>, body: &[u8]) {
    let text = String::from_utf8_lossy(&body[..body.len().min(50)]).into_owned();
    let mut words = text.split(' ');
    let (publisher, number) =
        (words.next().unwrap().to_owned(), words.next().and_then(|number| number.parse().ok()));
    let number = number.unwrap_or_else(|| panic!("nobody has published {text}"));
    assert!(last.insert(publisher, number).is_none_or(|last| last < number), "{text} came again");
}

#[test]
fn a_slow_subscriber_is_cut_off() {
    let respg = Respg::start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let mut slow: TcpStream = respg.socket();
    slow.write_all(b"SUBSCRIBE flood\r\n").unwrap();
    let mut quick = respg.connect();
    subscribe(&mut quick, "SUBSCRIBE flood");
    let mut publisher = respg.connect();
    let body = "x".repeat(100_000);
    let begun = Instant::now();
    while publisher.plain(["PUBLISH", "flood", &body]) == 2 {
        pushed(&mut quick);
        assert!(begun.elapsed() < Duration::from_secs(30), "never cut off");
    }
    pushed(&mut quick);
    assert_eq!(publisher.plain("PUBLISH flood end"), 1);
    assert_eq!(pushed(&mut quick), parts(["message", "flood", "end"]));
}

#[test]
fn many_channels_and_clients_come_and_go() {
    let respg = Respg::start(&[]);
    let mut publisher = Client::connect(respg.address(), Protocol::Resp3);
    let names: Vec<String> = (0..2000).map(|number| format!("many:{number}")).collect();
    for _ in 0..2 {
        let mut subscriber = respg.connect();
        let mut call = vec!["SUBSCRIBE"];
        call.extend(names.iter().map(String::as_str));
        subscriber.send([call]);
        names.iter().for_each(|_| drop(pushed(&mut subscriber)));
        assert_eq!(publisher.plain("PUBLISH many:1999 x"), 1);
        assert_eq!(pushed(&mut subscriber), parts(["message", "many:1999", "x"]));
        drop(subscriber);
        let begun = Instant::now();
        while publisher.plain("PUBSUB CHANNELS many:*") != Value::Array(vec![]) {
            assert!(begun.elapsed() < Duration::from_secs(10), "not forgotten");
        }
    }
}
