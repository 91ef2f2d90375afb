//! Lanes: tasks with a Postgres connection each, which make one statement of what many clients have waiting. Hot path.
//!
//! A client has at most one work waiting, so any free lane may take it and the client's order is kept. A lone work is taken at once;
//! while a lane waits for Postgres, the next batch gathers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::batch::Replies;
use super::retry::{self, Source};
use super::work::{Answer, Item, Route, Work};
use super::working_set::LANE_INLINE;
use crate::store::{Commit, Connection, Store, StoreError};

/// Most works in a batch: longer ones only make the others wait.
const MOST_WORKS: usize = 512;
/// Most operations in a batch, counted by items.
const MOST_ITEMS: usize = 1024;
/// Longest wait for a row that somebody else has locked. Then the batch is dissolved and each work runs alone, so that a
/// transaction of SQL users that holds a key delays only those who want that key.
const LOCK_WAIT: Duration = Duration::from_millis(200);

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
            // One turn of the runtime: what has arrived at this moment joins; a lone work waits for nobody.
            tokio::task::yield_now().await;
        }
    }

    fn try_take(&self) -> Option<(Route, Vec<Work>)> {
        let mut waiting = self.waiting.lock().expect("no panic while held");
        let queue =
            waiting.routes.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| queue[0].0)?;
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

/// Runs a lane for ever. A panic in a command is a bug that costs its batch, not the thread's other clients.
pub async fn keep_lane(store: Arc<Store>, queue: Arc<LaneQueue>) {
    loop {
        let lane = tokio::spawn(Lane::new(store.clone(), queue.clone()).run());
        if let Err(error) = lane.await {
            tracing::error!(%error, "a lane ended and is started again");
        }
    }
}

/// One lane: takes batches from the queue until it is dropped.
struct Lane {
    store: Arc<Store>,
    queue: Arc<LaneQueue>,
    connections: LaneConnections,
}

impl Lane {
    fn new(store: Arc<Store>, queue: Arc<LaneQueue>) -> Lane {
        let connections = LaneConnections { store: store.clone(), durable: None, relaxed: None };
        Lane { store, queue, connections }
    }

    async fn run(mut self) {
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

    async fn execute(&mut self, route: Route, works: &[Work]) -> Result<Replies, StoreError> {
        let works: Vec<&[Item]> = works.iter().map(|work| work.items.as_slice()).collect();
        retry::run(&mut self.connections, &self.store, route, LANE_INLINE, &works).await
    }
}

/// A lane's own connections, opened when first needed and again when lost.
struct LaneConnections {
    store: Arc<Store>,
    /// Waits for WAL flushes.
    durable: Option<Connection>,
    /// Does not.
    relaxed: Option<Connection>,
}

impl Source for LaneConnections {
    type Held<'s> = &'s Connection;

    async fn connection(&mut self, commit: Commit) -> Result<&Connection, StoreError> {
        let slot = match commit {
            Commit::Durable => &mut self.durable,
            Commit::Relaxed => &mut self.relaxed,
        };
        if let Some(connection) = slot.as_ref()
            && (connection.is_closed() || connection.refresh_plans(self.store.patience).await.is_err())
        {
            *slot = None;
        }
        let connection = match slot {
            Some(connection) => connection,
            None => slot.insert(Connection::open(&self.store.target, commit, LOCK_WAIT).await?),
        };
        Ok(connection)
    }
}
