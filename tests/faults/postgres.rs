//! A private Postgres with fsync on, which can be stopped hard, frozen and started again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    /// The unprivileged user and group, when we are root.
    owner: Option<(u32, u32)>,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let owner = if id("-u", None)? == 0 {
            Some((id("-u", Some("postgres"))?, id("-g", Some("postgres"))?))
        } else {
            None
        };
        std::fs::create_dir_all(folder).map_err(text)?;
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder, Some(user), Some(group)).map_err(text)?;
        }
        let programs = programs()?;
        let mut postgres =
            Postgres { folder: folder.into(), programs, owner, port: free_port()?, server: None };
        let data = postgres.data();
        let made = postgres
            .program("initdb")?
            .args(["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
            .status();
        if !made.map_err(text)?.success() {
            return Err("initdb failed".into());
        }
        postgres.restart().await?;
        Ok(postgres)
    }

    /// Starts the server and waits until it accepts connections, after recovery if need be.
    pub async fn restart(&mut self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let mut command = self.program("postgres")?;
            command.args(["-D", &self.data(), "-p", &self.port.to_string(), "-c", "fsync=on"]);
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"] {
                command.args(["-c", setting]);
            }
            self.server = Some(command.spawn().map_err(text)?);
            // While the backends of a killed server live on, the new one refuses to start.
            while self.server.as_mut().is_some_and(|server| matches!(server.try_wait(), Ok(None))) {
                if self.connect("postgres").await.is_ok() {
                    return Ok(());
                }
                if Instant::now() > end {
                    return Err("Postgres does not accept connections".into());
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub async fn connect(&self, database: &str) -> Result<Client, String> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").dbname(database);
        config.connect_timeout(Duration::from_secs(2));
        let (client, connection) = config.connect(NoTls).await.map_err(text)?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// As after a power cut of the database server's process: the postmaster is gone, its backends follow.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// `pg_ctl stop -m immediate`: all backends at once, without a checkpoint.
    pub fn stop_immediately(&mut self) {
        if let Some(mut server) = self.server.take() {
            signal("QUIT", &[server.id()]);
            let _ = server.wait();
        }
    }

    /// Stops every process of the server where it is.
    pub fn freeze(&self) {
        signal("STOP", &self.processes());
    }

    pub fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    fn processes(&self) -> Vec<u32> {
        let Some(server) = self.server.as_ref().map(Child::id) else { return Vec::new() };
        let running = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = running.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers.filter(|&process| process == server || parent(process) == Some(server)).collect()
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn program(&self, name: &str) -> Result<Command, String> {
        let mut command = Command::new(self.programs.join(name));
        let log = File::options().create(true).append(true).open(self.folder.join(format!("{name}.log")));
        let log = log.map_err(text)?;
        command.stdout(log.try_clone().map_err(text)?).stderr(log).stdin(Stdio::null());
        command.current_dir(&self.folder);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.thaw();
        self.stop_immediately();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    Ok(listener.local_addr().map_err(text)?.port())
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn signal(name: &str, processes: &[u32]) {
    let numbers = processes.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(format!("-{name}")).args(numbers).stderr(Stdio::null()).status();
}

fn id(flag: &str, user: Option<&str>) -> Result<u32, String> {
    let output = Command::new("id").arg(flag).args(user).output().map_err(text)?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| format!("no user {user:?}"))
}

/// RESPG_POSTGRES_BIN, or the newest of Debian's folders, or where PATH finds them.
fn programs() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("RESPG_POSTGRES_BIN") {
        return Ok(folder.into());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = folders.into_iter().rev().chain(std::env::split_paths(&path));
    candidates
        .into_iter()
        .find(|folder| folder.join("initdb").exists())
        .ok_or("no Postgres server programs".into())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
