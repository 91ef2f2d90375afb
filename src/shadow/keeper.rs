//! Who has somebody follow while the mode says so, and keeps what is known of it between the rules and runs of the process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex as Held;

use super::dirty::Dirty;
use super::followed::Followed;
use super::following::Following;
use super::lacking::{database_of, lost};
use super::marks::Marks;
use super::queue::Bounds;
use super::record::Touched;
use super::report::Report;
use super::reverse::{Reverse, note_upstream};
use super::runs;
use super::start::{Means, Run};
use crate::copy::no_more_requests;
use crate::state::{Mode, Patterns, Process, Rule, Shadow, Side, Upstream};
use crate::upstream::Pipe;

/// What the follower may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the spool and the dirty slots are kept: of this process alone.
    pub folder: PathBuf,
    pub bounds: Bounds,
}

/// The follower's place in a process.
pub struct Keeper {
    process: Weak<Process>,
    pub(super) pipe: Arc<Pipe>,
    options: Options,
    pub(super) report: Arc<Report>,
    runs: Held<Vec<Run>>,
    /// At most one for each side.
    followed: Mutex<Vec<Followed>>,
    /// Taken when it is needed.
    folder: Mutex<Option<Folder>>,
}

impl Keeper {
    pub fn new(process: &Arc<Process>, pipe: &Arc<Pipe>, options: Options) -> Arc<Keeper> {
        let keeper = Arc::new(Keeper {
            process: Arc::downgrade(process),
            pipe: pipe.clone(),
            options,
            report: Arc::default(),
            runs: Held::default(),
            followed: Mutex::default(),
            folder: Mutex::default(),
        });
        let _ = process.shadow.set(keeper.clone());
        keeper
    }

    /// Who follows at the moment.
    pub fn followed(&self) -> Vec<Followed> {
        self.current().clone()
    }

    /// Postgres, as far as it follows.
    pub fn following(&self) -> Option<Arc<Following>> {
        self.current().iter().find_map(|followed| match followed {
            Followed::Shadow(following) => Some(following.clone()),
            Followed::Reverse(_) => None,
        })
    }

    /// The upstream, as far as it follows.
    pub fn reverse(&self) -> Option<Arc<Reverse>> {
        self.current().iter().find_map(|followed| match followed {
            Followed::Reverse(reverse) => Some(reverse.clone()),
            Followed::Shadow(_) => None,
        })
    }

    fn of_side(&self, side: Side) -> Option<Followed> {
        self.current().iter().find(|followed| followed.side() == side).cloned()
    }

    pub(super) fn upstream(&self) -> Option<Arc<Upstream>> {
        self.process.upgrade()?.upstream.clone()
    }

    /// By how many patterns keys are moved.
    pub(super) fn patterns(&self) -> usize {
        self.process.upgrade().map_or(0, |process| process.routing.rule().moved.len())
    }

    fn current(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.followed.lock().expect("no panic while held")
    }

    /// Takes possession of the folder; what this process is called in the database, over its runs.
    fn own_folder(&self) -> Result<String, String> {
        let mut folder = self.folder.lock().expect("no panic while held");
        let owned = match folder.take() {
            Some(owned) => owned,
            None => Folder::take(&self.options.folder).map_err(|error| self.complaint(&error))?,
        };
        Ok(folder.insert(owned).name.clone())
    }

    fn complaint(&self, error: &io::Error) -> String {
        format!("cannot use {} (--shadow-dir): {error}", self.options.folder.display())
    }

    /// If it is another one later, it need not have what this side has.
    fn note_upstream(&self) {
        if let Some(run_id) = self.pipe.first_run() {
            note_upstream(&self.options.folder, &run_id);
        }
    }

