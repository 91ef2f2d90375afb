//! Long keys, long values, many arguments, many queued commands.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Instant;

use respg::config::Config;

use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::respg::Respg;
use crate::support::server;

static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| server::start(Config::defaults()).socket);

/// On a logical database of its own.
fn client(db: u32) -> Client {
    let mut client = Client::connect(*SERVER, Protocol::Resp2);
    client.select(db);
    client
}

/// Bytes of all values, different for each seed.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) ^ (at >> 8) ^ (seed * 7)) as u8).collect()
}

fn set(key: &[u8], value: &[u8]) -> Vec<Vec<u8>> {
    vec![b"SET".to_vec(), key.to_vec(), value.to_vec()]
}

fn get(key: &[u8]) -> Vec<Vec<u8>> {
    vec![b"GET".to_vec(), key.to_vec()]
}

fn short(reply: &Value) -> String {
    reply.to_string_lossy().chars().take(100).collect()
}

#[test]
fn long_and_short_values_in_one_pipeline_keep_their_order() {
    let mut client = client(1);
    let lengths = [3, 64 * 1024, 64 * 1024 + 1, 10, 1_000_000, 0, 200_000, 5_000_000, 1, 65_535];
    for round in 0..3 {
        let values: Vec<_> =
            lengths.iter().enumerate().map(|(i, length)| bytes(i + round, *length)).collect();
        // Every value goes through the same key too: a GET sees the SET before it.
        let calls = values.iter().enumerate().flat_map(|(i, value)| {
            let key = format!("key{i}");
            [set(key.as_bytes(), value), set(b"same", value), get(b"same"), get(key.as_bytes())]
        });
        client.send(calls.collect::<Vec<_>>());
        for value in &values {
            assert_eq!([client.read(), client.read()], [ok(), ok()]);
            for reply in [client.read(), client.read()] {
                let wanted = value.len();
                assert!(reply == value.as_slice(), "{} in place of {wanted} bytes", short(&reply));
            }
        }
        client.send((0..values.len()).map(|i| get(format!("key{i}").as_bytes())).collect::<Vec<_>>());
        for value in &values {
            assert!(client.read() == value.as_slice());
        }
    }
}

#[test]
fn keys_of_any_length() {
    let mut client = client(2);
    let mut keys: Vec<Vec<u8>> = [0, 1, 991, 992, 993, 1022, 1023, 1024, 1025, 2048, 8192, 100_000]
        .iter()
        .map(|length| bytes(*length, *length))
        .collect();
    // Long ones that differ only behind the part that is stored in the index, and one that looks like such a part.
    let tail = |last: &[u8]| [&[b'p'; 5000][..], last].concat();
    keys.extend([tail(b"a"), tail(b"b"), tail(b""), vec![b'p'; 992], vec![b'p'; 1023], vec![b'p'; 1024]]);
    keys.extend([b"\0".to_vec(), b"\0\0".to_vec(), b"\xff".to_vec(), b"a*b".to_vec(), b"\r\n".to_vec()]);
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(client.plain(set(key, &bytes(i, 10))), ok());
    }
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(client.plain(get(key)), bytes(i, 10).as_slice());
        assert_eq!(client.plain(vec![b"TYPE".to_vec(), key.clone()]), Value::Status("string".into()));
    }
    let all: BTreeSet<Vec<u8>> = keys.iter().cloned().collect();
    assert_eq!(client.plain("DBSIZE"), all.len() as i64);
    assert_eq!(strings(client.plain("KEYS *")), all);
    let mut scanned = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    loop {
        let call = vec![b"SCAN".to_vec(), cursor, b"COUNT".to_vec(), b"3".to_vec()];
        let Value::Array(mut page) = client.plain(call) else { panic!("not a page") };
        scanned.extend(strings(page.pop().unwrap()));
        let Some(Value::Bulk(next)) = page.pop() else { panic!("not a cursor") };
        cursor = next.to_vec();
        if cursor == b"0" {
            break;
        }
    }
    assert_eq!(scanned, all);
    let renamed = [&[b'q'; 3000][..], b"!"].concat();
    let call = vec![b"RENAME".to_vec(), tail(b"a"), renamed.clone()];
    assert_eq!(client.plain(call), ok());
    assert_eq!(client.plain(get(&tail(b"a"))), Value::Null);
    assert_eq!(client.plain(get(&renamed)), bytes(12, 10).as_slice());
    let mut call = vec![b"DEL".to_vec()];
    call.extend(all.iter().cloned());
    assert_eq!(client.plain(call), all.len() as i64 - 1);
    assert_eq!(strings(client.plain("KEYS *")), BTreeSet::from([renamed]));
}

fn strings(array: Value) -> BTreeSet<Vec<u8>> {
    let Value::Array(items) = array else { panic!("not an array: {array:?}") };
    let string = |item| match item {
        Value::Bulk(bytes) => bytes.to_vec(),
        other => panic!("not a string: {other:?}"),
    };
    items.into_iter().map(string).collect()
}

