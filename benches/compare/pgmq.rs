//! pgmq's queue on respg's Postgres: its own functions, as its crate ships them for databases without the extension.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio_postgres::{NoTls, Statement};

use crate::load::{CONSUMERS, Load, Work};
use crate::postgres::Postgres;
use crate::process::run;
use crate::queue::{self, Consumer, Message, Producer};
use crate::stats::Sample;

/// The crate that brings the SQL; a package registry keeps it.
const CRATE: &str = "pgmq@0.34.0-alpha.7";
const SQL_IN_CRATE: &str = "pgmq-0.34.0-alpha.7/src/install/embedded/sql/pgmq.sql";

const SEND: &str = "SELECT pgmq.send('bench', $1::text::jsonb)";
const READ: &str = "SELECT msg_id, message::text FROM pgmq.read('bench', 30, $1)";
const DELETE_ONE: &str = "SELECT pgmq.delete('bench', $1::bigint)";
const DELETE_MANY: &str = "SELECT pgmq.delete('bench', $1::bigint[])";

pub struct Pgmq {
    url: String,
}

impl Pgmq {
    pub fn prepare(postgres: &Postgres, sql: Option<&Path>) -> io::Result<Pgmq> {
        let file = sql.map_or_else(fetch, |path| Ok(path.to_owned()))?;
        postgres.sql("DROP SCHEMA IF EXISTS pgmq CASCADE")?;
        postgres.sql(&fs::read_to_string(file)?)?;
        postgres.sql("SELECT pgmq.create('bench')")?;
        Ok(Pgmq { url: postgres.url().to_owned() })
    }

    pub fn measure(&self, load: &Load, seconds: f64) -> io::Result<Sample> {
        let Work::Queue { count } = load.work else { return Err(io::Error::other("pgmq is a queue")) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut producers = Vec::new();
            for _ in 0..load.clients {
                let client = self.connect().await?;
                producers
                    .push(Sender { send: client.prepare(SEND).await.map_err(io::Error::other)?, client });
            }
            let mut consumers = Vec::new();
            for _ in 0..CONSUMERS {
                let client = self.connect().await?;
                let delete = if count.pgmq == 1 { DELETE_ONE } else { DELETE_MANY };
                consumers.push(Receiver {
                    read: client.prepare(READ).await.map_err(io::Error::other)?,
                    delete: client.prepare(delete).await.map_err(io::Error::other)?,
                    client,
                    count: count.pgmq as i32,
                });
            }
            queue::measure(producers, consumers, Duration::from_secs_f64(seconds)).await
        })
    }

    async fn connect(&self) -> io::Result<tokio_postgres::Client> {
        let (client, connection) =
            tokio_postgres::connect(&self.url, NoTls).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The file in cargo's registry, where `cargo info` puts the crate.
fn fetch() -> io::Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registry = home.unwrap_or_default().join("registry/src");
    let find = || {
        let sources = fs::read_dir(&registry).ok()?;
        sources.filter_map(|entry| Some(entry.ok()?.path().join(SQL_IN_CRATE))).find(|path| path.exists())
    };
    if find().is_none() {
        run(Command::new("cargo").args(["info", "--quiet", CRATE]).current_dir("/"))?;
    }
    find().ok_or_else(|| {
        io::Error::other(format!("no SQL of {CRATE} in {}; see --pgmq-sql", registry.display()))
    })
}

struct Sender {
    client: tokio_postgres::Client,
    send: Statement,
}

impl Producer for Sender {
    async fn send(&mut self, body: String) -> io::Result<()> {
        self.client.query_one(&self.send, &[&body]).await.map(drop).map_err(io::Error::other)
    }
}

struct Receiver {
    client: tokio_postgres::Client,
    read: Statement,
    delete: Statement,
    count: i32,
}

impl Consumer for Receiver {
    async fn take(&mut self) -> io::Result<Vec<Message>> {
        let rows = self.client.query(&self.read, &[&self.count]).await.map_err(io::Error::other)?;
        if rows.is_empty() {
            // Its own waiting looks every tenth of a second.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rows.iter()
            .map(|row| {
                let id = row.get::<_, i64>(0).to_string();
                Ok(Message { id, sent: queue::sent(row.get::<_, &str>(1).as_bytes())? })
            })
            .collect()
    }

    async fn acknowledge(&mut self, messages: &[Message]) -> io::Result<()> {
        let ids: Vec<i64> = messages.iter().filter_map(|message| message.id.parse().ok()).collect();
        let rows = match &ids[..] {
            [id] if self.count == 1 => self.client.query(&self.delete, &[id]).await,
            _ => self.client.query(&self.delete, &[&ids]).await,
        };
        match rows.map_err(io::Error::other)?.len() == messages.len() {
            true => Ok(()),
            false => Err(io::Error::other("pgmq did not delete what it gave out")),
        }
    }
}
