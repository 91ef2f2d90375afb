//! Who is let in, and for how long.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::pg::Scratch;
use crate::support::respg::Respg;

fn everything(mut stream: impl Read) -> String {
    let mut said = String::new();
    // Whoever is refused may be reset.
    let _ = stream.read_to_string(&mut said);
    said
}

#[test]
fn no_more_clients_than_maxclients() {
    let respg = Respg::start(&["--maxclients", "10"]);
    let mut first = respg.connect();
    assert_eq!(first.plain("SET k v"), ok());
    // All at once: each one accepted counts before the next.
    let mut streams: Vec<TcpStream> = (0..50).map(|_| respg.socket()).collect();
    for stream in &mut streams {
        let _ = stream.write_all(b"GET k\r\n");
    }
    let mut served = Vec::new();
    let mut refused = 0;
    for mut stream in streams {
        let mut reply = [0; 64];
        match stream.read(&mut reply) {
            Ok(count) if reply[..count] == *b"$1\r\nv\r\n" => served.push(stream),
            Ok(count) => {
                assert_eq!(
                    String::from_utf8_lossy(&reply[..count]),
                    "-ERR max number of clients reached\r\n"
                );
                refused += 1;
            }
            Err(error) => panic!("neither served nor refused: {error}"),
        }
    }
    assert_eq!((served.len(), refused), (9, 41));
    // Room again when somebody goes.
    served.pop();
    let begun = Instant::now();
    loop {
        let mut stream = respg.socket();
        let _ = stream.write_all(b"GET k\r\n");
        let mut reply = [0; 64];
        let count = stream.read(&mut reply).unwrap();
        if reply[..count] == *b"$1\r\nv\r\n" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "the place is not given back");
    }
    assert_eq!(first.plain("GET k"), "v");
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let respg = Respg::start(&["--timeout", "3"]);
    let (mut idle, mut busy) = (respg.socket(), respg.connect());
    let begun = Instant::now();
    assert_eq!(busy.plain("SET k v"), ok());
    while begun.elapsed() < Duration::from_millis(5500) {
        assert_eq!(busy.plain("GET k"), "v");
        std::thread::sleep(Duration::from_millis(300));
    }
    idle.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "closed without a word");
}

#[test]
fn a_unix_socket_with_permissions() {
    let scratch = Scratch::new();
    let path = scratch.path().join("respg.sock");
    let name = path.to_str().unwrap();
    // One that a dead process left is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let respg = Respg::start(&["--unixsocket", name, "--unixsocketperm", "700"]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"SET k v\r\nGET k\r\nCLIENT INFO\r\nQUIT\r\n").unwrap();
    let said = everything(stream);
    assert!(said.starts_with("+OK\r\n$1\r\nv\r\n$"), "{said}");
    assert!(said.contains(&format!("addr={name}:0")) && said.contains("flags=U"), "{said}");
    respg.signal(rustix::process::Signal::TERM);
    assert!(respg.ended().success());
    assert!(!path.exists(), "removed at the end");
}

/// An address of this machine that is not its loopback; without a network there is none.
fn foreign_address() -> Option<std::net::IpAddr> {
    // Nothing is sent: connecting a datagram socket only chooses an address.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn protected_mode_keeps_other_hosts_out() {
    let Some(foreign) = foreign_address() else {
        return assert!(std::env::var_os("CI").is_none(), "no address besides loopback: nothing was tested");
    };
    let from_outside = |respg: &Respg| {
        let mut stream = TcpStream::connect(SocketAddr::new(foreign, respg.address().port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"PING\r\nQUIT\r\n").unwrap();
        everything(stream)
    };
    let respg = Respg::start(&["--bind", "0.0.0.0"]);
    let said = from_outside(&respg);
    assert!(
        said.starts_with("-DENIED Redis is running in protected mode") && said.ends_with("\r\n"),
        "{said}"
    );
    let local = SocketAddr::from(([127, 0, 0, 1], respg.address().port()));
    assert_eq!(Client::connect(local, Protocol::Resp2).plain("PING"), Value::Status("PONG".into()));

    let open = Respg::start(&["--bind", "0.0.0.0", "--protected-mode", "no"]);
    assert_eq!(from_outside(&open), "+PONG\r\n+OK\r\n");
    let with_password = Respg::start(&["--bind", "0.0.0.0", "--requirepass", "secret"]);
    assert_eq!(from_outside(&with_password), "-NOAUTH Authentication required.\r\n+OK\r\n");
}

#[test]
fn a_password() {
    let respg = Respg::start(&["--requirepass", "secret"]);
    let mut client = respg.connect();
    let refused = error("NOAUTH Authentication required.");
    assert_eq!(client.plain("GET k"), refused);
    assert_eq!(client.plain("PING"), refused);
    let wrong = error("WRONGPASS invalid username-password pair or user is disabled.");
    assert_eq!(client.plain("AUTH wrong"), wrong);
    assert_eq!(client.plain("GET k"), refused);
    // Pipelined behind AUTH: judged by its outcome.
    client.send(["AUTH secret", "SET k v", "GET k"]);
    assert_eq!([client.read(), client.read()], [ok(), ok()]);
    assert_eq!(client.read(), "v");
    // Strangers may send little.
    let mut stranger = respg.socket();
    stranger.write_all(b"*11\r\n").unwrap();
    assert_eq!(everything(stranger), "-ERR Protocol error: unauthenticated multibulk length\r\n");
    let mut stranger = respg.socket();
    stranger.write_all(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n").unwrap();
    assert_eq!(everything(stranger), "-ERR Protocol error: unauthenticated bulk length\r\n");
}
