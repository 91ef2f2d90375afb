//! The program with a Postgres of its own, ended politely and otherwise.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::pg::Scratch;

const PATIENCE: Duration = Duration::from_secs(60);

struct Program {
    child: Child,
    port: u16,
}

impl Program {
    fn start(home: &Path) -> Program {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
        respg.args(["--port", &port.to_string(), "--data-dir"]).arg(home).env_remove("RESPG_DATABASE_URL");
        if let Some(programs) = std::env::var_os("RESPG_TEST_PG_BIN") {
            respg.arg("--postgres-bin").arg(programs);
        }
        let child = respg.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut program = Program { child, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < PATIENCE && program.child.try_wait().unwrap().is_none(),
                "respg does not start"
            );
            sleep(Duration::from_millis(20));
        }
        program
    }

    fn call(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{request}\r\n").unwrap();
        let mut reply = [0; 100];
        let length = stream.read(&mut reply).unwrap();
        String::from_utf8(reply[..length].to_vec()).unwrap()
    }

    fn end(mut self, signal: Signal) -> bool {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().success()
    }
}

#[test]
fn a_terminated_respg_takes_its_postgres_along() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path());
    assert_eq!(respg.call("SET k v"), "+OK\r\n");
    assert!(respg.end(Signal::TERM));
    assert!(!scratch.path().join("data/postmaster.pid").exists(), "Postgres has ended before respg");
}

#[test]
fn a_killed_respg_takes_its_postgres_along_and_forgets_nothing() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path());
    assert_eq!(respg.call("SET k v"), "+OK\r\n");
    respg.end(Signal::KILL);
    // At once, while the old Postgres is still shutting down.
    let respg = Program::start(scratch.path());
    assert_eq!(respg.call("GET k"), "$1\r\nv\r\n");
    respg.end(Signal::KILL);
    let begun = Instant::now();
    while scratch.path().join("data/postmaster.pid").exists() {
        assert!(begun.elapsed() < PATIENCE, "Postgres outlives respg");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_second_respg_says_why_it_does_not_start() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path());
    let mut second = Command::new(env!("CARGO_BIN_EXE_respg"));
    let output = second.args(["--port", "0", "--data-dir"]).arg(scratch.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(&format!("another respg (process {}) uses ", respg.child.id())), "{said}");
    respg.end(Signal::TERM);
}