    async fn start(&self, rule: &Arc<Rule>, afresh: bool) -> Result<(), String> {
        let process = self.process.upgrade().ok_or("respg is stopping")?;
        let name = self.own_folder()?;
        let types = runs::unsupported_types(&process.store).await;
        let has = |db: u32| db < process.settings.config.databases;
        let types = types.map_err(|error| error.reason().to_owned())?;
        let (added, types): (Vec<_>, _) =
            types.into_iter().partition(|name| database_of(name).is_some_and(has));
        self.report.remember_unsupported(types, afresh);
        // Last of what may fail and be tried again: a second beginning looks as if the first had not ended.
        let ended_cleanly = runs::begin(&process.store, &name, process.bus.process).await;
        let ended_cleanly = ended_cleanly.map_err(|error| error.reason().to_owned())?;
        let Options { folder, bounds } = &self.options;
        self.note_upstream();
        let (pipe, report, bounds) = (&self.pipe, &self.report, *bounds);
        let means = Means { process: &process, pipe, folder, bounds, report, rule };
        let begun = Marks::open(folder, rule.is_divided(), !ended_cleanly).and_then(|marks| {
            let Marks { of_mode, of_moved } = marks;
            if rule.mode == Mode::Reverse {
                return Ok(vec![Run::of_reverse(&means, of_mode)]);
            }
            let of_moved = of_moved.map(|dirty| Run::of_reverse(&means, dirty));
            let of_mode = Run::of_shadow(&means, of_mode)?;
            // What was done there before was not followed.
            if !added.is_empty() {
                of_mode.followed.repairable().compare_all();
            }
            Ok([of_mode].into_iter().chain(of_moved).collect())
        });
        let mut begun: Vec<Run> = begun.map_err(|error| self.complaint(&error))?;
        Run::stand_in(&mut begun, &process, name);
        *self.current() = begun.iter().map(|run| run.followed.clone()).collect();
        *self.runs.lock().await = begun;
        Ok(())
    }

    async fn stop(&self, next: Option<Arc<Rule>>) {
        self.pipe.set_tap(None);
        self.note_upstream();
        let ended = std::mem::take(&mut *self.runs.lock().await);
        if ended.is_empty() {
            return;
        }
        // A Redis that neither answers nor follows from here on is not waited for: when it does again our last connection to it is killed. What is on its way to Postgres nobody could take back.
        let matters = |side| side == Side::Postgres || next.as_ref().is_none_or(|next| next.concerns(side));
        let ends = ended.into_iter().map(|run| (matters(run.followed.side()), run));
        join_all(ends.map(|(matters, run)| run.end(matters))).await;
        let followed = std::mem::take(&mut *self.current());
        let (Some(process), Ok(name)) = (self.process.upgrade(), self.own_folder()) else { return };
        let told = async {
            no_more_requests(&process.store, process.bus.process).await?;
            match followed.iter().all(|followed| followed.dirty().marked() == 0) {
                true => runs::end(&process.store, &name).await,
                false => Ok(()),
            }
        };
        // If not, a missing file is taken for the loss that it may be.
        if let Ok(Err(error)) = tokio::time::timeout(process.store.patience, told).await {
            tracing::debug!(%error, "the end of following was not noted");
        }
    }
}

impl Shadow for Keeper {
    fn lose_track(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let name = self.own_folder()?;
            let process = self.process.upgrade().ok_or("respg is stopping")?;
            let told = async {
                // If this process does not live to follow, others know by this that somebody had to.
                runs::begin(&process.store, &name, process.bus.process).await?;
                runs::forget_types(&process.store).await
            };
            told.await.map_err(|error| error.reason().to_owned())?;
            let marked = match self.current().first() {
                None => Dirty::mark_all(&self.options.folder),
                // Something that never ends: nothing of it is unmarked by this run.
                Some(followed) => followed.dirty().begin(&Touched::All),
            };
            marked.map_err(|error| self.complaint(&error))
        })
    }

    fn stay(&self) {
        if let Some(followed) = self.current().first() {
            followed.dirty().give_up(&Touched::All);
        }
    }

    fn begin(&self, rule: Arc<Rule>, afresh: bool) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.start(&rule, afresh).await })
    }

    fn behind(&self, side: Side) -> Option<String> {
        self.of_side(side)?.behind()
    }

    fn lacking(&self) -> Option<String> {
        lost(self.report.unsupported_types().keys().map(String::as_str))
    }

    fn may_move<'a>(&'a self, patterns: &'a Patterns) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            // Only what has been compared has been met.
            if let Some(why) = self.behind(Side::Postgres) {
                return Err(why);
            }
            match self.process.upgrade() {
                Some(process) => self.lacks(&process, patterns).await,
                None => Ok(()),
            }
        })
    }

    fn has_followed(&self, slot: u16) -> bool {
        self.following().is_some_and(|following| following.dirty.is_quiet(slot))
    }

    fn caught_up(&self, side: Side) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(followed) = self.of_side(side) {
                followed.caught_up().await;
            }
        })
    }

    fn end(&self, next: Option<Arc<Rule>>) -> BoxFuture<'_, ()> {
        Box::pin(self.stop(next))
    }
}

/// The right to use a folder; the kernel takes it from us when we are killed.
struct Folder {
    lock: File,
    name: String,
}

impl Folder {
    fn take(path: &Path) -> io::Result<Folder> {
        std::fs::create_dir_all(path)?;
        let lock = File::options().write(true).create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { lock, name: runs::name_of(path) }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another respg uses it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting still has a copy of the descriptor.
        let _ = self.lock.unlock();
    }
}
