//! What decoding a request and encoding a reply cost, without sockets and without a database.
//!
//! `cargo bench --bench codec`: nanoseconds per item, the best of several passes. Compare on one machine only.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use respg::resp::{Decoder, Limits, Protocol, Reply, encode};

/// Items per pass: as many as one read of a busy connection may bring.
const ITEMS: usize = 128;
const PASSES: usize = 20;
const PASS: Duration = Duration::from_millis(50);

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured: run cargo bench --bench codec");
        return;
    }
    let value = [b'x'; 64];
    let wide = vec![b'x'; 16 * 1024];
    let mset: Vec<&[u8]> =
        std::iter::once(&b"MSET"[..]).chain([&b"key:000000000001"[..], &value].repeat(50)).collect();
    decoding("GET", &request(&[b"GET", b"key:000000000001"]));
    decoding("SET, 64 bytes", &request(&[b"SET", b"key:000000000001", &value]));
    decoding("SET, 16 KB", &request(&[b"SET", b"key:000000000001", &wide]));
    decoding("MSET of 50 keys", &request(&mset));
    decoding("inline PING", b"PING\r\n");

    encoding("OK", &Reply::Ok, Protocol::Resp2);
    encoding("integer", &Reply::Integer(123_456), Protocol::Resp2);
    encoding("bulk, 64 bytes", &bulk(&value), Protocol::Resp2);
    encoding("bulk, 16 KB", &bulk(&wide), Protocol::Resp2);
    encoding("array of 50 bulks", &Reply::Array(vec![bulk(&value); 50]), Protocol::Resp2);
    encoding(
        "map of 50 pairs, RESP3",
        &Reply::Map(vec![(bulk(b"field"), bulk(&value)); 50]),
        Protocol::Resp3,
    );
}

fn bulk(text: &[u8]) -> Reply {
    Reply::Bulk(Bytes::copy_from_slice(text))
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn decoding(name: &str, request: &[u8]) {
    let input = request.repeat(ITEMS);
    let mut decoder = Decoder::default();
    let limits = Limits::default();
    report("decode", name, request.len(), || {
        let mut buffer = BytesMut::from(input.as_slice());
        let mut count = 0;
        while let Some(arguments) = decoder.next(&mut buffer, limits).expect("a valid request") {
            black_box(arguments);
            count += 1;
        }
        assert_eq!(count, ITEMS, "every request comes out");
    });
}

fn encoding(name: &str, reply: &Reply, protocol: Protocol) {
    let mut out = BytesMut::new();
    encode(reply, protocol, &mut out);
    let size = out.len();
    report("encode", name, size, || {
        out.clear();
        for _ in 0..ITEMS {
            encode(black_box(reply), protocol, &mut out);
        }
        black_box(&out);
    });
}

/// Repeats `work`, which handles `ITEMS` items of `size` bytes, and prints its best pass.
fn report(what: &str, name: &str, size: usize, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        let mut rounds = 0;
        while start.elapsed() < PASS {
            work();
            rounds += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(rounds) / ITEMS as f64);
    }
    let gigabytes = size as f64 / best;
    println!("{what}  {name:24} {best:9.1} ns  {gigabytes:6.2} GB/s");
}
