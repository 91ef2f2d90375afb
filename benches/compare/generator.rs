//! A load generator for what redis-benchmark cannot do: mixed commands, commands with random options.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::KEYS;
use crate::stats::{Sample, percentile};
use crate::wire::{reply_length, request};

/// Random numbers good enough to pick keys with (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Appends one request of the mix: 70 % GET, 20 % SET, 10 % INCR.
pub fn mixed(random: &mut Random, value: &[u8], out: &mut Vec<u8>) {
    let number = random.below(KEYS);
    match random.below(10) {
        0 => request(out, &[b"INCR", format!("counter:{number:012}").as_bytes()]),
        1 | 2 => request(out, &[b"SET", format!("key:{number:012}").as_bytes(), value]),
        _ => request(out, &[b"GET", format!("key:{number:012}").as_bytes()]),
    }
}

/// A connection that sends and waits.
pub struct Client {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Client {
    pub async fn open(port: u16) -> io::Result<Client> {
        Ok(Client { stream: connect(port).await?, input: Vec::new() })
    }

    /// Sends one request; its reply.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        loop {
            let length = if self.input.is_empty() { None } else { reply_length(&self.input)? };
            if let Some(length) = length {
                return Ok(self.input.drain(..length).collect());
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What to send: `next` appends one request.
#[derive(Clone, Copy)]
pub struct Traffic<F> {
    pub clients: usize,
    pub pipeline: usize,
    /// Requests per second of all clients together, in place of as many as can be had.
    pub pace: Option<f64>,
    pub next: F,
}

/// Runs clients on this thread, each sending a pipeline and waiting for its replies, for a while.
pub fn measure<F>(port: u16, traffic: Traffic<F>, duration: Duration) -> io::Result<Sample>
where
    F: Fn(&mut Random, &mut Vec<u8>) + Copy + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..traffic.clients {
            streams.push(connect(port).await?);
        }
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let seed =
                u64::from(std::process::id()) ^ (number as u64) << 32 ^ start.elapsed().as_nanos() as u64;
            clients.spawn(client(stream, Random(seed), traffic, start + duration));
        }
        let mut micros = Vec::new();
        while let Some(result) = clients.join_next().await {
            micros.append(&mut result.map_err(io::Error::other)??);
        }
        let seconds = start.elapsed().as_secs_f64();
        micros.sort_unstable();
        Ok(Sample {
            per_second: (micros.len() * traffic.pipeline) as f64 / seconds,
            p50_ms: f64::from(percentile(&micros, 0.5)) / 1000.0,
            p99_ms: f64::from(percentile(&micros, 0.99)) / 1000.0,
        })
    })
}

/// The microseconds each pipeline took.
async fn client<F>(
    mut stream: TcpStream,
    mut random: Random,
    traffic: Traffic<F>,
    end: Instant,
) -> io::Result<Vec<u32>>
where
    F: Fn(&mut Random, &mut Vec<u8>),
{
    let mut micros = Vec::new();
    let (mut out, mut input) = (Vec::new(), Vec::with_capacity(16 * 1024));
    let pause = traffic.pace.map(|pace| (traffic.clients * traffic.pipeline) as f64 / pace);
    // Not all clients at the same time.
    let mut due =
        Instant::now() + Duration::from_secs_f64(pause.unwrap_or(0.0) * random.below(1000) as f64 / 1000.0);
    while Instant::now() < end {
        if let Some(pause) = pause {
            tokio::time::sleep_until(due.into()).await;
            due += Duration::from_secs_f64(pause);
        }
        out.clear();
        for _ in 0..traffic.pipeline {
            (traffic.next)(&mut random, &mut out);
        }
        let sent = Instant::now();
        stream.write_all(&out).await?;
        let mut missing = traffic.pipeline;
        let mut read = 0;
        while missing > 0 {
            if read < input.len()
                && let Some(length) = reply_length(&input[read..])?
            {
                read += length;
                missing -= 1;
            } else if stream.read_buf(&mut input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        input.clear();
        micros.push(sent.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
    }
    Ok(micros)
}
