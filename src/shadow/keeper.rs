//! Who has somebody follow while the mode says so, and keeps what is known of it between the modes and runs of the process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use futures_util::future::BoxFuture;
use tokio::sync::Mutex as Held;

use super::dirty::Dirty;
use super::followed::Followed;
use super::following::Following;
use super::queue::Bounds;
use super::report::Report;
use super::reverse::Reverse;
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
    followed: Mutex<Option<Followed>>,
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
            run: Held::default(),
            followed: Mutex::default(),
            folder: Mutex::default(),
        });
        let _ = process.shadow.set(keeper.clone());
        keeper
    }

    /// Who follows, if anybody does at the moment.
    pub fn followed(&self) -> Option<Followed> {
        self.current().clone()
    }

    /// Who follows the upstream, if Postgres does.
    pub fn following(&self) -> Option<Arc<Following>> {
        match &*self.current() {
            Some(Followed::Shadow(following)) => Some(following.clone()),
            _ => None,
        }
    }

    /// Who follows Postgres, if the upstream does.
    pub fn reverse(&self) -> Option<Arc<Reverse>> {
        match &*self.current() {
            Some(Followed::Reverse(reverse)) => Some(reverse.clone()),
            _ => None,
        }
    }

    pub(super) fn upstream(&self) -> Option<Arc<Upstream>> {
        self.process.upgrade()?.upstream.clone()
    }

    fn current(&self) -> MutexGuard<'_, Option<Followed>> {
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

    async fn start(&self, mode: Mode) -> Result<(), String> {
        let process = self.process.upgrade().ok_or("respg is stopping")?;
        let name = self.own_folder()?;
        let ended_cleanly = runs::begin(&process.store, &name, process.bus.process).await;
        let ended_cleanly = ended_cleanly.map_err(|error| error.reason().to_owned())?;
        let place = (&*self.options.folder, self.options.bounds);
        let run = match mode {
            Mode::Reverse => Run::of_reverse(&process, &self.pipe, place, !ended_cleanly, &self.report),
            _ => Run::of_shadow(&process, &self.pipe, place, (&name, !ended_cleanly), &self.report),
        };
        let run = run.map_err(|error| self.complaint(&error))?;
        *self.current() = Some(run.followed.clone());
        *self.run.lock().await = Some(run);
        Ok(())
    }

    async fn stop(&self) {
        self.pipe.set_tap(None);
        let Some(run) = self.run.lock().await.take() else { return };
        let followed = run.followed.clone();
        run.end().await;
        *self.current() = None;
        let (Some(process), Ok(name)) = (self.process.upgrade(), self.own_folder()) else { return };
        let told = async {
            no_more_requests(&process.store, process.bus.process).await?;
            match followed.dirty().marked() {
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
        mode.is_followed()
    }

    fn lose_track(&self) -> Result<(), String> {
        self.own_folder()?;
        Dirty::mark_all(&self.options.folder).map_err(|error| self.complaint(&error))
    }

    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.start(mode))
    }

    fn behind(&self) -> Option<String> {
        self.followed()?.behind()
    }

    fn has_followed(&self, slot: u16) -> bool {
        self.following().is_some_and(|following| following.dirty.is_quiet(slot))
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(followed) = self.followed() {
                followed.caught_up().await;
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
