//! The program with a Postgres of its own, ended politely and otherwise.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::support::pg::Scratch;

const PATIENCE: Duration = Duration::from_secs(60);

struct Program {
    child: Child,
    port: u16,
}

impl Program {
    fn start(home: &Path, options: &[&str]) -> Program {
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = spawn(home, port, options);
            let said = home.join("said");
            let begun = Instant::now();
            while child.try_wait().unwrap().is_none() {
                if fs::read_to_string(&said).unwrap().contains("ready on") {
                    return Program { child, port };
                }
                assert!(begun.elapsed() < PATIENCE, "respg does not start");
                sleep(Duration::from_millis(20));
            }
            // Somebody else may have taken the port meanwhile.
            let said = fs::read_to_string(&said).unwrap();
            assert!(said.contains("in use"), "{said}");
        }
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

fn spawn(home: &Path, port: u16, options: &[&str]) -> Child {
    let said = File::create(home.join("said")).unwrap();
    let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
    respg
        .args(["--port", &port.to_string(), "--data-dir"])
        .arg(home)
        .args(options)
        .env_remove("RESPG_DATABASE_URL");
    if let Some(programs) = std::env::var_os("RESPG_TEST_PG_BIN") {
        respg.arg("--postgres-bin").arg(programs);
    }
    respg.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap()
}

#[test]
fn a_terminated_respg_takes_its_postgres_along() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path(), &[]);
    assert_eq!(respg.call("SET k v"), "+OK\r\n");
    assert!(respg.end(Signal::TERM));
    assert!(!scratch.path().join("data/postmaster.pid").exists(), "Postgres has ended before respg");
}

#[test]
fn a_killed_respg_takes_its_postgres_along_and_forgets_nothing() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path(), &[]);
    assert_eq!(respg.call("SET k v"), "+OK\r\n");
    respg.end(Signal::KILL);
    // At once, while the old Postgres is still shutting down.
    let respg = Program::start(scratch.path(), &[]);
    assert_eq!(respg.call("GET k"), "$1\r\nv\r\n");
    respg.end(Signal::KILL);
    let begun = Instant::now();
    while scratch.path().join("data/postmaster.pid").exists() {
        assert!(begun.elapsed() < PATIENCE, "Postgres outlives respg");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn threads_and_postgres_run_where_they_are_told() {
    let ours = sched_getaffinity(None).unwrap();
    let numbers: Vec<String> =
        (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).map(|cpu| cpu.to_string()).collect();
    let (first, last) = (&numbers[0], numbers.last().unwrap());
    let home = Scratch::new();
    let options = ["--server-cpulist", first, "--postgres-cpulist", last];
    let program = Program::start(home.path(), &options);
    let listed = |status: &Path| {
        let status = fs::read_to_string(status).unwrap();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.unwrap().trim().to_owned()
    };
    let mut serving = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", program.child.id())).unwrap() {
        let thread = thread.unwrap().path();
        let serves = fs::read_to_string(thread.join("comm")).unwrap().starts_with("respg-");
        serving += usize::from(serves);
        let expected = if serves { first.clone() } else { listed(Path::new("/proc/self/status")) };
        assert_eq!(listed(&thread.join("status")), expected, "{}", thread.display());
    }
    assert!(serving > 0);
    let postmaster = fs::read_to_string(home.path().join("data/postmaster.pid")).unwrap();
    let status = format!("/proc/{}/status", postmaster.lines().next().unwrap());
    assert_eq!(&listed(Path::new(&status)), last);
    assert!(program.call("CONFIG GET server_cpulist").contains(&format!("\r\n{first}\r\n")));
    assert!(program.end(Signal::TERM));
}

#[test]
fn a_second_respg_says_why_it_does_not_start() {
    let scratch = Scratch::new();
    let respg = Program::start(scratch.path(), &[]);
    let mut second = Command::new(env!("CARGO_BIN_EXE_respg"));
    let output = second.args(["--port", "0", "--data-dir"]).arg(scratch.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains(&format!("another respg (process {}) uses ", respg.child.id())), "{said}");
    respg.end(Signal::TERM);
}

#[test]
fn a_respg_killed_during_initdb_ends_initdb() {
    let scratch = Scratch::new();
    let mut respg = spawn(scratch.path(), 0, &[]);
    let new = scratch.path().join("data.new");
    let begun = Instant::now();
    while !new.join("PG_VERSION").exists() {
        assert!(begun.elapsed() < PATIENCE && respg.try_wait().unwrap().is_none(), "initdb does not start");
        sleep(Duration::from_millis(1));
    }
    respg.kill().unwrap();
    respg.wait().unwrap();
    while is_named_in_a_command_line(&new) {
        assert!(begun.elapsed() < PATIENCE, "initdb goes on");
        sleep(Duration::from_millis(20));
    }
    assert!(!scratch.path().join("data").exists());
}

fn is_named_in_a_command_line(path: &Path) -> bool {
    let lines =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let path = path.as_os_str().as_encoded_bytes();
    lines.into_iter().any(|line| line.windows(path.len()).any(|part| part == path))
}
