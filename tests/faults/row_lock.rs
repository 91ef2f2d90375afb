//! A transaction of somebody else's holds a key's row: that delays who wants this key, and nobody else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, Failure, Reply};
use super::scenarios::World;

/// The longest that clients of other keys may wait.
const BOUND: Duration = Duration::from_millis(2500);

pub async fn delays_one_key_only(world: &mut World, budget: Duration) -> Result<String, String> {
    world.renew(&[]).await?;
    let servers = world.servers();
    let end = Instant::now() + budget;
    let mut holds = 0;
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        call(servers[0], "SET hot 0").await?;
        let mut holder = world.postgres.connect(&world.database).await?;
        let transaction = holder.transaction().await.map_err(|error| error.to_string())?;
        let lock = "SELECT FROM respg.keys WHERE key = 'hot' FOR UPDATE";
        if transaction.query(lock, &[]).await.map_err(|error| error.to_string())?.len() != 1 {
            return Err("the key's row was not found".into());
        }
        let hold = Duration::from_millis(3000);
        let release = Instant::now() + hold;
        let mut waiting = JoinSet::new();
        for (number, command) in
            ["INCR hot", "INCR hot", "MSET hot 5 other 5", "DEL hot"].into_iter().enumerate()
        {
            let server = servers[number % servers.len()];
            waiting.spawn(async move {
                let answer = call(server, command).await;
                (command, answer, Instant::now())
            });
        }
        let mut others = JoinSet::new();
        for number in 0..12 {
            others.spawn(neighbour(number, servers[number % servers.len()], release));
        }
        for other in others.join_all().await {
            slowest = slowest.max(other?);
        }
        sleep(release.saturating_duration_since(Instant::now())).await;
        let released = Instant::now();
        transaction.commit().await.map_err(|error| error.to_string())?;
        while let Some(result) = waiting.join_next().await {
            let (command, answer, at) = result.map_err(|error| error.to_string())?;
            if let Reply::Error(text) = answer? {
                return Err(format!("{command} on the held key was refused: {text}"));
            }
            if at < released {
                return Err(format!("{command} did not wait for the holder of the row"));
            }
        }
        holds += 1;
    }
    if slowest > BOUND {
        return Err(format!("a client of other keys waited {slowest:?}"));
    }
    Ok(format!("{holds} holds; clients of other keys waited at most {slowest:?}"))
}

/// Reads and writes keys of its own, among them a transaction; returns its longest wait.
async fn neighbour(number: usize, server: SocketAddr, end: Instant) -> Result<Duration, String> {
    let mut client = Client::connect(server).await.map_err(|failure| failure.to_string())?;
    let mut slowest = Duration::ZERO;
    let mut round = 0;
    while Instant::now() < end {
        let start = Instant::now();
        let text = [
            format!("SET n{number} {round}"),
            format!("INCR n{number}"),
            format!("GET n{number}"),
            // Even the held key can be read: readers do not wait for row locks.
            "GET hot".into(),
            format!("MGET n{number} n{}", number + 1),
            "MULTI".into(),
            format!("INCR n{number}"),
            "EXEC".into(),
            format!("DEL n{number}"),
        ][round % 9]
            .clone();
        match client.call(&text).await {
            Ok(Reply::Error(error)) => return Err(format!("{text}: {error}")),
            Ok(_) => slowest = slowest.max(start.elapsed()),
            Err(failure) => return Err(format!("{text}: {failure}")),
        }
        round += 1;
        sleep(Duration::from_millis(1)).await;
    }
    Ok(slowest)
}

async fn call(server: SocketAddr, text: &str) -> Result<Reply, String> {
    let describe = |failure: Failure| format!("{text}: {failure}");
    Client::connect(server).await.map_err(describe)?.call(text).await.map_err(describe)
}
