//! Ten thousand clients that are quiet, one thousand that are not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::client::ok;
use crate::support::files::many_files;
use crate::support::respg::Respg;

const IDLE: usize = 10_000;
const BUSY: usize = 1_000;
const ROUNDS: usize = 20;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn expect(mut stream: &TcpStream, reply: &str) {
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).expect("an answer");
    assert_eq!(String::from_utf8(got).unwrap(), reply);
}

#[test]
fn ten_thousand_idle_and_a_thousand_busy_clients() {
    let _turn = many_files(11_500);
    let respg = Respg::start(&["--maxclients", "12000"]);
    assert_eq!(respg.connect().plain("SET k v"), ok());
    let alone = respg.memory();
    println!("idle process: {alone} kB");
    assert!(alone < 50 * 1024, "{alone} kB without clients");
    // As applications do it: a word at the beginning, then silence.
    let mut idle = Vec::new();
    for _ in 0..IDLE / 100 {
        let some: Vec<TcpStream> = (0..100).map(|_| connect(respg.address())).collect();
        for mut stream in &some {
            stream.write_all(b"CLIENT SETNAME worker\r\nGET k\r\n").unwrap();
        }
        some.iter().for_each(|stream| expect(stream, "+OK\r\n$1\r\nv\r\n"));
        idle.extend(some);
    }
    let each = (respg.memory() - alone) * 1024 / IDLE;
    println!("{each} bytes for each idle connection");
    assert!(each < 10 * 1024, "{each} bytes for each idle connection");

    let busy: Vec<TcpStream> = (0..BUSY).map(|_| connect(respg.address())).collect();
    let begun = Instant::now();
    for round in 0..ROUNDS {
        for (i, mut stream) in busy.iter().enumerate() {
            let value = format!("{i:05}.{round:02}");
            write!(stream, "SET own{i} {value}\r\nGET own{i}\r\nINCR all\r\n").unwrap();
        }
        for (i, stream) in busy.iter().enumerate() {
            expect(stream, &format!("+OK\r\n$8\r\n{i:05}.{round:02}\r\n:"));
            let mut digit = [0; 1];
            while digit != *b"\n" {
                (&mut &*stream).read_exact(&mut digit).unwrap();
            }
        }
    }
    println!("{} commands of {BUSY} busy clients in {:?}", 3 * BUSY * ROUNDS, begun.elapsed());
    let mut client = respg.connect();
    assert_eq!(client.plain("GET all"), (BUSY * ROUNDS).to_string().as_str());
    // The quiet ones are all still served.
    for mut stream in &idle {
        stream.write_all(b"GET k\r\n").unwrap();
    }
    idle.iter().for_each(|stream| expect(stream, "$1\r\nv\r\n"));
}
