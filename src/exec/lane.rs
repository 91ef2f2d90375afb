//! Lanes: tasks with a Postgres connection each, which make one statement of what many clients have waiting. Hot path.
//!
//! A client has at most one work waiting, so any free lane may take it and the client's order is kept. A lone work is taken at once;
//! while a lane waits for Postgres, the next batch gathers: until the one under way ends, or it is worth a batch beside it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use super::batch::Replies;
use super::lane_connections::{Common, LaneConnections};
use super::retry;
use super::work::{Answer, Item, Reason, Route, Work};
use super::working_set::LANE_INLINE;
use crate::command::Access;
use crate::state::Process;
use crate::store::StoreError;

/// Most works in a batch: longer ones only make the others wait.
const MOST_WORKS: usize = 512;
/// Most operations in a batch, counted by items.
const MOST_ITEMS: usize = 1024;
/// So many items are worth a batch beside another one of their route, in another process of Postgres.
const WORTH_A_PROCESS: usize = 128;

/// So many works that are written by one statement, and as many as are under way, are worth a batch behind that one, on the same connection:
/// Postgres finds it when it is done, and need not be woken.
const WORTH_A_STATEMENT: usize = 16;

/// How long works wait at most for a busy lane, to be joined by others, while another lane is free.
const GATHERING: Duration = Duration::from_millis(4);

/// The works that wait for a lane, by route.
#[derive(Default)]
pub struct LaneQueue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    common: Arc<Common>,
}

#[derive(Default)]
struct Waiting {
    routes: [VecDeque<(u64, Work)>; Route::COUNT],
    arrivals: u64,
    /// Items in all routes.
    items: usize,
    running: Vec<Running>,
}

/// A batch under way.
struct Running {
    number: u64,
    route: Route,
    since: Instant,
    works: usize,
    /// On the connection that the lanes have in common.
    common: bool,
}

/// Works taken by a lane. They count as under way until this is dropped.
struct Batch {
    queue: Arc<LaneQueue>,
    number: u64,
    route: Route,
    /// On the connection that the lanes have in common, if it is one statement.
    common: bool,
    /// Whether the lane had to wait for it.
    waited: bool,
    works: Vec<Work>,
}

impl Batch {
    /// Answers works that have waited as long as an answer of Postgres may take: lanes that wait for it one batch after the other would
    /// make the last one's patience many times that.
    fn refuse_late(&mut self, patience: Duration) {
        if self.works.first().is_none_or(|first| first.since.elapsed() < patience) {
            return;
        }
        let (late, rest) = std::mem::take(&mut self.works)
            .into_iter()
            .partition::<Vec<Work>, _>(|work| work.since.elapsed() >= patience);
        self.works = rest;
        for work in late {
            let _ = work.answer.send(Answer::Failed(StoreError::no_answer()));
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.running.retain(|running| running.number != self.number);
    }
}

impl LaneQueue {
    /// Hands in a work; its answer comes when a lane has executed it.
    pub fn submit(&self, route: Route, items: Vec<Item>) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.arrivals += 1;
        let first = waiting.items == 0;
        waiting.items += items.len();
        let number = waiting.arrivals;
        waiting.routes[route.number()]
            .push_back((number, Work { route, items, since: Instant::now(), answer }));
        let now = waiting.start().is_none();
        drop(waiting);
        // At the first arrival, a free lane sets its alarm; at those after, it is left alone until it may start.
        if first || now {
            // The lane that worked last: its Postgres process has everything at hand.
            self.arrived.notify_last();
        }
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no panic while held")
    }

