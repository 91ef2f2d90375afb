//! respg processes, each behind a proxy of its own to one database.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::{Client, Reply};
use super::postgres::{Postgres, free_port};
use super::proxy::Proxy;

pub struct Respg {
    pub address: SocketAddr,
    pub proxy: Proxy,
    command: Command,
    process: Option<Child>,
}

impl Respg {
    /// Starts a process on `database` and waits until it serves.
    pub async fn start(
        postgres: &Postgres,
        database: &str,
        folder: &Path,
        flags: &[&str],
    ) -> Result<Self, String> {
        let proxy = Proxy::start(postgres.address()).await.map_err(|error| error.to_string())?;
        let port = free_port()?;
        let log = folder.join(format!("respg-{port}.log"));
        let log = File::options().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let mut command =
            Command::new(std::env::var_os("RESPG_BINARY").unwrap_or(env!("CARGO_BIN_EXE_respg").into()));
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--database-url"])
            .arg(format!(
                "postgres://postgres@127.0.0.1:{}/{database}?connect_timeout=1",
                proxy.address.port()
            ))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log);
        let mut respg = Respg { address: ([127, 0, 0, 1], port).into(), proxy, command, process: None };
        respg.restart().await?;
        Ok(respg)
    }

    pub async fn restart(&mut self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let mut process = self.command.spawn().map_err(|error| error.to_string())?;
            // On a loaded machine a second may be too short to connect: it says so, ends, and is started again.
            while process.try_wait().is_ok_and(|ended| ended.is_none()) {
                if self.wait_until_serving(Duration::from_millis(500)).await.is_ok() {
                    self.process = Some(process);
                    return Ok(());
                }
                if Instant::now() > end {
                    self.process = Some(process);
                    return Err("respg does not serve after its start".into());
                }
            }
            if Instant::now() > end {
                return Err("respg ends when it is started".into());
            }
        }
    }

    /// How long it took until a write was acknowledged.
    pub async fn wait_until_serving(&self, patience: Duration) -> Result<Duration, String> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < patience {
            match Client::connect(self.address).await {
                Ok(mut client) => match client.call("SET serving yes").await {
                    Ok(Reply::Status(_)) => return Ok(start.elapsed()),
                    other => last = format!("{other:?}"),
                },
                Err(failure) => last = format!("{failure}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("respg does not serve after {patience:?}: {last}"))
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Respg {
    fn drop(&mut self) {
        self.kill();
    }
}
