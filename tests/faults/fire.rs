//! Channels while things go wrong, on three respg processes.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::pubsub::Meeting;
use super::scenarios::World;

/// How late a message may come when nothing is broken any more.
const HEARD: Duration = Duration::from_secs(2);

/// The connections that listen: each holds the lock by which the others know that its process lives.
const LISTENERS: &str =
    "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock')";

/// Listening connections die, Postgres stops, a process is killed; subscribers of the others notice nothing of it.
pub async fn channels(world: &mut World, budget: Duration, seed: u64) -> Result<String, String> {
    world.renew_with(3, &[]).await?;
    let meeting = Meeting::open(&world.servers(), seed).await?;
    let end = Instant::now() + budget;
    let mut fires = 0;
    while Instant::now() < end || fires < 3 {
        sleep(Duration::from_millis(500)).await;
        let from = Instant::now();
        match fires % 3 {
            0 => {
                let cut = world.cut_connections(LISTENERS).await?;
                if cut < world.processes.len() {
                    return Err(format!("{cut} listening connections were found"));
                }
                listening(world).await?;
                meeting.minutes.outage(from);
            }
            1 => {
                world.stop_postgres(fires / 3 % 2 == 0).await?;
                listening(world).await?;
                meeting.minutes.outage(from);
            }
            _ => {
                let at = fires / 3 % world.processes.len();
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
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        if world.count_connections(LISTENERS).await? == world.processes.len() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("not all processes listen".into())
}
