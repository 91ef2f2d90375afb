//! Sessions of Postgres that were given up in the middle of something. Postgres may do the rest later, after what others have written since: it is told to end
//! them, and what they have done is certain when they are gone.

use std::sync::Mutex;
use std::time::Duration;

use super::statements::server::{END_SESSIONS, END_SESSIONS_OF};
use super::{Store, StoreError};

const GLANCE: Duration = Duration::from_millis(20);

/// A session, by its process and a moment of Postgres's clock at which it was there: numbers of processes come again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Session {
    pub process: i32,
    pub seen_at: f64,
}

/// Those that were given up and may not be gone.
#[derive(Debug, Default)]
pub struct Left(Mutex<Vec<Session>>);

impl Left {
    pub fn add(&self, session: Session) {
        self.0.lock().expect("no panic while held").push(session);
    }

    fn all(&self) -> Vec<Session> {
        self.0.lock().expect("no panic while held").clone()
    }

    fn forget(&self, gone: impl Fn(&Session) -> bool) {
        self.0.lock().expect("no panic while held").retain(|session| !gone(session));
    }
}

impl Store {
    /// Ends the sessions that were given up; whether all are gone.
    pub async fn end_left(&self) -> Result<bool, StoreError> {
        let all = self.target.left.all();
        if all.is_empty() {
            return Ok(true);
        }
        let (processes, seen): (Vec<i32>, Vec<f64>) =
            all.iter().map(|one| (one.process, one.seen_at)).unzip();
        let rows = self.query(&END_SESSIONS, &[&processes, &seen]).await?;
        let still: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        self.target.left.forget(|session| all.contains(session) && !still.contains(&session.process));
        Ok(still.is_empty())
    }

    /// The number by which this process's sessions are known.
    pub fn sessions(&self) -> i32 {
        self.target.sessions
    }

    /// Ends the sessions of a process that is gone, by their number; whether all are gone.
    pub async fn end_sessions_of(&self, number: i32) -> Result<bool, StoreError> {
        Ok(self.query(&END_SESSIONS_OF, &[&i64::from(number)]).await?.is_empty())
    }

    /// Waits until nothing that was given up can happen any more.
    pub async fn until_left_are_gone(&self) {
        while self.end_left().await != Ok(true) {
            tokio::time::sleep(GLANCE).await;
        }
    }
}
