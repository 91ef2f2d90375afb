//! A queue under load, whoever keeps it: producers send one message per call, consumers take and acknowledge.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::load::VALUE_BYTES;
use crate::stats::{Sample, percentile};

/// Most messages between sending and acknowledgement: so a queue is never empty for long, and never grows.
const WINDOW: usize = 1000;
/// Longest wait of a consumer in one call.
pub const WAIT: Duration = Duration::from_millis(100);
/// What is still in the queue when the producers stop must be consumed in this time.
const PATIENCE: Duration = Duration::from_secs(15);

pub trait Producer: 'static {
    fn send(&mut self, body: String) -> impl Future<Output = io::Result<()>>;
}

pub trait Consumer: 'static {
    /// Messages, or none after a short wait.
    fn take(&mut self) -> impl Future<Output = io::Result<Vec<Message>>>;
    fn acknowledge(&mut self, messages: &[Message]) -> impl Future<Output = io::Result<()>>;
}

pub struct Message {
    pub id: String,
    /// When it was sent, see `body`.
    pub sent: u64,
}

/// A JSON object, as pgmq wants it, of the usual size, with the time.
pub fn body() -> String {
    let start = format!(r#"{{"sent": {}, "pad": ""#, micros_now());
    let pad = "x".repeat(VALUE_BYTES.saturating_sub(start.len() + 2));
    format!(r#"{start}{pad}"}}"#)
}

/// The time in a body, wherever the server put it.
pub fn sent(body: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(body).map_err(io::Error::other)?;
    let digits = text.split_once(r#""sent":"#).map(|(_, rest)| rest.trim_start());
    let number = digits.and_then(|text| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("not what was sent: {text}")))
}

pub fn micros_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

struct Run {
    end: Instant,
    room: Semaphore,
    producing: Cell<usize>,
    sent: Cell<usize>,
    acknowledged: Cell<usize>,
    micros: RefCell<Vec<u32>>,
}

impl Run {
    fn is_over(&self) -> bool {
        self.producing.get() == 0 && self.acknowledged.get() >= self.sent.get()
    }
}

/// Runs all on this thread. Every message that was sent must be received, and none twice: else it is an error.
pub async fn measure<P: Producer, C: Consumer>(
    producers: Vec<P>,
    consumers: Vec<C>,
    duration: Duration,
) -> io::Result<Sample> {
    let start = Instant::now();
    let run = Rc::new(Run {
        end: start + duration,
        room: Semaphore::new(WINDOW),
        producing: Cell::new(producers.len()),
        sent: Cell::new(0),
        acknowledged: Cell::new(0),
        micros: RefCell::new(Vec::new()),
    });
    let tasks = LocalSet::new();
    let mut handles = Vec::new();
    for producer in producers {
        handles.push(tasks.spawn_local(produce(producer, run.clone())));
    }
    for consumer in consumers {
        handles.push(tasks.spawn_local(consume(consumer, run.clone())));
    }
    let all = async {
        for handle in handles {
            handle.await.map_err(io::Error::other)??;
        }
        io::Result::Ok(())
    };
    let outcome = tasks.run_until(timeout(duration + PATIENCE, all)).await;
    let (sent, acknowledged) = (run.sent.get(), run.acknowledged.get());
    outcome
        .map_err(|_| io::Error::other(format!("of {sent} messages only {acknowledged} came through")))??;
    if sent != acknowledged {
        return Err(io::Error::other(format!("{sent} messages were sent, {acknowledged} received")));
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut micros = run.micros.take();
    micros.sort_unstable();
    Ok(Sample {
        per_second: acknowledged as f64 / seconds,
        p50_ms: f64::from(percentile(&micros, 0.5)) / 1000.0,
        p99_ms: f64::from(percentile(&micros, 0.99)) / 1000.0,
    })
}

async fn produce<P: Producer>(mut producer: P, run: Rc<Run>) -> io::Result<()> {
    let outcome = async {
        while Instant::now() < run.end {
            run.room.acquire().await.map_err(io::Error::other)?.forget();
            producer.send(body()).await?;
            run.sent.set(run.sent.get() + 1);
        }
        Ok(())
    };
    let outcome = outcome.await;
    run.producing.set(run.producing.get() - 1);
    outcome
}

async fn consume<C: Consumer>(mut consumer: C, run: Rc<Run>) -> io::Result<()> {
    while !run.is_over() {
        let messages = consumer.take().await?;
        if messages.is_empty() {
            continue;
        }
        let now = micros_now();
        let took = |message: &Message| u32::try_from(now.saturating_sub(message.sent)).unwrap_or(u32::MAX);
        run.micros.borrow_mut().extend(messages.iter().map(took));
        consumer.acknowledge(&messages).await?;
        run.acknowledged.set(run.acknowledged.get() + messages.len());
        run.room.add_permits(messages.len());
    }
    Ok(())
}
