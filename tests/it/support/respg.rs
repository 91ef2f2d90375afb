//! respg as a process of its own, for what cannot be seen from inside: memory, signals, exit codes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::client::{Client, Protocol};
use super::pg::fresh_database;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running respg, killed with this value.
pub struct Respg {
    child: Child,
    address: SocketAddr,
}

impl Respg {
    /// On a new database and any port.
    pub fn start(options: &[&str]) -> Respg {
        Respg::on(&blocking(fresh_database()), options)
    }

    /// On the database of `url`.
    pub fn on(url: &str, options: &[&str]) -> Respg {
        Respg::of(command(url, options))
    }

    /// On a new database, with an environment variable.
    pub fn with_variable(name: &str, value: &Path, options: &[&str]) -> Respg {
        let mut command = command(&blocking(fresh_database()), options);
        command.env(name, value);
        Respg::of(command)
    }

    fn of(mut command: Command) -> Respg {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("respg");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("text");
            line.strip_prefix("respg: ready on ")?.split(';').next()?.parse().ok()
        });
        // Whatever else it prints must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        Respg { child, address: address.expect("respg says where it listens") }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address, Protocol::Resp2)
    }

    /// A socket without anything around it.
    pub fn socket(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        stream
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Kills it, whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }

    /// Waits for its end.
    pub fn ended(mut self) -> ExitStatus {
        self.wait()
    }

    /// The same.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "respg does not end");
            sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory, in kB.
    pub fn memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// The most it ever was.
    pub fn peak_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    /// The processor time it has used.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // After the name in brackets: the 12th and 13th field, in hundredths of a second.
        let fields = stat.rsplit(')').next().expect("Linux says so").split_whitespace();
        let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    fn status(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Respg {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a respg that must refuse: what it says, which is one line, and nothing on its standard output.
pub fn refusal(url: &str, options: &[&str]) -> String {
    let mut child =
        command(url, options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("respg");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("respg neither starts nor ends");
        }
        sleep(Duration::from_millis(10));
    };
    let (mut said, mut printed) = (String::new(), String::new());
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    child.stdout.take().expect("piped").read_to_string(&mut printed).expect("text");
    assert_eq!((status.code(), printed.as_str()), (Some(1), ""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

fn command(url: &str, options: &[&str]) -> Command {
    let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
    respg.env("RESPG_DATABASE_URL", url).stdin(Stdio::null());
    if !options.contains(&"--port") {
        respg.args(["--port", "0"]);
    }
    respg.args(options);
    respg
}

/// Waits for a future in a test that has no runtime.
pub fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
