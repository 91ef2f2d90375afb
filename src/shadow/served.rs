//! Serving those who want keys brought over, and saying that there is a follower to be asked.

use std::sync::Arc;
use std::time::Duration;

use super::following::Following;
use crate::copy::{Redis, serve_requests};
use crate::state::Process;
use crate::upstream::Pipe;

const PAUSE: Duration = Duration::from_secs(1);

/// Until it is dropped. Whenever the upstream is connected anew it may be another one.
pub async fn serve_forever(following: Arc<Following>, process: Arc<Process>, pipe: Arc<Pipe>) {
    loop {
        let connections = pipe.connections();
        let url = pipe.url();
        match Redis::open(url).await {
            Ok(redis) => {
                let run_id = redis.run_id().unwrap_or_default().to_owned();
                drop(redis);
                let (store, number) = (process.store.clone(), process.bus.process);
                tokio::select! {
                    () = serve_requests(store, number, url.place.to_string(), run_id, following.clone()) => {}
                    () = connected_anew(&pipe, connections) => {}
                }
            }
            Err(error) => {
                tracing::debug!(%error, "nobody can be asked for keys yet");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connected_anew(pipe: &Pipe, connections: u64) {
    while pipe.connections() == connections {
        tokio::time::sleep(PAUSE).await;
    }
}