    /// Waits for works and takes those of the route whose first has waited longest.
    async fn take(self: &Arc<Self>) -> Batch {
        let mut waited = false;
        loop {
            let start = {
                let mut waiting = self.lock();
                let start = waiting.start();
                if start.is_none()
                    && let Some((running, works)) = waiting.take()
                {
                    if waiting.items > 0 {
                        self.arrived.notify_last();
                    }
                    let Running { number, route, common, .. } = running;
                    waiting.running.push(running);
                    return Batch { queue: self.clone(), number, route, common, waited, works };
                }
                start
            };
            waited = true;
            match start {
                Some(moment) => drop(timeout_at(moment, self.arrived.notified()).await),
                None => {
                    self.arrived.notified().await;
                    // One turn of the runtime: what has arrived at this moment joins; a lone work waits for nobody.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

impl Waiting {
    /// From when on a free lane may start a batch; `None`: now.
    fn start(&self) -> Option<Instant> {
        let now = Instant::now();
        let starts = self.routes.iter().filter(|queue| !queue.is_empty()).map(|queue| self.starts(queue));
        let earliest = starts.min().unwrap_or(None);
        earliest.filter(|earliest| *earliest > now)
    }

    /// From when on a batch of this route may start. Two small batches cost Postgres more than one, so it waits for the end of the one
    /// under way, as long as that does not take unusually long and what waits is not enough.
    fn starts(&self, queue: &VecDeque<(u64, Work)>) -> Option<Instant> {
        let route = queue.front()?.1.route;
        let same = || self.running.iter().filter(|running| running.route == route);
        let end = same().map(|running| running.since + GATHERING).max()?;
        let in_line = same().map(|running| running.works).max()?.max(WORTH_A_STATEMENT);
        let items: usize = queue.iter().take(WORTH_A_PROCESS).map(|(_, work)| work.items.len()).sum();
        let enough = items >= WORTH_A_PROCESS || route.is_one_write() && queue.len() >= in_line;
        (!enough).then_some(end)
    }

    fn take(&mut self) -> Option<(Running, Vec<Work>)> {
        let now = Instant::now();
        let may = |queue: &VecDeque<(u64, Work)>| {
            !queue.is_empty() && self.starts(queue).is_none_or(|start| start <= now)
        };
        let (chosen, _) = self
            .routes
            .iter()
            .enumerate()
            .filter(|(_, queue)| may(queue))
            .min_by_key(|(_, queue)| queue[0].0)?;
        let queue = &mut self.routes[chosen];
        let (number, first) = &queue[0];
        let (number, route) = (*number, first.route);
        let mut items = 0;
        let count = queue
            .iter()
            .take(MOST_WORKS)
            .take_while(|(_, work)| {
                items += work.items.len();
                items <= MOST_ITEMS
            })
            .count()
            .max(1);
        let works: Vec<Work> = queue.drain(..count).map(|(_, work)| work).collect();
        let items = works.iter().map(|work| work.items.len()).sum::<usize>();
        self.items -= items;
        // Behind one that takes unusually long nobody stands in line.
        let stuck = self.running.iter().any(|running| running.common && running.since + GATHERING < now);
        // Batches of clients that pipeline are large soon, and better off side by side.
        let common = route.is_one_write() && items < WORTH_A_PROCESS && items < 2 * works.len() && !stuck;
        Some((Running { number, route, since: now, works: works.len(), common }, works))
    }
}

/// Runs a lane until it is dropped, and the lane's connections with it. A panic in a command is a bug that costs its batch, not the thread's other clients.
pub async fn keep_lane(process: Arc<Process>, queue: Arc<LaneQueue>) {
    loop {
        let lane = AssertUnwindSafe(Lane::new(process.clone(), queue.clone()).run());
        if lane.catch_unwind().await.is_err() {
            tracing::error!("a lane ended and is started again");
        }
    }
}

/// One lane: takes batches from the queue until it is dropped.
struct Lane {
    process: Arc<Process>,
    queue: Arc<LaneQueue>,
    connections: LaneConnections,
}

impl Lane {
    fn new(process: Arc<Process>, queue: Arc<LaneQueue>) -> Lane {
        let connections = LaneConnections::new(process.store.clone(), queue.common.clone());
        Lane { process, queue, connections }
    }

    async fn run(mut self) {
        let (own, common) = self.connections.carriers();
        own.carry(common.carry(self.work())).await
    }

    async fn work(&mut self) {
        let mut only_read = false;
        loop {
            let mut batch = self.queue.take().await;
            let reads = batch.route.access == Access::Read;
            // Postgres is to work while replies are written; but with reads it is done sooner than the clients, and they are to be first.
            if only_read && reads && !batch.waited {
                tokio::task::yield_now().await;
            }
            only_read = reads;
            batch.refuse_late(self.process.store.patience);
            if batch.works.is_empty() {
                continue;
            }
            self.connections.in_common = batch.common;
            let mut outcome = self.execute(batch.route, &batch.works).await;
            let works = std::mem::take(&mut batch.works);
            drop(batch);
            let mut reason = Reason::Large;
            if outcome == Err(StoreError::Locked) {
                outcome = Ok(works.iter().map(|_| None).collect());
                reason = Reason::Locked;
            }
            match outcome {
                Ok(replies) => {
                    for (work, replies) in works.into_iter().zip(replies) {
                        let answer = match replies {
                            Some(replies) => Answer::Done(replies),
                            None => Answer::Alone(work.items, reason),
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
        retry::run(&mut self.connections, &self.process, route, LANE_INLINE, &works).await
    }
}
