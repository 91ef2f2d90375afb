//! The Postgres that respg and pgbench share: found, named or started here.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Ports, Process, WorkDir, run};

pub struct Postgres {
    url: String,
    /// Stopped when dropped; `None` when it belongs to somebody else.
    _process: Option<Process>,
}

impl Postgres {
    pub fn at(url: &str) -> Postgres {
        Postgres { url: url.to_owned(), _process: None }
    }

    /// The server running under respg's data directory, found by its postmaster.pid.
    pub fn under(data_dir: &Path) -> io::Result<Postgres> {
        let pid_file = [data_dir.to_owned()]
            .into_iter()
            .chain(fs::read_dir(data_dir)?.filter_map(|entry| Some(entry.ok()?.path())))
            .map(|folder| folder.join("postmaster.pid"))
            .find(|path| path.exists())
            .ok_or_else(|| io::Error::other(format!("no running Postgres under {}", data_dir.display())))?;
        let lines = fs::read_to_string(&pid_file)?;
        let line = |number: usize| lines.lines().nth(number).unwrap_or_default().trim().to_owned();
        let (port, socket) = (line(3), line(4));
        for user in ["respg", "postgres", "root"] {
            let postgres =
                Postgres::at(&format!("postgresql:///postgres?host={socket}&port={port}&user={user}"));
            for database in ["respg", "postgres"] {
                let url = postgres.url.replacen("/postgres?", &format!("/{database}?"), 1);
                let candidate = Postgres::at(&url);
                if candidate.sql("SELECT 'respg'::regnamespace").is_ok() {
                    return Ok(candidate);
                }
            }
        }
        Err(io::Error::other(format!("cannot connect to respg's Postgres in {socket}; try --postgres bench")))
    }

    /// Starts a server with settings as a user of this machine would choose them, durable.
    pub fn start(work: &WorkDir, ports: &mut Ports, settings: &[String]) -> io::Result<Postgres> {
        let folder = work.folder("postgres")?;
        let owner = owner()?;
        let programs = programs()?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group))?;
        }
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(&folder);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command
        };
        let data = folder.join("data");
        let options =
            ["--auth=trust", "--username=respg", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"];
        run(command("initdb").args(options).arg(&data))?;
        let port = ports.next_free()?;
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let folder_text = folder.display().to_string();
        let sockets = format!("unix_socket_directories={folder_text}");
        let defaults = [
            &sockets,
            "listen_addresses=127.0.0.1",
            "shared_buffers=512MB",
            "max_wal_size=4GB",
            "max_connections=120",
        ];
        for setting in defaults.into_iter().chain(settings.iter().map(String::as_str)) {
            server.args(["-c", setting]);
        }
        let url = format!("postgresql:///postgres?host={folder_text}&port={port}&user=respg");
        let probe = Postgres::at(&url);
        let ready = || probe.sql("SELECT 1").is_ok();
        let log = work.path().join("postgres.log");
        let process = Process::start("postgres", &mut server, log, Duration::from_secs(60), ready)?;
        Ok(Postgres { url, _process: Some(process.stopped_by("INT")) })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The ids of its processes, if we are its superuser.
    pub fn processes(&self) -> io::Result<Vec<String>> {
        let all = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)
                   UNION ALL SELECT pid::text FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        Ok(self.sql(all)?.split_whitespace().map(str::to_owned).collect())
    }

    pub fn version(&self) -> io::Result<String> {
        let version = self.sql("SHOW server_version")?;
        Ok(version.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Runs statements; the rows as psql prints them unaligned, columns separated by `|`.
    pub fn sql(&self, text: &str) -> io::Result<String> {
        run(Command::new("psql").args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            text,
            &self.url,
        ]))
    }
}

/// Postgres refuses to run as root: the user and group to run it as, when we are root.
fn owner() -> io::Result<Option<(u32, u32)>> {
    let id = |arguments: &[&str]| {
        run(Command::new("id").args(arguments))?.trim().parse().map_err(io::Error::other)
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)))
}

/// The folder of the server programs: the one pg_config names, else the newest of Debian's.
fn programs() -> io::Result<PathBuf> {
    if let Ok(folder) = run(Command::new("pg_config").arg("--bindir")) {
        let folder = PathBuf::from(folder.trim());
        if folder.join("initdb").exists() {
            return Ok(folder);
        }
    }
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    fs::read_dir("/usr/lib/postgresql")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
        .ok_or_else(|| io::Error::other("no Postgres server programs found"))
}
