//! Putting followers together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::dirty::Dirty;
use super::follow::Follower;
use super::followed::Followed;
use super::following::Following;
use super::leader::Upstream;
use super::queue::{Bounds, Queue};
use super::repair::{Sides, repair_forever};
use super::report::Report;
use super::reverse::{Pump, Reverse};
use super::runs::stand_in_forever;
use super::served::serve_forever;
use super::share::Share;
use super::spool::Spool;
use super::target::Target;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::state::{Process, Rule, Side};
use crate::upstream::Pipe;

/// How long what is under way on the side that follows may take to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// The same on a side of which nothing is wanted any more: commands are held back meanwhile.
const BRIEF_FAREWELL: Duration = Duration::from_millis(100);

/// A follower at work, from one change of the rule to the next.
pub struct Run {
    pub followed: Followed,
    follower: JoinHandle<()>,
    tasks: JoinSet<()>,
}

/// What a follower works with.
pub struct Means<'a> {
    pub process: &'a Arc<Process>,
    pub pipe: &'a Arc<Pipe>,
    pub folder: &'a Path,
    pub bounds: Bounds,
    pub report: &'a Arc<Report>,
    pub rule: &'a Arc<Rule>,
}

impl Run {
    /// Follows the upstream: what goes through the pipe is done again in Postgres.
    pub fn of_shadow(means: &Means<'_>, dirty: Arc<Dirty>) -> io::Result<Run> {
        let Means { process, pipe, folder, bounds, report, .. } = means;
        let mut tasks = JoinSet::new();
        let leader = Arc::new(Upstream((*pipe).clone()));
        let queue = Queue::start(*bounds, Spool::open(folder)?, dirty.clone())?;
        let following = Following::new(queue, dirty, (*report).clone(), leader, means.share(Side::Upstream));
        let (executor, sides) = own_side(process, pipe, &mut tasks);
        let follower = Follower::new(following.clone(), Target::own(executor), process.store.clone());
        tasks.spawn(repair_forever(following.clone(), sides));
        tasks.spawn(serve_forever(following.clone(), (*process).clone(), (*pipe).clone()));
        pipe.set_tap(Some(following.clone()));
        let followed = Followed::Shadow(following);
        Ok(Run { followed, follower: tokio::spawn(follower.run()), tasks })
    }

    /// The other way round: what is written in Postgres is brought over to the upstream.
    pub fn of_reverse(means: &Means<'_>, dirty: Arc<Dirty>) -> Run {
        let Means { process, pipe, folder, bounds, report, .. } = means;
        let mut tasks = JoinSet::new();
        let share = means.share(Side::Postgres);
        let reverse =
            Reverse::new(dirty, folder, bounds.memory, (*report).clone(), share, process.store.clone());
        let reverse = Arc::new(reverse);
        let (executor, sides) = own_side(process, pipe, &mut tasks);
        let pump = Pump::new(reverse.clone(), Target::own(executor), pipe.url().clone());
        tasks.spawn(repair_forever(reverse.clone(), sides));
        tasks.spawn(reverse.clone().read_journal());
        Run { followed: Followed::Reverse(reverse), follower: tokio::spawn(pump.run()), tasks }
    }

    /// As long as they last they do what others have left undone that have ended. `name`: of this process's runs.
    pub fn stand_in(runs: &mut [Run], process: &Arc<Process>, name: String) {
        let all = runs.iter().map(|run| run.followed.repairable()).collect();
        if let Some(first) = runs.first_mut() {
            first.tasks.spawn(stand_in_forever(all, process.store.clone(), name));
        }
    }

    /// What has not been followed stays marked. Whether what is under way comes to its end is waited for if it `matters`.
    pub async fn end(mut self, matters: bool) {
        let Run { followed, follower, tasks } = &mut self;
        match followed {
            Followed::Shadow(following) => following.queue.close(),
            Followed::Reverse(reverse) => reverse.changes.close(),
        }
        let farewell = if matters { FAREWELL } else { BRIEF_FAREWELL };
        if tokio::time::timeout(farewell, &mut *follower).await.is_err() {
            tracing::warn!("the side that follows does not answer: what it is doing is left alone");
            follower.abort();
            let _ = follower.await;
        }
        tasks.shutdown().await;
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

impl Means<'_> {
    fn share(&self, side: Side) -> Share {
        Share::of(self.rule.clone(), side, self.process.settings.config.databases)
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
