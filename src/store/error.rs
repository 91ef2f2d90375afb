//! What can go wrong between us and Postgres, and whether trying again is safe.

use std::fmt;

use tokio_postgres::error::{Severity, SqlState};

use super::tls::explain;

/// A failed piece of work on the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Postgres could not be reached or refused: nothing has happened.
    Unavailable(String),
    /// The connection was lost after a commit was asked for: it may or may not have happened. Never retried.
    Unknown,
    /// Somebody else was in the way (new key at the same moment, deadlock, databases swapped): nothing has happened, try again.
    Conflict,
    /// A row was locked for longer than the caller wanted to wait: nothing has happened.
    Locked,
    /// Postgres refused the statement: nothing has happened.
    Refused(String),
}

impl StoreError {
    /// The meaning of an error of a statement that has committed nothing, whatever becomes of the connection.
    pub fn before_commit(error: &tokio_postgres::Error) -> StoreError {
        match error.code() {
            Some(
                &(SqlState::UNIQUE_VIOLATION
                | SqlState::T_R_DEADLOCK_DETECTED
                | SqlState::T_R_SERIALIZATION_FAILURE),
            ) => StoreError::Conflict,
            Some(&SqlState::LOCK_NOT_AVAILABLE) => StoreError::Locked,
            Some(code) if !ends_connection(error) && !is_unavailability(code) => {
                StoreError::Refused(text(error))
            }
            _ => StoreError::Unavailable(text(error)),
        }
    }

    /// The meaning of an error of a statement that commits (COMMIT itself, or one outside a transaction block).
    pub fn at_commit(error: &tokio_postgres::Error) -> StoreError {
        if ends_connection(error) { StoreError::Unknown } else { StoreError::before_commit(error) }
    }

    /// Whether Postgres answered that a value is not what the statement can work with (class 22): nothing has happened.
    pub fn is_data_exception(error: &tokio_postgres::Error) -> bool {
        error.code().is_some_and(|code| code.code().starts_with("22")) && !ends_connection(error)
    }
}

/// An error after which the connection is gone: no answer at all, or a FATAL one.
fn ends_connection(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        None => true,
        Some(db) => !matches!(db.parsed_severity(), Some(Severity::Error)),
    }
}

/// Class 57P: shutdown, crash, cannot connect now; 53: out of connections, disk, memory; 25006: a standby.
fn is_unavailability(code: &SqlState) -> bool {
    code.code().starts_with("57P")
        || code.code().starts_with("53")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => db.message().to_owned(),
        None => explain(error),
    }
}

impl StoreError {
    /// Postgres has not answered in time a statement that has committed nothing.
    pub fn no_answer() -> StoreError {
        StoreError::Unavailable("no answer in time".to_owned())
    }

    /// The cause alone, for messages that have a beginning of their own.
    pub fn reason(&self) -> String {
        match self {
            StoreError::Unavailable(why) | StoreError::Refused(why) => why.clone(),
            StoreError::Locked => "a transaction in PostgreSQL holds a lock on it".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for StoreError {
    /// The text of the error reply, code included. `LOADING` makes the usual clients wait and try again, and is only
    /// said when nothing has happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(why) => write!(f, "LOADING respg cannot reach PostgreSQL: {why}"),
            StoreError::Unknown => f.write_str(
                "ERR outcome unknown: the connection to PostgreSQL was lost while committing; the command may or may not have taken effect",
            ),
            StoreError::Conflict => f.write_str("TRYAGAIN too many conflicting writes, nothing was changed"),
            StoreError::Locked => f.write_str("TRYAGAIN a key is locked by a transaction in PostgreSQL, nothing was changed"),
            StoreError::Refused(why) => write!(f, "ERR PostgreSQL refused: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}
