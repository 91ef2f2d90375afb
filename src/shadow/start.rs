//! Putting the follower together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::dirty::Dirty;
use super::follow::Follower;
use super::followed::Followed;
use super::following::{Following, Leader};
use super::leader::Upstream;
use super::queue::{Bounds, Queue};
use super::repair::{Sides, repair_forever};
use super::report::Report;
use super::reverse::{Pump, Reverse};
use super::runs::stand_in_forever;
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
    pub followed: Followed,
    follower: JoinHandle<()>,
    _tasks: JoinSet<()>,
}

impl Run {
    /// Follows the upstream: what goes through the pipe is done again in Postgres. `name`: of this process's runs. `all_dirty`: what a missing file of dirty slots means.
    pub fn of_shadow(
        process: &Arc<Process>,
        pipe: &Arc<Pipe>,
        (folder, bounds): (&Path, Bounds),
        (name, all_dirty): (&str, bool),
        report: &Arc<Report>,
    ) -> io::Result<Run> {
        let mut tasks = JoinSet::new();
        let leader = Arc::new(Upstream(pipe.clone()));
        let following = following(folder, bounds, all_dirty, report, leader)?;
        let (executor, sides) = own_side(process, pipe, &mut tasks);
        let follower = Follower::new(following.clone(), Target::own(executor));
        tasks.spawn(repair_forever(following.clone(), sides));
        tasks.spawn(serve_forever(following.clone(), process.clone(), pipe.clone()));
        tasks.spawn(stand_in_forever(following.clone(), process.store.clone(), name.to_owned()));
        pipe.set_tap(Some(following.clone()));
        let followed = Followed::Shadow(following);
        Ok(Run { followed, follower: tokio::spawn(follower.run()), _tasks: tasks })
    }

    /// The other way round: what is written in Postgres is brought over to the upstream.
    pub fn of_reverse(
        process: &Arc<Process>,
        pipe: &Arc<Pipe>,
        (folder, bounds): (&Path, Bounds),
        all_dirty: bool,
        report: &Arc<Report>,
    ) -> io::Result<Run> {
        let mut tasks = JoinSet::new();
        let dirty = Arc::new(Dirty::open(folder, all_dirty)?);
        let reverse = Reverse::new(dirty, folder, bounds.memory, report.clone(), process.store.clone());
        let reverse = Arc::new(reverse);
        let (executor, sides) = own_side(process, pipe, &mut tasks);
        let pump = Pump::new(reverse.clone(), Target::own(executor), pipe.url().clone());
        tasks.spawn(repair_forever(reverse.clone(), sides));
        tasks.spawn(reverse.clone().read_journal());
        Ok(Run { followed: Followed::Reverse(reverse), follower: tokio::spawn(pump.run()), _tasks: tasks })
    }

    /// What has not been followed stays marked.
    pub async fn end(mut self) {
        let Run { followed, follower, .. } = &mut self;
        match followed {
            Followed::Shadow(following) => following.queue.close(),
            Followed::Reverse(reverse) => reverse.changes.close(),
        }
        if tokio::time::timeout(FAREWELL, &mut *follower).await.is_err() {
            tracing::warn!("the side that follows does not answer: what it is doing is left alone");
            follower.abort();
        }
        if let Err(error) = followed.dirty().sweep() {
            tracing::warn!(%error, "the file of dirty slots cannot be written");
        }
        if let Followed::Shadow(following) = followed {
            following.waiting.forget();
            let queue = following.queue.clone();
            let _ = tokio::task::spawn_blocking(move || queue.join()).await;
        }
    }
}

/// Who executes on our side, and what is walked through when something has to be repaired.
fn own_side(process: &Arc<Process>, pipe: &Pipe, tasks: &mut JoinSet<()>) -> (Arc<dyn Executor>, Sides) {
    let lanes = Arc::new(LaneQueue::default());
    tasks.spawn(keep_lane(process.clone(), lanes.clone()));
    let executor: Arc<dyn Executor> = Arc::new(Engine::new(process.clone(), lanes));
    let sides = Sides {
        upstream: pipe.url().clone(),
        own: Target::own(executor.clone()),
        databases: process.settings.config.databases,
    };
    (executor, sides)
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
    Ok(Following::new(queue, dirty, report.clone(), leader))
}
