//! Requests that arrive in pieces, and connections that end in the middle of one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::Duration;

use respg::config::Config;

use crate::support::client::{Client, Protocol, ok};
use crate::support::server;

static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| server::start(Config::defaults()).socket);

/// Requests and the replies of redis-server 7.0 to a client that closes its side behind them. KEY is a key that is absent before.
const REQUESTS: &[(&[u8], &[u8])] = &[
    (b"PING\r\n", b"+PONG\r\n"),
    (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    (b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb\x00\r\n", b"$5\r\na\r\nb\x00\r\n"),
    (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"ECHO \"a b\\x00\\n\"\r\n", b"$5\r\na b\x00\n\r\n"),
    (b"ECHO 'it''s\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    (b"\r\n\r\nPING\n", b"+PONG\r\n"),
    (b"*0\r\n*-1\r\nPING\r\n", b"+PONG\r\n"),
    (b"SET KEY__ v\nGET KEY__\n", b"+OK\r\n$1\r\nv\r\n"),
    (b"*3\r\n$3\r\nSET\r\n$5\r\nKEY__\r\n$3\r\n1\r2\r\n*2\r\n$3\r\nGET\r\n$5\r\nKEY__\r\n", b"+OK\r\n$3\r\n1\r2\r\n"),
    (b"*3\r\n$3\r\nSET\r\n$5\r\nKEY__\r\n$4\r\n\xff\xfe\r\n\r\n*2\r\n$6\r\nGETDEL\r\n$5\r\nKEY__\r\n", b"+OK\r\n$4\r\n\xff\xfe\r\n\r\n"),
    (b"SET KEY__ 9\r\nINCR KEY__\r\nINCR KEY__\r\nGET KEY__\r\n", b"+OK\r\n:10\r\n:11\r\n$2\r\n11\r\n"),
    (b"GET KEY__\r\n", b"$-1\r\n"),
    (b"GET\r\n", b"-ERR wrong number of arguments for 'get' command\r\n"),
    (b"NOSUCH a b\r\n", b"-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n"),
    (b"*2\r\n$6\r\nNO\r\nNO\r\n$1\r\nx\r\n", b"-ERR unknown command 'NO  NO', with args beginning with: 'x' \r\n"),
    (b"*1\r\n$0\r\n\r\n", b"-ERR unknown command '', with args beginning with: \r\n"),
    (b"SET KEY__ a EX 0\r\nPING\r\n", b"-ERR invalid expire time in 'set' command\r\n+PONG\r\n"),
    (b"MULTI\r\nSET KEY__ 1\r\nINCR KEY__\r\nEXEC\r\n", b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n"),
    (b"MULTI\r\nGET\r\nEXEC\r\n", b"+OK\r\n-ERR wrong number of arguments for 'get' command\r\n-EXECABORT Transaction discarded because of previous errors.\r\n"),
    (b"MULTI\r\nPING\r\nDISCARD\r\n", b"+OK\r\n+QUEUED\r\n+OK\r\n"),
    (b"WATCH KEY__\r\nMULTI\r\nGET KEY__\r\nEXEC\r\n", b"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"),
    (b"APPEND KEY__ ab\r\nAPPEND KEY__ cd\r\nGETRANGE KEY__ 1 -2\r\n", b":2\r\n:4\r\n$2\r\nbc\r\n"),
    (b"MSET KEY__ 1\r\nMGET KEY__ KEY__x\r\n", b"+OK\r\n*2\r\n$1\r\n1\r\n$-1\r\n"),
    (b"SET KEY__ v PX 100000\r\nPERSIST KEY__\r\nTTL KEY__\r\n", b"+OK\r\n:1\r\n:-1\r\n"),
    (b"SET KEY__ 1\r\nDEL KEY__ KEY__\r\nEXISTS KEY__\r\n", b"+OK\r\n:1\r\n:0\r\n"),
    (b"SELECT 1\r\nSET KEY__ x\r\nSELECT 0\r\nGET KEY__\r\n", b"+OK\r\n+OK\r\n+OK\r\n$-1\r\n"),
    (b"*1\r\n:3\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
    (b"PING\r\n*1\r\n$-5\r\n", b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"),
    (b"*01\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"*1\r\n$01\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (b"*1048577x\r\nPING\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    (b"QUIT\r\nPING\r\n", b"+OK\r\n"),
];

fn socket() -> TcpStream {
    let stream = TcpStream::connect(*SERVER).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn with_key(bytes: &[u8], number: usize) -> Vec<u8> {
    let key = format!("{number:05}");
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"KEY__")).collect();
    let mut bytes = bytes.to_vec();
    places.into_iter().for_each(|at| bytes[at..at + 5].copy_from_slice(key.as_bytes()));
    bytes
}

fn replies(mut stream: TcpStream) -> Vec<u8> {
    let mut replies = Vec::new();
    // Whoever closes with unread input resets the connection; what was read before counts.
    let _ = stream.read_to_end(&mut replies);
    replies
}

#[test]
fn a_request_may_be_cut_at_every_byte() {
    let mut number = 0;
    for (request, expected) in REQUESTS {
        let begun: Vec<(TcpStream, usize, Vec<u8>)> = (0..request.len())
            .map(|cut| {
                number += 1;
                let (mut stream, request) = (socket(), with_key(request, number));
                stream.write_all(&request[..cut]).unwrap();
                (stream, cut, request)
            })
            .collect();
        // Time for the server to see the first parts alone.
        sleep(Duration::from_millis(10));
        for (mut stream, cut, request) in begun {
            // It may have closed after an error in the first part.
            let _ = stream.write_all(&request[cut..]).and_then(|()| stream.shutdown(Shutdown::Write));
            let got = replies(stream);
            assert!(
                got == *expected,
                "{} cut at {cut}: {} instead of {}",
                request.escape_ascii(),
                got.escape_ascii(),
                expected.escape_ascii()
            );
        }
    }
    assert!(number > 700, "{number}");
}

#[test]
fn half_a_request_is_not_executed() {
    let mut client = Client::connect(*SERVER, Protocol::Resp2);
    let request = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1\r\nv\r\n";
    for length in 1..request.len() {
        let mut stream = socket();
        stream.write_all(&request[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(replies(stream), b"", "{length} bytes of {}", request.escape_ascii());
    }
    assert_eq!(client.plain("EXISTS half"), 0);
    // Queued and not executed is not done either.
    let mut stream = socket();
    stream.write_all(b"MULTI\r\nSET half 1\r\nEXEC").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(replies(stream), b"+OK\r\n+QUEUED\r\n");
    assert_eq!(client.plain("EXISTS half"), 0);
    assert_eq!(client.plain("SET half whole"), ok());
}

#[test]
fn many_clients_go_without_a_word() {
    let mut client = Client::connect(*SERVER, Protocol::Resp2);
    for _ in 0..20 {
        let streams: Vec<TcpStream> = (0..50).map(|_| socket()).collect();
        for mut stream in streams {
            // A thousand GETs and gone before the first reply.
            stream.write_all("GET nothing\r\n".repeat(1000).as_bytes()).unwrap();
        }
        assert_eq!(client.plain("SET alive yes"), ok());
    }
}
