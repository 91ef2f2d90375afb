//! Clients that pipeline are served by another thread from some time on.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::respg::Respg;

/// More than a client is watched for.
const TURNS: usize = 40;

fn expect(socket: &mut TcpStream, replies: &str) {
    let mut got = vec![0; replies.len()];
    socket.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), replies);
}

/// Of those that are there together every second one moves: in the middle of a transaction, and of a request.
#[test]
fn a_transaction_and_half_a_request_move_along() {
    let respg = Respg::start(&["--threads", "2"]);
    let mut other = respg.connect();
    assert_eq!(other.plain("SELECT 3"), ok());
    let mut sockets = Vec::new();
    for number in 0..4 {
        let mut socket = respg.socket();
        write!(socket, "SELECT 3\r\nCLIENT SETNAME me{number}\r\nWATCH w\r\nMULTI\r\n").unwrap();
        expect(&mut socket, &"+OK\r\n".repeat(4));
        let call = format!("INCR n{number}\r\n");
        for turn in 0..TURNS {
            let begun = if turn == 0 { "" } else { &call[2..] };
            write!(socket, "{begun}{}{}", call.repeat(7), &call[..2]).unwrap();
            expect(&mut socket, &"+QUEUED\r\n".repeat(if turn == 0 { 7 } else { 8 }));
        }
        let disturbed = number >= 2;
        if disturbed {
            assert_eq!(other.plain("INCR w").integer(), number - 1);
        }
        write!(socket, "{}EXEC\r\nCLIENT GETNAME\r\nGET n{number}\r\n", &call[2..]).unwrap();
        let mut replies = "+QUEUED\r\n".to_owned();
        if disturbed {
            write!(replies, "*-1\r\n$3\r\nme{number}\r\n$-1\r\n").unwrap();
        } else {
            write!(replies, "*{}\r\n", TURNS * 8).unwrap();
            (1..=TURNS * 8).for_each(|sum| write!(replies, ":{sum}\r\n").unwrap());
            write!(replies, "$3\r\nme{number}\r\n$3\r\n{}\r\n", TURNS * 8).unwrap();
        }
        expect(&mut socket, &replies);
        sockets.push(socket);
    }
}

#[test]
fn subscriptions_move_along() {
    let respg = Respg::start(&["--threads", "2"]);
    let mut other = respg.connect();
    let mut subscribers: Vec<Client> = Vec::new();
    for _ in 0..2 {
        let mut subscriber = Client::connect(respg.address(), Protocol::Resp3);
        subscriber.send(["SUBSCRIBE c"]);
        subscriber.read();
        for _ in 0..TURNS {
            subscriber.send(["PING"; 8]);
            (0..8).for_each(|_| assert_eq!(subscriber.read(), Value::Status("PONG".to_owned())));
        }
        subscribers.push(subscriber);
    }
    assert_eq!(other.plain("PUBLISH c x"), 2);
    let heard: Vec<_> = subscribers.iter_mut().map(|subscriber| format!("{:?}", subscriber.read())).collect();
    assert!(heard.iter().all(|message| message.contains("message") && *message == heard[0]), "{heard:?}");
    drop(subscribers.pop());
    while other.plain("PUBSUB NUMSUB c").map()[0].1 != 1 {
        std::thread::yield_now();
    }
}
