//! The running server: started, waited for, watched, stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::process::{Child, ChildStdin};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;

use super::OwnPostgresError;
use super::cluster::{Cluster, reason, remove_if_there};

const POLL: Duration = Duration::from_millis(30);
/// How long a fast shutdown is waited for; its checkpoint may take a while.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    /// Its end stops the server.
    leash: Option<ChildStdin>,
}

impl Cluster {
    /// Ends what an earlier respg left behind, starts the server and waits until it accepts connections.
    pub async fn start(&self) -> Result<Server, OwnPostgresError> {
        let unclean = self.data().join("postmaster.pid").exists();
        self.stop_left_behind().await?;
        self.write_settings()?;
        // Sessions of a postmaster that was killed notice its end by themselves, soon: until then a new one refuses.
        let mut attempts = if unclean { 30 } else { 1 };
        loop {
            attempts -= 1;
            let mut server = self.spawn()?;
            match self.wait_until_ready(&mut server).await {
                Ok(()) => return Ok(server),
                Err(error) if attempts == 0 => return Err(error),
                Err(_) => sleep(10 * POLL).await,
            }
        }
    }

    fn spawn(&self) -> Result<Server, OwnPostgresError> {
        let log = self.startup_log();
        let out = File::create(&log).map_err(OwnPostgresError::io("cannot write", &log))?;
        let err = out.try_clone().map_err(OwnPostgresError::io("cannot write", &log))?;
        let mut postgres = self.leashed("postgres");
        postgres.args(self.server_arguments()).stdout(out).stderr(err);
        let spawned = match &self.cpus {
            Some(cpus) => cpus.lend(|| postgres.spawn()),
            None => postgres.spawn(),
        };
        let mut child = spawned.map_err(OwnPostgresError::io("cannot run", Path::new("/bin/sh")))?;
        let leash = child.stdin.take();
        Ok(Server { child, leash })
    }

    /// Recovery after a crash may take long: there is no limit as long as the server lives.
    async fn wait_until_ready(&self, server: &mut Server) -> Result<(), OwnPostgresError> {
        let url = self.url_of("postgres");
        let mut next_note = Instant::now() + Duration::from_secs(10);
        loop {
            match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
                Ok(_) => return Ok(()),
                Err(error) if not_yet(&error) => {}
                Err(error) => return Err(OwnPostgresError::NotAdmitted(error)),
            }
            if let Ok(Some(_)) = server.child.try_wait() {
                return Err(OwnPostgresError::DidNotStart {
                    reason: self.last_words(),
                    log: self.log_directory(),
                });
            }
            if Instant::now() > next_note {
                tracing::info!("PostgreSQL is still starting; after a crash it recovers first");
                next_note += Duration::from_secs(10);
            }
            sleep(POLL).await;
        }
    }

    async fn stop_left_behind(&self) -> Result<(), OwnPostgresError> {
        let data = self.data();
        let file = data.join("postmaster.pid");
        let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| pid_in(&text)) else { return Ok(()) };
        if !exists(pid) {
            return Ok(());
        }
        if !works_in(pid, &data).await {
            // The number went to some other process, as it easily does in a container. Postgres would be misled.
            return remove_if_there(&file).map_err(OwnPostgresError::io("cannot remove", &file));
        }
        tracing::info!(
            "stopping the PostgreSQL (process {}) that was left in {}",
            pid.as_raw_pid(),
            data.display()
        );
        let mut stop = self.command("pg_ctl");
        stop.arg("stop").arg("-D").arg(&data).args(["--mode=fast", "--wait", "--timeout=120", "--silent"]);
        let output = stop
            .output()
            .await
            .map_err(OwnPostgresError::io("cannot run", &self.programs().path("pg_ctl")))?;
        if output.status.success() || !exists(pid) {
            return Ok(());
        }
        Err(OwnPostgresError::LeftBehind { data, reason: reason(&output.stderr) })
    }

    fn startup_log(&self) -> PathBuf {
        self.directory().join("startup.log")
    }

    fn log_directory(&self) -> PathBuf {
        self.data().join("log")
    }

    /// Why the server ended, in its own words. Once it has opened its log, the reason is there.
    fn last_words(&self) -> String {
        let startup = fs::read(self.startup_log()).unwrap_or_default();
        let said = fatal_line(&startup);
        if said.is_some() || !String::from_utf8_lossy(&startup).contains("logging collector") {
            return said.unwrap_or_else(|| reason(&startup));
        }
        let written = fs::read_dir(self.log_directory()).into_iter().flatten().filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.metadata().ok()?.modified().ok()?, path))
        });
        let newest = written.max().map(|(_, path)| path);
        let log = newest.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        fatal_line(&log).unwrap_or_else(|| reason(&log))
    }
}

impl Server {
    async fn stop(mut self) -> Result<(), OwnPostgresError> {
        self.leash = None;
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(OwnPostgresError::StillStopping),
        }
    }

    /// Completes when the server has ended by itself.
    async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }
}

/// Watches the server and starts it again when it ends by itself, until `stop` is sent or dropped.
pub(super) async fn keep(
    cluster: Cluster,
    mut server: Server,
    mut stop: oneshot::Receiver<()>,
) -> Result<(), OwnPostgresError> {
    loop {
        tokio::select! {
            _ = &mut stop => return server.stop().await,
            status = server.ended() => {
                let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                tracing::error!("PostgreSQL ended by itself{status}; it is started again");
            }
        }
        server = tokio::select! {
            _ = &mut stop => return Ok(()),
            server = restart(&cluster) => server,
        };
    }
}

async fn restart(cluster: &Cluster) -> Server {
    let mut pause = Duration::from_millis(200);
    loop {
        match cluster.start().await {
            Ok(server) => return server,
            Err(error) => tracing::error!("{error}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// No socket yet, or "the database system is starting up".
fn not_yet(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW)
}

fn fatal_line(log: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(log);
    let line = text.lines().rfind(|line| line.contains("FATAL:") || line.contains("PANIC:"))?;
    let start = line.find("FATAL:").or_else(|| line.find("PANIC:"))?;
    Some(line[start + "FATAL:".len()..].trim().to_owned())
}

fn pid_in(postmaster_pid: &str) -> Option<Pid> {
    Pid::from_raw(postmaster_pid.lines().next()?.trim().parse::<i32>().ok()?.abs())
}

fn exists(pid: Pid) -> bool {
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

/// Whether the process is a server of this data directory: a postmaster makes it its working directory.
async fn works_in(pid: Pid, data: &Path) -> bool {
    let pid = pid.as_raw_pid().to_string();
    if Path::new("/proc/self/cwd").exists() {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|directory| directory == data);
    }
    let list = tokio::process::Command::new("ps").args(["-o", "command=", "-p", &pid]).output().await;
    list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).contains(&data.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_taken_from_the_log() {
        let log =
            b"2026 [7] LOG:  starting\n2026 [7] FATAL:  could not map memory\n2026 [7] LOG:  shut down\n";
        assert_eq!(fatal_line(log).as_deref(), Some("could not map memory"));
        assert_eq!(fatal_line(b"LOG:  fine\n"), None);
    }

    #[test]
    fn the_first_line_is_the_process() {
        assert_eq!(pid_in("4711\n/data\n").map(|pid| pid.as_raw_pid()), Some(4711));
        assert_eq!(pid_in("-4711\n/data\n").map(|pid| pid.as_raw_pid()), Some(4711));
        assert_eq!(pid_in(""), None);
    }
}
