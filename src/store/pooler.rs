//! Finds out whether a pooler such as PgBouncer stands between us and Postgres and shares server processes.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::StoreError;
use super::tls::Target;

/// A busy pooler may give two connections two processes by chance.
const ATTEMPTS: usize = 3;

/// Whether two connections were seen on one server process: a pooler in transaction mode.
pub async fn shares_processes(target: &Target) -> Result<bool, StoreError> {
    let probe = async {
        let (one, _) = target.connect().await?;
        let (other, _) = target.connect().await?;
        for _ in 0..ATTEMPTS {
            if process(&one).await? == process(&other).await? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    probe.await.map_err(|error| StoreError::before_commit(&error))
}

/// The server process that answers; unprepared, since old poolers share processes and no prepared statements.
async fn process(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let answer = client.simple_query("SELECT pg_backend_pid()").await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
