//! The servers under comparison: two references and the subject, each private to this run.

use std::cell::OnceCell;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::resp::{Client, Event};

#[allow(dead_code)]
#[path = "../../tests/it/support/pg.rs"]
mod pg;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Valkey,
    /// respg, or whatever COMPAT_SUBJECT names instead.
    Subject,
}

const REDIS: &str = "redis-server";
const VALKEY: &str = "/opt/respg-oracles/bin/valkey-server";

/// A server and a connection to it for the runner's own use. Stopped when dropped, if it was started here.
pub struct Server {
    pub kind: Kind,
    pub label: String,
    pub address: SocketAddr,
    pub control: Client,
    /// Another process over the same data.
    pub twin: Option<Box<Server>>,
    /// The server that this one passes requests on to.
    pub upstream: Option<Box<Server>>,
    process: Option<Child>,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        // The subject may have a Postgres of its own to stop, so it is asked first.
        let asked = Command::new("kill").arg(process.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while asked.is_ok() && Instant::now() < deadline {
            if let Ok(Some(_)) = process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Server {
    /// A server that was not started here.
    pub fn running(kind: Kind, address: SocketAddr) -> Result<Server, String> {
        let control = Client::connect(address).map_err(|error| format!("{address}: {error}"))?;
        let (label, log) = (format!("{kind:?}").to_lowercase(), PathBuf::new());
        Ok(Server { kind, label, address, control, twin: None, upstream: None, process: None, log })
    }

    /// Why the server is not running any more, with the end of what it wrote.
    pub fn obituary(&mut self) -> Option<String> {
        let twin = self.twin.as_mut().and_then(|twin| twin.obituary());
        let status = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        let Some(status) = status else { return twin };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        Some(format!("{} ended by itself ({status}):\n{end}", self.label))
    }

    /// Where requests end up, if not here.
    pub fn behind(&self) -> Option<SocketAddr> {
        self.upstream.as_ref().map(|upstream| upstream.address)
    }

    /// The address of each process, and a connection to it.
    pub fn processes(&mut self) -> Vec<(SocketAddr, &mut Client)> {
        let mut all = vec![(self.address, &mut self.control)];
        all.extend(self.twin.as_mut().map(|twin| (twin.address, &mut twin.control)));
        all
    }

    /// Whether the server has a command of this name, whatever it says about its commands.
    pub fn knows(&mut self, name: &str) -> bool {
        match self.control.call(&[name]) {
            Event::Reply(reply) => !reply.text.starts_with(b"ERR unknown command"),
            _ => false,
        }
    }

    /// Whether the server has the command, and, when there are arguments, does it without an error (on an empty keyspace).
    pub fn can(&mut self, command: &[Vec<u8>]) -> Result<bool, String> {
        if !self.knows(&String::from_utf8_lossy(&command[0])) {
            return Ok(false);
        }
        if command.len() > 1 {
            self.control.demand(&["FLUSHALL"])?;
            self.control.demand(command)?;
        }
        Ok(true)
    }
}

/// How servers are started; one per run.
pub struct Launcher {
    folder: PathBuf,
    subject: Subject,
    valkey: Option<PathBuf>,
    database: OnceCell<String>,
}

enum Subject {
    Respg,
    /// respg in front of a redis-server, passing on.
    Proxy,
    Redis,
    Valkey,
    /// One process, or two over the same data.
    Running(Vec<SocketAddr>),
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Launcher {
    pub fn from_environment() -> Result<Launcher, String> {
        let folder = std::env::temp_dir().join(format!("respg-compat-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let subject = match std::env::var("COMPAT_SUBJECT").ok().as_deref() {
            None | Some("" | "respg") => Subject::Respg,
            Some("proxy") => Subject::Proxy,
            Some("redis") => Subject::Redis,
            Some("valkey") => Subject::Valkey,
            Some(addresses) => {
                let resolve = |address: &str| {
                    let found = address.to_socket_addrs().ok().and_then(|mut found| found.next());
                    found.ok_or_else(|| format!("COMPAT_SUBJECT={address} is no host:port"))
                };
                Subject::Running(addresses.split(',').map(resolve).collect::<Result<_, _>>()?)
            }
        };
        let valkey = std::env::var_os("COMPAT_VALKEY").map_or(PathBuf::from(VALKEY), PathBuf::from);
        let valkey = match (valkey.exists(), std::env::var("COMPAT_ORACLES").as_deref()) {
            (_, Ok("redis")) => None,
            (true, _) => Some(valkey),
            (false, _) => {
                let path = valkey.display();
                return Err(format!("{path} is missing: run tests/install.sh, or set COMPAT_ORACLES=redis"));
            }
        };
        Ok(Launcher { folder, subject, valkey, database: OnceCell::new() })
    }

    pub fn has_valkey(&self) -> bool {
        self.valkey.is_some()
    }

    /// Whether servers with arguments of a case's own can be started.
    pub fn can_start_subject(&self) -> bool {
        !matches!(self.subject, Subject::Running(_))
    }

    /// The kind of server the subject really is, when it is a reference: then there is nothing to expect of
    /// it where only the other one is the oracle.
    pub fn subject_is(&self) -> Option<Kind> {
        match self.subject {
            Subject::Redis | Subject::Proxy => Some(Kind::Redis),
            Subject::Valkey => Some(Kind::Valkey),
            Subject::Respg | Subject::Running(_) => None,
        }
    }

    pub fn subject_is_proxy(&self) -> bool {
        matches!(self.subject, Subject::Proxy)
    }

    /// Starts all of them; the subject is the last.
    pub fn start_all(&self, args: &[String]) -> Result<Vec<Server>, String> {
        let mut servers = vec![self.start_reference(Kind::Redis, args)?];
        if self.valkey.is_some() {
            servers.push(self.start_reference(Kind::Valkey, args)?);
        }
        servers.push(self.start_subject(args)?);
        Ok(servers)
    }

    pub fn start_reference(&self, kind: Kind, args: &[String]) -> Result<Server, String> {
        let (program, label) = match (kind, &self.valkey) {
            (Kind::Valkey, Some(path)) => (path.as_path(), "valkey"),
            _ => (Path::new(REDIS), "redis"),
        };
        self.start(kind, label, self.reference_command(program, args))
    }

    pub fn start_subject(&self, args: &[String]) -> Result<Server, String> {
        let command = match &self.subject {
            Subject::Respg => self.respg_command(args)?,
            Subject::Proxy => return self.start_proxy(args),
            Subject::Redis => self.reference_command(Path::new(REDIS), args),
            Subject::Valkey => self.reference_command(Path::new(VALKEY), args),
            Subject::Running(addresses) => return Server::running(Kind::Subject, addresses[0]),
        };
        self.start(Kind::Subject, if self.subject_is().is_some() { "subject" } else { "respg" }, command)
    }

    fn start_proxy(&self, args: &[String]) -> Result<Server, String> {
        // Which databases there are the upstream says; all else that cases ask for is about clients.
        let about_data = args.iter().skip_while(|arg| *arg != "--databases").take(2).cloned();
        let upstream = self.start_reference(Kind::Redis, &about_data.collect::<Vec<_>>())?;
        let mut command = self.respg_command(args)?;
        command.args(["--mode", "redis", "--upstream", &format!("redis://{}", upstream.address)]);
        let mut proxy = self.start(Kind::Subject, "proxy", command)?;
        proxy.upstream = Some(Box::new(upstream));
        Ok(proxy)
    }

    /// Sees to it that the subject has two processes over the same data; `false` when it cannot have them.
    pub fn give_twin(&self, subject: &mut Server, args: &[String]) -> Result<bool, String> {
        if subject.twin.is_none() {
            subject.twin = match &self.subject {
                Subject::Respg => Some(Box::new(self.start_subject(args)?)),
                Subject::Running(addresses) if addresses.len() > 1 => {
                    Some(Box::new(Server::running(Kind::Subject, addresses[1])?))
                }
                _ => None,
            };
        }
        Ok(subject.twin.is_some())
    }

    fn reference_command(&self, program: &Path, args: &[String]) -> Command {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(&self.folder);
        command.args(["--enable-debug-command", "yes"]).args(args);
        command
    }

    fn respg_command(&self, args: &[String]) -> Result<Command, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_respg"));
        command.args(["--bind", "127.0.0.1", "--database-url", self.database()?]).args(args);
        Ok(command)
    }

    /// The database of every respg of this run.
    fn database(&self) -> Result<&str, String> {
        if let Some(url) = self.database.get() {
            return Ok(url);
        }
        let url = match std::env::var("RESPG_TEST_DATABASE_URL") {
            Ok(url) => url,
            Err(_) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| error.to_string())?.block_on(pg::fresh_database())
            }
        };
        Ok(self.database.get_or_init(|| url))
    }

    fn start(&self, kind: Kind, label: &str, mut command: Command) -> Result<Server, String> {
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = self.folder.join(format!("{label}-{port}.log"));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let second = file.try_clone().map_err(|error| error.to_string())?;
        command.args(["--port", &port.to_string()]).stdin(Stdio::null()).stdout(file).stderr(second);
        let process = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let mut process = process;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(mut control) = Client::connect(address)
                && let Event::Reply(_) = control.call(&["PING"])
            {
                let label = label.into();
                return Ok(Server {
                    kind,
                    label,
                    address,
                    control,
                    twin: None,
                    upstream: None,
                    process: Some(process),
                    log,
                });
            }
            let ended = process.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let _ = process.kill();
                let _ = process.wait();
                let output = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{label} does not start: {command:?}\n{output}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
