//! A real Redis (or Valkey) of a test.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::client::{Client, Protocol};
use super::pg::Scratch;

/// Both kinds, by program.
pub const PROGRAMS: [&str; 2] = ["redis-server", "/opt/respg-oracles/bin/valkey-server"];
/// Other versions of Redis.
pub const OTHERS: [&str; 3] = [
    "/opt/respg-oracles/bin/redis-server-5.0",
    "/opt/respg-oracles/bin/redis-server-6.2",
    "/opt/respg-oracles/bin/redis-server-8",
];

/// A running server, killed with this value.
pub struct Redis {
    child: Child,
    address: SocketAddr,
    _scratch: Scratch,
}

impl Redis {
    pub fn start() -> Redis {
        Redis::of(PROGRAMS[0], &[])
    }

    pub fn of(program: &str, options: &[&str]) -> Redis {
        let scratch = Scratch::new();
        for _ in 0..10 {
            // Somebody else may take it in between.
            let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
            let address = address.expect("a free port");
            let mut child = Command::new(program)
                .args(["--port", &address.port().to_string(), "--save", ""])
                .args(options)
                .current_dir(scratch.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}"));
            while child.try_wait().expect("our child").is_none() {
                if answers(address).is_ok() {
                    return Redis { child, address, _scratch: scratch };
                }
                sleep(Duration::from_millis(10));
            }
        }
        panic!("{program} does not start");
    }

    /// Ends it for good.
    pub fn kill(&mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address, Protocol::Resp2)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whatever it says: then it listens at all its sockets.
fn answers(address: SocketAddr) -> io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(b"PING\r\n")?;
    socket.read_exact(&mut [0])
}
