//! Putting the follower together.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::dirty::Dirty;
use super::follow::Follower;
use super::following::Following;
use super::leader::Upstream;
use super::queue::{Bounds, Queue};
use super::repair::{Sides, repair_forever};
use super::spool::Spool;
use super::target::Target;
use super::told::tell_forever;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::state::Process;
use crate::upstream::Pipe;

/// What the follower may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the spool and the dirty slots are kept: of this process alone.
    pub folder: PathBuf,
    pub bounds: Bounds,
    /// Whether a missing file of dirty slots means that all keys have to be compared.
    pub all_dirty: bool,
}

/// Starts to follow what goes through the pipe: it is the pipe's tap from now on. The tasks end with `tasks`.
pub fn start(
    process: &Arc<Process>,
    pipe: &Arc<Pipe>,
    options: &Options,
    tasks: &mut JoinSet<()>,
) -> io::Result<Arc<Following>> {
    let dirty = Arc::new(Dirty::open(&options.folder, options.all_dirty)?);
    let queue = Queue::start(options.bounds, Spool::open(&options.folder)?, dirty.clone())?;
    let following = Arc::new(Following::new(queue, dirty, Arc::new(Upstream(pipe.clone()))));
    pipe.set_tap(following.clone());
    let _ = process.shadow.set(following.clone());
    let lanes = Arc::new(LaneQueue::default());
    tasks.spawn(keep_lane(process.clone(), lanes.clone()));
    let executor: Arc<dyn Executor> = Arc::new(Engine::new(process.clone(), lanes));
    tasks.spawn(Follower::new(following.clone(), Target::own(executor.clone())).run());
    let sides = Sides {
        upstream: pipe.url().clone(),
        own: Target::own(executor),
        databases: process.settings.config.databases,
    };
    tasks.spawn(repair_forever(following.clone(), sides));
    tasks.spawn(tell_forever(following.clone(), process.store.clone(), process.run_id.clone()));
    Ok(following)
}
