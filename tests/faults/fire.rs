//! Queues and channels while things go wrong, on three respg processes.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::delivery::Queues;
use super::pubsub::Meeting;
use super::scenarios::World;

/// How long work may lie while somebody waits for it: what a process that was killed could not tell the others is found
/// by their own looking around.
const WAKES: Duration = Duration::from_secs(5);

/// How late a message may come when nothing is broken any more.
const HEARD: Duration = Duration::from_secs(2);

/// The connections that listen: each holds the lock by which the others know that its process lives.
const LISTENERS: &str =
    "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock')";

/// Consumers die all the time; respg processes, connections and Postgres in turn.
pub async fn queues(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew_with(3, &[]).await?;
    let queues = Queues::open(&world.servers(), seed).await?;
    let end = Instant::now() + budget;
    let mut fires = 0;
    while (Instant::now() < end || fires < 5) && !queues.journal.failed() {
        sleep(Duration::from_millis(500)).await;
        let from = Instant::now();
        match fires % 5 {
            0 | 2 => {
                let count = world.processes.len();
                let process = &mut world.processes[fires % count];
                process.kill();
                sleep(Duration::from_millis(200)).await;
                process.restart().await?;
            }
            1 => {
                world.stop_postgres(fires / 5 % 2 == 0).await?;
                queues.journal.outage(from);
            }
            3 => world.cut_commits(Duration::from_millis(500)).await,
            _ => {
                world.cut_connections("true").await?;
                world.resumed().await?;
                queues.journal.outage(from);
            }
        }
        fires += 1;
    }
    sleep(Duration::from_millis(300)).await;
    Ok(format!("{fires} fires; {}", queues.close(WAKES).await?))
}

/// Listening connections die, Postgres stops, commits lose their answers, a process is killed; subscribers of the others notice nothing of it.
pub async fn channels(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew_with(3, &[]).await?;
    let meeting = Meeting::open(&world.servers(), seed).await?;
    let end = Instant::now() + budget;
    let mut fires = 0;
    while Instant::now() < end || fires < 4 {
        sleep(Duration::from_millis(500)).await;
        let from = Instant::now();
        match fires % 4 {
            0 => {
                let cut = world.cut_connections(LISTENERS).await?;
                if cut < world.processes.len() {
                    return Err(format!("{cut} listening connections were found"));
                }
                listening(world).await?;
                meeting.minutes.outage(from);
            }
            1 => {
                world.stop_postgres(fires / 4 % 2 == 0).await?;
                listening(world).await?;
                meeting.minutes.outage(from);
            }
            2 => {
                // Of long messages and new subscribers: nothing that was acknowledged may get lost, nothing come twice.
                world.cut_commits(Duration::from_millis(300)).await;
            }
            _ => {
                let at = fires / 4 % world.processes.len();
                meeting.minutes.killed(at);
                world.processes[at].kill();
                sleep(Duration::from_millis(200)).await;
                world.processes[at].restart().await?;
            }
        }
        fires += 1;
    }
    sleep(Duration::from_millis(300)).await;
    Ok(format!("{fires} fires; {}", meeting.close(HEARD).await?))
}

/// Waits until all processes listen.
async fn listening(world: &World) -> Result<(), String> {
    let end = Instant::now() + WAKES;
    while Instant::now() < end {
        if world.count_connections(LISTENERS).await? == world.processes.len() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("not all processes listen".into())
}
