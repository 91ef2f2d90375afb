//! PUBLISH by many, on one channel, with subscribers that note how long each message took.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::generator::Client;
use crate::load::VALUE_BYTES;
use crate::queue::{body, micros_now, sent};
use crate::stats::{Sample, percentile};
use crate::streams::fresh_name;
use crate::wire::request;

/// What was published last must arrive in this time after the publishers have stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The rate is that of answered PUBLISHes; every subscriber must receive every message, else it is an error.
/// The subscribers have a thread of their own, and each looks at the time in a part of its messages.
pub fn measure(port: u16, publishers: usize, subscribers: usize, duration: Duration) -> io::Result<Sample> {
    let channel = fresh_name();
    let frame = frame_bytes(&channel);
    let total = Arc::new(AtomicU64::new(u64::MAX));
    let (ready, subscribed) = std::sync::mpsc::channel();
    let listening = thread::spawn({
        let (channel, total) = (channel.clone(), total.clone());
        move || -> io::Result<Vec<u32>> {
            runtime()?.block_on(async {
                let mut clients = JoinSet::new();
                for _ in 0..subscribers {
                    let stream = subscribe(port, &channel).await?;
                    clients.spawn(listen(stream, frame, subscribers, total.clone()));
                }
                let _ = ready.send(());
                let mut micros = Vec::new();
                while let Some(result) = clients.join_next().await {
                    micros.append(&mut result.map_err(io::Error::other)??);
                }
                Ok(micros)
            })
        }
    });
    if subscribed.recv().is_err() {
        return Err(listening
            .join()
            .map_err(|_| io::Error::other("a subscriber panicked"))?
            .err()
            .unwrap_or_else(|| io::Error::other("the subscribers ended early")));
    }
    let start = Instant::now();
    let published = runtime()?.block_on(publish(port, &channel, publishers, start + duration));
    let seconds = start.elapsed().as_secs_f64();
    total.store(*published.as_ref().unwrap_or(&0), Ordering::Release);
    let heard = listening.join().map_err(|_| io::Error::other("a subscriber panicked"))?;
    let published = published?;
    let mut micros = heard?;
    micros.sort_unstable();
    Ok(Sample {
        per_second: published as f64 / seconds,
        p50_ms: f64::from(percentile(&micros, 0.5)) / 1000.0,
        p99_ms: f64::from(percentile(&micros, 0.99)) / 1000.0,
    })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn publish(port: u16, channel: &str, publishers: usize, end: Instant) -> io::Result<u64> {
    let mut clients = JoinSet::new();
    for _ in 0..publishers {
        let mut client = Client::open(port).await?;
        let channel = channel.to_owned();
        clients.spawn(async move {
            let (mut count, mut out) = (0, Vec::new());
            while Instant::now() < end {
                out.clear();
                request(&mut out, &[b"PUBLISH", channel.as_bytes(), body().as_bytes()]);
                client.exchange(&out).await?;
                count += 1;
            }
            io::Result::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(result) = clients.join_next().await {
        count += result.map_err(io::Error::other)??;
    }
    Ok(count)
}

async fn subscribe(port: u16, channel: &str) -> io::Result<TcpStream> {
    let mut client = Client::open(port).await?;
    let mut out = Vec::new();
    request(&mut out, &[b"SUBSCRIBE", channel.as_bytes()]);
    client.exchange(&out).await?;
    Ok(client.into_stream())
}

/// Every message on the wire has the same length: channel and body have.
fn frame_bytes(channel: &str) -> usize {
    let mut out = Vec::new();
    request(&mut out, &[b"message", channel.as_bytes(), &[b'x'; VALUE_BYTES]]);
    out.len()
}

/// Reads until `total` messages have come.
async fn listen(
    stream: TcpStream,
    frame: usize,
    every: usize,
    total: Arc<AtomicU64>,
) -> io::Result<Vec<u32>> {
    let (mut micros, mut count) = (Vec::new(), 0_u64);
    let mut buffer = vec![0; 256 * 1024];
    let mut filled = 0;
    let mut quiet_since = Instant::now();
    while count < total.load(Ordering::Acquire) {
        // Wakes up now and then to see the total.
        let readable = tokio::time::timeout(Duration::from_millis(100), stream.readable()).await;
        match stream.try_read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::Error::other("a subscriber was cut off")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let is_late = total.load(Ordering::Acquire) != u64::MAX && quiet_since.elapsed() > PATIENCE;
                if readable.is_err() && is_late {
                    return Err(io::Error::other(format!("a subscriber received only {count} messages")));
                }
                continue;
            }
            Err(error) => return Err(error),
        }
        quiet_since = Instant::now();
        let now = micros_now();
        let whole = filled - filled % frame;
        for message in buffer[..whole].chunks_exact(frame) {
            if count.is_multiple_of(every as u64) {
                let took = now.saturating_sub(sent(&message[frame - VALUE_BYTES - 2..frame - 2])?);
                micros.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
            count += 1;
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
    Ok(micros)
}
