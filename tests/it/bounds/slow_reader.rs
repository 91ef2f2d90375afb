//! A client that sends and never reads.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::client::{Value, ok};
use crate::support::respg::Respg;

/// Sends GETs of a long value until the server takes no more.
fn fill(mut socket: &TcpStream) -> usize {
    socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let pipeline = b"GET long\r\n".repeat(10_000);
    let mut sent = 0;
    loop {
        match socket.write(&pipeline) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100 << 20, "the server takes everything");
    }
}

#[test]
fn who_does_not_read_is_not_read_from() {
    let respg = Respg::start(&[]);
    let mut other = respg.connect();
    let value = "x".repeat(1 << 20);
    assert_eq!(other.plain(["SET", "long", &value]), ok());
    let before = respg.memory();
    let sockets: Vec<TcpStream> = (0..4).map(|_| respg.socket()).collect();
    let ids: Vec<i64> = sockets
        .iter()
        .map(|mut socket| {
            socket.write_all(b"CLIENT ID\r\n").unwrap();
            let mut reply = [0; 32];
            let count = socket.read(&mut reply).unwrap();
            std::str::from_utf8(&reply[1..count - 2]).unwrap().parse().unwrap()
        })
        .collect();
    for socket in &sockets {
        let sent = fill(socket);
        assert!(sent < 32 << 20, "{sent} bytes taken of a client that does not read");
    }
    // 10,000 and more replies of 1 MB are due, each client holds few of them.
    let grown = (respg.peak_memory() - before) >> 10;
    println!("{grown} MB for four clients that do not read");
    assert!(grown < 64, "{grown} MB");
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(other.plain("SET short v"), ok());
        assert_eq!(other.plain("GET short"), "v");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "others wait for who does not read");
    for id in &ids {
        assert_eq!(other.plain(format!("CLIENT KILL ID {id}").as_str()), 1);
    }
    let begun = Instant::now();
    let is_there = |list: &Value, id: i64| match list {
        Value::Bulk(text) => String::from_utf8_lossy(text).contains(&format!("id={id} ")),
        other => panic!("{other:?}"),
    };
    loop {
        let list = other.plain("CLIENT LIST");
        if ids.iter().all(|id| !is_there(&list, *id)) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "killed and still there");
        sleep(Duration::from_millis(20));
    }
    // One that reads in the end gets everything.
    let mut late = respg.socket();
    late.write_all(&b"GET long\r\n".repeat(300)).unwrap();
    sleep(Duration::from_millis(300));
    let mut got = vec![0; 300 * (value.len() + "$1048576\r\n\r\n".len())];
    late.read_exact(&mut got).unwrap();
    assert!(
        got.chunks(value.len() + 12)
            .all(|reply| reply.starts_with(b"$1048576\r\nx") && reply.ends_with(b"x\r\n"))
    );
}
