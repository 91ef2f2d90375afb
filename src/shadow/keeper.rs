//! Who has somebody follow while the mode says so, and keeps what is known of it between the modes and runs of the process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex as Held;

use super::dirty::Dirty;
use super::following::Following;
use super::queue::Bounds;
use super::report::Report;
use super::runs;
use super::start::Run;
use crate::copy::no_more_requests;
use crate::state::{Mode, Process, Shadow, Upstream};
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
    pipe: Arc<Pipe>,
    options: Options,
    pub(super) report: Arc<Report>,
    run: Held<Option<Run>>,
    following: Mutex<Option<Arc<Following>>>,
    /// Taken when it is needed.
    folder: Mutex<Option<Folder>>,
}

/// More than this is not done in the time for which commands may be held back.
const SOON: u64 = 20_000;
const SOON_UNSETTLED: u64 = 1000;
const GLANCE: Duration = Duration::from_millis(2);

impl Keeper {
    pub fn new(process: &Arc<Process>, pipe: &Arc<Pipe>, options: Options) -> Arc<Keeper> {
        let keeper = Arc::new(Keeper {
            process: Arc::downgrade(process),
            pipe: pipe.clone(),
            options,
            report: Arc::default(),
            run: Held::default(),
            following: Mutex::default(),
            folder: Mutex::default(),
        });
        let _ = process.shadow.set(keeper.clone());
        keeper
    }

    /// The follower, if there is one at the moment.
    pub fn following(&self) -> Option<Arc<Following>> {
        self.current().clone()
    }

    pub(super) fn upstream(&self) -> Option<Arc<Upstream>> {
        self.process.upgrade()?.upstream.clone()
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Following>>> {
        self.following.lock().expect("no panic while held")
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

    async fn start(&self, mode: Mode) -> Result<(), String> {
        let process = self.process.upgrade().ok_or("respg is stopping")?;
        if mode != Mode::Shadow {
            return Err("nobody follows in this mode yet".to_owned());
        }
        let name = self.own_folder()?;
        let ended_cleanly = runs::begin(&process.store, &name, process.bus.process).await;
        let ended_cleanly = ended_cleanly.map_err(|error| error.reason().to_owned())?;
        let place = (&*self.options.folder, self.options.bounds);
        let run = Run::of_shadow(&process, &self.pipe, place, !ended_cleanly, &self.report);
        let run = run.map_err(|error| self.complaint(&error))?;
        *self.current() = Some(run.following.clone());
        *self.run.lock().await = Some(run);
        Ok(())
    }

    async fn stop(&self) {
        self.pipe.set_tap(None);
        let Some(run) = self.run.lock().await.take() else { return };
        let following = run.following.clone();
        run.end().await;
        *self.current() = None;
        let (Some(process), Ok(name)) = (self.process.upgrade(), self.own_folder()) else { return };
        let told = async {
            no_more_requests(&process.store, process.bus.process).await?;
            match following.dirty.marked() {
                0 => runs::end(&process.store, &name).await,
                _ => Ok(()),
            }
        };
        // If not, a missing file is taken for the loss that it may be.
        if let Ok(Err(error)) = tokio::time::timeout(process.store.patience, told).await {
            tracing::debug!(%error, "the end of following was not noted");
        }
    }
}

impl Shadow for Keeper {
    fn follows(&self, mode: Mode) -> bool {
        mode == Mode::Shadow
    }

    fn lose_track(&self) -> Result<(), String> {
        self.own_folder()?;
        Dirty::mark_all(&self.options.folder).map_err(|error| self.complaint(&error))
    }

    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.start(mode))
    }

    fn behind(&self) -> Option<String> {
        let following = self.following()?;
        let (waiting, broken) = (following.queue.len(), following.dirty.unsure());
        let unsettled = following.report.counts.unsettled.load(std::sync::atomic::Ordering::Relaxed);
        if broken > 0 {
            Some(format!("{broken} hash slots have not been compared and repaired"))
        } else if waiting > SOON {
            Some(format!("the follower is {waiting} commands behind"))
        } else if unsettled > SOON_UNSETTLED {
            Some(format!("{unsettled} keys are to be read again"))
        } else {
            None
        }
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(following) = self.following() else { return };
            while !following.pass_all().await {
                tokio::time::sleep(GLANCE).await;
            }
            while !following.is_caught_up() {
                tokio::time::sleep(GLANCE).await;
            }
        })
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.stop())
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
