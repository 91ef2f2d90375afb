//! Which thread serves which client.
//!
//! Clients that send one request at a time are kept together, since one batch of fifty keys costs Postgres less than two of half the size; further
//! threads are for who comes when there are enough of them. A client that pipelines brings whole batches, and moves to the thread with the
//! fewest of its kind: there it is the processors that are short.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// So many clients are kept on one thread before another one gets any.
const CROWD: usize = 64;

/// Turns of a client before it is judged.
const TRIAL: usize = 32;

/// Requests in one turn, on average, that make a client one that pipelines.
const PIPELINE: usize = 4;

/// Who sits where.
pub struct Placement {
    threads: Vec<Load>,
}

#[derive(Default)]
struct Load {
    clients: AtomicUsize,
    pipelining: AtomicUsize,
}

/// A client's place, given up when dropped.
pub struct Seat {
    placement: Arc<Placement>,
    thread: usize,
    pipelines: bool,
}

impl Placement {
    pub fn new(threads: usize) -> Placement {
        Placement { threads: (0..threads).map(|_| Load::default()).collect() }
    }

    /// A place for a new client.
    pub fn seat(self: &Arc<Self>) -> Seat {
        let clients = |load: &Load| load.clients.load(Relaxed);
        let roomy = self.threads.iter().position(|load| clients(load) < CROWD);
        let emptiest = || (0..self.threads.len()).min_by_key(|at| clients(&self.threads[*at]));
        let thread = roomy.or_else(emptiest).unwrap_or_default();
        self.threads[thread].clients.fetch_add(1, Relaxed);
        Seat { placement: self.clone(), thread, pipelines: false }
    }
}

impl Seat {
    pub fn thread(&self) -> usize {
        self.thread
    }

    fn load(&self) -> &Load {
        &self.placement.threads[self.thread]
    }

    /// Says that the client pipelines: true if its place is on another thread from now on.
    pub fn pipelines(&mut self) -> bool {
        if self.pipelines {
            return false;
        }
        self.pipelines = true;
        let threads = &self.placement.threads;
        let best = (0..threads.len())
            .min_by_key(|at| (threads[*at].pipelining.load(Relaxed), *at != self.thread))
            .unwrap_or(self.thread);
        threads[best].pipelining.fetch_add(1, Relaxed);
        if best == self.thread {
            return false;
        }
        self.load().clients.fetch_sub(1, Relaxed);
        self.thread = best;
        self.load().clients.fetch_add(1, Relaxed);
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load().clients.fetch_sub(1, Relaxed);
        if self.pipelines {
            self.load().pipelining.fetch_sub(1, Relaxed);
        }
    }
}

/// How many requests a client sends at a time.
#[derive(Default)]
pub struct Pace {
    turns: usize,
    requests: usize,
}

impl Pace {
    /// Counts a turn; true if the client is found to pipeline.
    pub fn turn(&mut self, requests: usize) -> bool {
        self.turns += 1;
        self.requests += requests;
        if self.turns < TRIAL {
            return false;
        }
        let pipelines = self.requests >= self.turns * PIPELINE;
        *self = Pace::default();
        pipelines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_until_there_are_many() {
        let placement = Arc::new(Placement::new(3));
        let mut seats: Vec<Seat> = (0..CROWD).map(|_| placement.seat()).collect();
        assert!(seats.iter().all(|seat| seat.thread() == 0));
        seats.extend((0..CROWD * 5).map(|_| placement.seat()));
        let sizes: Vec<usize> = placement.threads.iter().map(|load| load.clients.load(Relaxed)).collect();
        assert_eq!(sizes, [CROWD * 2; 3]);
        drop(seats);
        assert!(placement.threads.iter().all(|load| load.clients.load(Relaxed) == 0));
    }

    #[test]
    fn who_pipelines_is_spread() {
        let placement = Arc::new(Placement::new(2));
        let mut seats: Vec<Seat> = (0..10).map(|_| placement.seat()).collect();
        let moved = seats.iter_mut().filter_map(|seat| seat.pipelines().then_some(())).count();
        assert_eq!(moved, 5);
        assert!(seats.iter_mut().all(|seat| !seat.pipelines()));
        assert_eq!(seats.iter().filter(|seat| seat.thread() == 1).count(), 5);
        drop(seats);
        let none = |load: &Load| load.clients.load(Relaxed) + load.pipelining.load(Relaxed) == 0;
        assert!(placement.threads.iter().all(none));
    }

    #[test]
    fn pace() {
        let mut pace = Pace::default();
        assert!((0..10 * TRIAL).all(|_| !pace.turn(PIPELINE - 1)));
        assert!((1..TRIAL).all(|_| !pace.turn(PIPELINE)));
        assert!(pace.turn(PIPELINE));
    }
}
