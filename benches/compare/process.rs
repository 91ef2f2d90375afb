//! Child processes that end with the bench, and what /proc says about them.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running server; stopped when dropped.
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop_signal: &'static str,
}

impl Process {
    /// Starts `command` with its output in `log` and waits until `ready` says so.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        log: PathBuf,
        patience: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> io::Result<Process> {
        let output = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| io::Error::other(format!("{name} cannot be started: {error}")))?;
        let mut process = Process { name, child, log, stop_signal: "TERM" };
        let start = Instant::now();
        while !ready() {
            if let Some(status) = process.child.try_wait()? {
                return Err(process.failure(&format!("ended at start with {status}")));
            }
            if start.elapsed() > patience {
                return Err(process.failure("is not ready in time"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(process)
    }

    /// The signal that ends it in good order, when that is not TERM.
    pub fn stopped_by(mut self, stop_signal: &'static str) -> Process {
        self.stop_signal = stop_signal;
        self
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn failure(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        let tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n    ");
        io::Error::other(format!("{} {what}\n    {tail}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let id = self.id().to_string();
        let asked = run(Command::new("kill").args(["-s", self.stop_signal, &id])).is_ok();
        let deadline = Instant::now() + Duration::from_secs(if asked { 30 } else { 0 });
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} does not stop, killing it", self.name);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end; its standard output, or an error with what it complained about.
pub fn run(command: &mut Command) -> io::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("{name} cannot be run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{name} failed ({}): {} {}", output.status, complaint.trim(), text.trim())))
}

/// Ports on loopback that nobody listens on, tried upwards from the first.
pub struct Ports(u16);

impl Ports {
    pub fn from(first: u16) -> Ports {
        Ports(first)
    }

    pub fn next_free(&mut self) -> io::Result<u16> {
        while let Some(next) = self.0.checked_add(1) {
            let port = std::mem::replace(&mut self.0, next);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        Err(io::Error::other("no free port"))
    }
}

/// A temporary directory on a real disk; removed when dropped.
pub struct WorkDir(PathBuf);

const PREFIX: &str = "respg-bench-";

impl WorkDir {
    /// Refuses memory file systems: there is no flush to measure on them. Removes what killed runs left.
    pub fn create(parent: &Path) -> io::Result<WorkDir> {
        let kind = run(Command::new("stat").args(["-f", "-c", "%T"]).arg(parent))?;
        if matches!(kind.trim(), "tmpfs" | "ramfs") {
            return Err(io::Error::other(format!(
                "{} is a {}; name a disk with --dir",
                parent.display(),
                kind.trim()
            )));
        }
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(WorkDir(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A new folder inside.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Resident memory of a process in bytes.
pub fn resident(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other(format!("process {id} has no VmRSS")))
}

/// Lifts the limit of open files to the hard limit, for this process and the servers it starts.
pub fn raise_file_limit() -> io::Result<()> {
    let id = std::process::id().to_string();
    let hard =
        run(Command::new("prlimit").args(["--pid", &id, "--nofile", "-o", "HARD", "--noheadings", "--raw"]))?;
    run(Command::new("prlimit").args(["--pid", &id, &format!("--nofile={}", hard.trim())])).map(drop)
}
