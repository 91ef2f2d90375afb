//! Why respg's own Postgres is not there, in one sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::programs::MINIMUM;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnPostgresError {
    #[error(
        "no PostgreSQL server programs were found: install them (apt install postgresql), or give a database with --database-url"
    )]
    NoPrograms,
    #[error(
        "no PostgreSQL {major} server programs were found, nor could they be downloaded ({reason}): install them (apt install postgresql-{major}), or give a database with --database-url"
    )]
    Download { major: u32, reason: String },
    #[error("no usable PostgreSQL server programs (postgres, initdb, pg_ctl) are in {}", .0.display())]
    NotPrograms(PathBuf),
    #[error(
        "PostgreSQL {found} is too old: respg needs version {MINIMUM} or newer, installed or with --database-url"
    )]
    TooOld { found: String },
    #[error(
        "the data in {} was written by PostgreSQL {major}, which is not installed (found: {found}): install it (apt install postgresql-{major})",
        .data.display()
    )]
    OtherMajor { data: PathBuf, major: u32, found: String },
    #[error(
        "another respg{} uses {}: give the URL of its Postgres, which it has said at its start (--database-url), stop it, or choose another --data-dir",
        by(.process),
        .directory.display()
    )]
    InUse { directory: PathBuf, process: String },
    #[error("there is no home directory to keep data in: set HOME, or give a --data-dir")]
    NoHome,
    #[error("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")]
    NoAccount,
    #[error("the user {account}, which PostgreSQL runs as, may not enter {}: choose another --data-dir", .directory.display())]
    NotReachable { account: String, directory: PathBuf },
    #[error("{} belongs to another user: remove it, or choose another --data-dir", .0.display())]
    ForeignDirectory(PathBuf),
    #[error("{} is not a PostgreSQL data directory: PG_VERSION is missing or unreadable", .0.display())]
    NotData(PathBuf),
    #[error("initdb failed: {0}")]
    Initdb(String),
    #[error("PostgreSQL did not start: {reason} (its log is in {})", .log.display())]
    DidNotStart { reason: String, log: PathBuf },
    #[error("a PostgreSQL left behind in {} does not stop: {reason}", .data.display())]
    LeftBehind { data: PathBuf, reason: String },
    #[error("PostgreSQL runs, but does not let respg in: {0}")]
    NotAdmitted(#[source] tokio_postgres::Error),
    #[error("PostgreSQL is still writing its last checkpoint; it ends by itself")]
    StillStopping,
    #[error("{what} {}: {source}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn by(process: &str) -> String {
    if process.is_empty() { String::new() } else { format!(" (process {process})") }
}

impl OwnPostgresError {
    /// For `map_err`: `what` is what could not be done with `path`.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OwnPostgresError {
        move |source| OwnPostgresError::Io { what, path: path.to_path_buf(), source }
    }
}
