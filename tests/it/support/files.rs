//! Limits of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process and those that it starts have so many open files.
pub fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised =
            Rlimit { current: Some(count), maximum: limit.maximum.map(|maximum| maximum.max(count)) };
        setrlimit(Resource::Nofile, raised)
            .unwrap_or_else(|error| panic!("this test needs {count} open files (ulimit -n): {error}"));
    }
}
