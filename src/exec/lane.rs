//! Lanes: tasks with a Postgres connection each, which make one statement of what many clients have waiting. Hot path.
//!
//! A client has at most one work waiting, so any free lane may take it and the client's order is kept. A lone work is taken at once;
//! while a lane waits for Postgres, the next batch gathers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::batch::Batch;
use super::work::{Answer, Item, Route, Work};
use super::working_set::LANE_INLINE;
use crate::store::{Commit, Connection, Store, StoreError};

/// Most works in a batch: longer ones only make the others wait.
const MOST_WORKS: usize = 512;
/// Most operations in a batch, counted by items.
const MOST_ITEMS: usize = 1024;
/// How often a batch that met conflicts starts again before its clients get an error.
const MOST_RETRIES: u32 = 50;

/// The works that wait for a lane, by route.
#[derive(Default)]
pub struct LaneQueue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    routes: [VecDeque<(u64, Route, Work)>; Route::COUNT],
    arrivals: u64,
}

impl LaneQueue {
    /// Hands in a work; its answer comes when a lane has executed it.
    pub fn submit(&self, route: Route, items: Vec<Item>) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().expect("no panic while held");
        waiting.arrivals += 1;
        let number = waiting.arrivals;
        waiting.routes[route.number()].push_back((number, route, Work { items, answer }));
        drop(waiting);
        self.arrived.notify_one();
        receiver
    }

    /// Waits for works and takes those of the route whose first has waited longest.
    async fn take(&self) -> (Route, Vec<Work>) {
        loop {
            if let Some(batch) = self.try_take() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    fn try_take(&self) -> Option<(Route, Vec<Work>)> {
        let mut waiting = self.waiting.lock().expect("no panic while held");
        let queue = waiting.routes.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| queue[0].0)?;
        let route = queue[0].1;
        let mut items = 0;
        let count = queue
            .iter()
            .take(MOST_WORKS)
            .take_while(|(_, _, work)| {
                items += work.items.len();
                items <= MOST_ITEMS
            })
            .count()
            .max(1);
        let works = queue.drain(..count).map(|(_, _, work)| work).collect();
        if waiting.routes.iter().any(|queue| !queue.is_empty()) {
            self.arrived.notify_one();
        }
        Some((route, works))
    }
}

/// One lane: takes batches from the queue until it is dropped.
pub struct Lane {
    store: Arc<Store>,
    queue: Arc<LaneQueue>,
    /// Waits for WAL flushes.
    durable: Option<Connection>,
    /// Does not.
    relaxed: Option<Connection>,
}

impl Lane {
    pub fn new(store: Arc<Store>, queue: Arc<LaneQueue>) -> Lane {
        Lane { store, queue, durable: None, relaxed: None }
    }

    pub async fn run(mut self) {
        loop {
            let (route, works) = self.queue.take().await;
            let mut outcome = self.execute(route, &works).await;
            if outcome == Err(StoreError::Locked) {
                outcome = Ok(works.iter().map(|_| None).collect());
            }
            match outcome {
                Ok(replies) => {
                    for (work, replies) in works.into_iter().zip(replies) {
                        let answer = match replies {
                            Some(replies) => Answer::Done(replies),
                            None => Answer::Alone(work.items),
                        };
                        // The client may be gone.
                        let _ = work.answer.send(answer);
                    }
                }
                Err(error) => {
                    for work in works {
                        let _ = work.answer.send(Answer::Failed(error.clone()));
                    }
                }
            }
        }
    }

    async fn execute(&mut self, route: Route, works: &[Work]) -> Result<super::batch::Replies, StoreError> {
        let works: Vec<&[Item]> = works.iter().map(|work| work.items.as_slice()).collect();
        let mut lost_before_commit = 0;
        for attempt in 0..MOST_RETRIES {
            let commit = if route.durable { Commit::Durable } else { Commit::Relaxed };
            let connection = self.connection(commit).await?;
            let store = &self.store;
            let databases = match attempt {
                0 => store.databases.current(),
                _ => store.databases.reload(connection).await?,
            };
            let batch = Batch { connection, databases: &databases, route, inline: LANE_INLINE };
            let outcome = match tokio::time::timeout(store.patience, batch.run(&works)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    // The connection is in an unknown state, the commit perhaps on its way.
                    self.drop_connection(commit);
                    return Err(match route.access {
                        crate::command::Access::Read => StoreError::Unavailable("no answer in time".into()),
                        _ => StoreError::Unknown,
                    });
                }
            };
            match outcome {
                Err(StoreError::Conflict) => back_off(attempt).await,
                // The connection had died while idle, most likely: one more try on a new one.
                Err(StoreError::Unavailable(_)) if lost_before_commit == 0 && self.is_closed(commit) => lost_before_commit += 1,
                outcome => return outcome,
            }
        }
        Err(StoreError::Conflict)
    }

    fn slot(&mut self, commit: Commit) -> &mut Option<Connection> {
        match commit {
            Commit::Durable => &mut self.durable,
            Commit::Relaxed => &mut self.relaxed,
        }
    }

    fn drop_connection(&mut self, commit: Commit) {
        *self.slot(commit) = None;
    }

    fn is_closed(&mut self, commit: Commit) -> bool {
        self.slot(commit).as_ref().is_none_or(Connection::is_closed)
    }

    /// The lane's connection, opened anew if there is none or it has been closed.
    async fn connection(&mut self, commit: Commit) -> Result<&Connection, StoreError> {
        if self.is_closed(commit) {
            let connection = Connection::open(&self.store.config, commit).await?;
            connection.limit_lock_waits().await?;
            *self.slot(commit) = Some(connection);
        }
        Ok(self.slot(commit).as_ref().expect("just opened"))
    }
}

/// Lets the other side of a conflict finish: at once for the first, then up to some milliseconds.
async fn back_off(attempt: u32) {
    if attempt > 1 {
        tokio::time::sleep(Duration::from_millis(attempt.min(10) as u64)).await;
    }
}
