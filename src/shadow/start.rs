//! Putting the follower together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::dirty::Dirty;
use super::follow::Follower;
use super::following::{Following, Leader};
use super::leader::Upstream;
use super::queue::{Bounds, Queue};
use super::repair::{Sides, repair_forever};
use super::report::Report;
use super::served::serve_forever;
use super::spool::Spool;
use super::target::Target;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::state::Process;
use crate::upstream::Pipe;

/// How long what is under way on the side that follows may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The follower at work, from one change of the mode to the next.
pub struct Run {
    pub following: Arc<Following>,
    follower: JoinHandle<()>,
    _tasks: JoinSet<()>,
}

impl Run {
    /// Follows the upstream: what goes through the pipe is done again in Postgres. `all_dirty`: what a missing file of dirty slots means.
    pub fn of_shadow(
        process: &Arc<Process>,
        pipe: &Arc<Pipe>,
        (folder, bounds): (&Path, Bounds),
        all_dirty: bool,
        report: &Arc<Report>,
    ) -> io::Result<Run> {
        let mut tasks = JoinSet::new();
        let leader = Arc::new(Upstream(pipe.clone()));
        let following = following(folder, bounds, all_dirty, report, leader)?;
        let lanes = Arc::new(LaneQueue::default());
        tasks.spawn(keep_lane(process.clone(), lanes.clone()));
        let executor: Arc<dyn Executor> = Arc::new(Engine::new(process.clone(), lanes));
        let follower = Follower::new(following.clone(), Target::own(executor.clone()));
        let sides = Sides {
            upstream: pipe.url().clone(),
            own: Target::own(executor),
            databases: process.settings.config.databases,
        };
        tasks.spawn(repair_forever(following.clone(), sides));
        tasks.spawn(serve_forever(following.clone(), process.clone(), pipe.clone()));
        pipe.set_tap(Some(following.clone()));
        Ok(Run { following, follower: tokio::spawn(follower.run()), _tasks: tasks })
    }

    /// What has not been followed stays marked.
    pub async fn end(mut self) {
        let Run { following, follower, .. } = &mut self;
        following.queue.close();
        if tokio::time::timeout(FAREWELL, &mut *follower).await.is_err() {
            tracing::warn!("the side that follows does not answer: what it is doing is left alone");
            follower.abort();
        }
        following.waiting.forget();
        if let Err(error) = following.dirty.sweep() {
            tracing::warn!(%error, "the file of dirty slots cannot be written");
        }
        let queue = following.queue.clone();
        let _ = tokio::task::spawn_blocking(move || queue.join()).await;
    }
}

fn following(
    folder: &Path,
    bounds: Bounds,
    all_dirty: bool,
    report: &Arc<Report>,
    leader: Arc<dyn Leader>,
) -> io::Result<Arc<Following>> {
    let dirty = Arc::new(Dirty::open(folder, all_dirty)?);
    let queue = Queue::start(bounds, Spool::open(folder)?, dirty.clone())?;
    Ok(Arc::new(Following::new(queue, dirty, report.clone(), leader)))
}