#[test]
fn ten_thousand_commands_in_one_transaction() {
    let mut client = client(3);
    let mut calls = vec!["MULTI".to_owned()];
    for i in 0..5000 {
        calls.push(format!("INCR counter{}", i % 100));
        calls.push(format!("SET key{i} {i}"));
    }
    calls.push("EXEC".to_owned());
    client.send(calls.iter().map(String::as_str));
    assert_eq!(client.read(), ok());
    for _ in 0..10_000 {
        assert_eq!(client.read(), Value::Status("QUEUED".into()));
    }
    let Value::Array(replies) = client.read() else { panic!("not executed") };
    assert_eq!(replies.len(), 10_000);
    assert_eq!((&replies[0], &replies[9998]), (&Value::Integer(1), &Value::Integer(50)));
    assert!(replies.iter().skip(1).step_by(2).all(|reply| *reply == ok()));
    assert_eq!(client.plain("DBSIZE"), 5100);
}

#[test]
fn a_million_arguments() {
    const COUNT: usize = 1_000_000;
    // Of its own: in a debug build it keeps its thread from others for many seconds.
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    client.wait_up_to(120);
    assert_eq!(client.plain("MSET key0 first key999999 last key1000000 other"), ok());
    let call = |command: &str, count: usize| {
        let keys = (0..count).map(|i| format!("key{i}").into_bytes());
        std::iter::once(command.as_bytes().to_vec()).chain(keys).collect::<Vec<_>>()
    };
    let begun = Instant::now();
    let Value::Array(values) = client.plain(call("MGET", COUNT)) else { panic!("not an array") };
    assert_eq!(values.len(), COUNT);
    assert_eq!((&values[0], &values[COUNT - 1]), (&Value::from("first"), &Value::from("last")));
    assert!(values[1..COUNT - 1].iter().all(|value| *value == Value::Null));
    println!("MGET of a million keys: {:?}", begun.elapsed());
    let begun = Instant::now();
    // Fewer, for each absent one is locked by a row of its own.
    assert_eq!(client.plain(call("DEL", COUNT / 5)), 1);
    println!("DEL of 200,000 keys: {:?}", begun.elapsed());
    assert_eq!(client.plain("DBSIZE"), 2);
}

#[test]
fn a_value_longer_than_proto_max_bulk_len() {
    let respg = Respg::start(&["--proto-max-bulk-len", "1048576"]);
    let mut client = respg.connect();
    let longest = bytes(1, 1 << 20);
    assert_eq!(client.plain(set(b"k", &longest)), ok());
    assert!(client.plain(get(b"k")) == longest.as_slice());
    let refused = error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    assert_eq!(client.plain("APPEND k x"), refused);
    assert_eq!(client.plain("SETRANGE k 1048576 x"), refused);
    assert_eq!(client.plain("STRLEN k"), 1 << 20);
    let mut socket = respg.socket();
    socket.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n").unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    assert_eq!(said, "-ERR Protocol error: invalid bulk length\r\n");
    assert_eq!(client.plain("STRLEN k"), 1 << 20);
}

#[test]
fn a_value_of_512_megabytes() {
    const LENGTH: usize = 512 << 20;
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    client.wait_up_to(300);
    let mut socket = respg.socket();
    let expect = |socket: &mut std::net::TcpStream, reply: &str| {
        let mut got = vec![0; reply.len()];
        socket.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), reply);
    };
    socket.set_read_timeout(Some(std::time::Duration::from_secs(300))).unwrap();
    write!(socket, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${LENGTH}\r\n").unwrap();
    let piece = bytes(0, 1 << 20);
    for _ in 0..LENGTH >> 20 {
        socket.write_all(&piece).unwrap();
    }
    socket.write_all(b"\r\n").unwrap();
    expect(&mut socket, "+OK\r\n");
    assert_eq!(client.plain("STRLEN k"), LENGTH as i64);
    assert_eq!(client.plain("GETRANGE k -10 -1"), &piece[(1 << 20) - 10..]);
    assert_eq!(
        client.plain("APPEND k x"),
        error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    );
    socket.write_all(b"GET k\r\n").unwrap();
    expect(&mut socket, &format!("${LENGTH}\r\n"));
    let mut got = vec![0; 1 << 20];
    for _ in 0..LENGTH >> 20 {
        socket.read_exact(&mut got).unwrap();
        assert!(got == piece);
    }
    expect(&mut socket, "\r\n");
    assert_eq!(client.plain("DEL k"), 1);
    assert_eq!(client.plain("EXISTS k"), 0);
    let peak = respg.peak_memory() >> 10;
    println!("peak {peak} MB, afterwards {} MB", respg.memory() >> 10);
    assert!(peak < 3 * 1024, "{peak} MB for a value of 512 MB");
}
