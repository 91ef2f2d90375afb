//! Limits of this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process and those that it starts have so many open files. Tests that need many of them take turns: a limit that
/// holds for two of them may be more than this process is allowed.
pub fn many_files(count: u64) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised =
            Rlimit { current: Some(count), maximum: limit.maximum.map(|maximum| maximum.max(count)) };
        setrlimit(Resource::Nofile, raised)
            .unwrap_or_else(|error| panic!("this test needs {count} open files (ulimit -n): {error}"));
    }
    turn
}
