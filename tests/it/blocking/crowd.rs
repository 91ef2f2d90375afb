//! Ten thousand blocked clients: what they cost, and whom a write wakes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{make_group, until_blocked};
use crate::support::files::many_files;
use crate::support::respg::Respg;

const GROUP: usize = 5_000;
const READERS: usize = 100;
const ALONE: usize = 4_900;

fn reply(mut stream: &TcpStream) -> String {
    let mut got = [0; 4096];
    let count = loop {
        match stream.read(&mut got) {
            // A child's end is a signal.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => break outcome.expect("an answer"),
        }
    };
    String::from_utf8_lossy(&got[..count]).into_owned()
}

#[test]
fn ten_thousand_blocked_clients() {
    let _turn = many_files(11_500);
    let respg = Respg::start(&["--maxclients", "12000"]);
    let mut admin = respg.connect();
    make_group(&mut admin, "s");
    let before = respg.memory();
    let mut clients = Vec::new();
    for i in 0..GROUP + READERS + ALONE {
        let mut stream = respg.socket();
        match i {
            _ if i < GROUP => stream.write_all(b"XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n").unwrap(),
            _ if i < GROUP + READERS => stream.write_all(b"XREAD BLOCK 0 STREAMS r $\r\n").unwrap(),
            _ => write!(stream, "XREAD BLOCK 0 STREAMS own{i} $\r\n").unwrap(),
        }
        clients.push(stream);
        // In the order in which they are to be served.
        if i == 0 || i % 100 == 99 {
            until_blocked(&mut admin, i + 1);
        }
    }
    let each = (respg.memory() - before) * 1024 / clients.len();
    println!("{each} bytes for each blocked client");
    assert!(each < 12 * 1024, "{each} bytes for each blocked client");

    // New keys are looked at once; then there is the poll.
    sleep(Duration::from_secs(15));
    let (cpu, begun) = (respg.cpu(), Instant::now());
    sleep(Duration::from_secs(3));
    let share = (respg.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("{:.1} % of a CPU while nothing happens", share * 100.0);
    assert!(share < 0.25, "{share}");

    // One entry, one worker, and it is the first.
    let begun = Instant::now();
    assert_eq!(admin.plain("XADD s 1-1 f v"), "1-1");
    assert!(reply(&clients[0]).contains("1-1"));
    println!("the first of {GROUP} workers after {:?}", begun.elapsed());
    until_blocked(&mut admin, clients.len() - 1);
    // One entry, all readers.
    let begun = Instant::now();
    assert_eq!(admin.plain("XADD r 1-2 f v"), "1-2");
    clients[GROUP..GROUP + READERS].iter().for_each(|stream| assert!(reply(stream).contains("1-2")));
    println!("all of {READERS} readers after {:?}", begun.elapsed());
    until_blocked(&mut admin, clients.len() - 1 - READERS);
    // One key of many.
    let lonely = clients.len() - 7;
    assert_eq!(admin.plain(["XADD", &format!("own{lonely}"), "1-3", "f", "v"]), "1-3");
    assert!(reply(&clients[lonely]).contains("1-3"));
    until_blocked(&mut admin, clients.len() - 2 - READERS);
    // They go, and leave nothing behind.
    drop(clients);
    until_blocked(&mut admin, 0);
    assert_eq!(admin.plain("PING"), crate::support::client::Value::Status("PONG".to_owned()));
}
