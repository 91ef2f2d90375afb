//! A stream with a consumer group as a queue.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::generator::Client;
use crate::load::CONSUMERS;
use crate::queue::{self, Consumer, Message, Producer, WAIT};
use crate::stats::Sample;
use crate::wire::{self, Connection, bulks, request};

const GROUP: &[u8] = b"group";

/// A stream that nobody has used in this run.
pub fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("bench:{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[derive(Clone)]
pub struct Stream {
    pub port: u16,
    pub name: String,
    /// Producers keep about so many entries.
    pub maxlen: Option<u64>,
}

impl Stream {
    pub fn create(&self) -> io::Result<()> {
        let mut out = Vec::new();
        request(&mut out, &[b"XGROUP", b"CREATE", self.name.as_bytes(), GROUP, b"$", b"MKSTREAM"]);
        Connection::open(self.port)?.exchange(&out, 1).map(drop)
    }

    /// The queue's cycle by so many producers and the usual consumers, `count` messages a call.
    pub fn measure(&self, producers: usize, count: usize, duration: Duration) -> io::Result<Sample> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut sending = Vec::new();
            for _ in 0..producers {
                sending.push(Sender { client: Client::open(self.port).await?, stream: self.clone() });
            }
            let mut receiving = Vec::new();
            for number in 0..CONSUMERS {
                let (client, name) = (Client::open(self.port).await?, format!("consumer-{number}"));
                receiving.push(Receiver { client, stream: self.clone(), name, count: count.to_string() });
            }
            queue::measure(sending, receiving, duration).await
        })
    }
}

struct Sender {
    client: Client,
    stream: Stream,
}

impl Producer for Sender {
    async fn send(&mut self, body: String) -> io::Result<()> {
        let mut out = Vec::new();
        let (key, body) = (self.stream.name.as_bytes(), body.as_bytes());
        match self.stream.maxlen.map(|maxlen| maxlen.to_string()) {
            Some(maxlen) => {
                request(&mut out, &[b"XADD", key, b"MAXLEN", b"~", maxlen.as_bytes(), b"*", b"body", body]);
            }
            None => request(&mut out, &[b"XADD", key, b"*", b"body", body]),
        }
        self.client.exchange(&out).await.map(drop)
    }
}

struct Receiver {
    client: Client,
    stream: Stream,
    name: String,
    count: String,
}

impl Consumer for Receiver {
    async fn take(&mut self) -> io::Result<Vec<Message>> {
        let mut out = Vec::new();
        let wait = WAIT.as_millis().to_string();
        let head: [&[u8]; 6] =
            [b"XREADGROUP", b"GROUP", GROUP, self.name.as_bytes(), b"COUNT", self.count.as_bytes()];
        let tail: [&[u8]; 5] = [b"BLOCK", wait.as_bytes(), b"STREAMS", self.stream.name.as_bytes(), b">"];
        request(&mut out, &[&head[..], &tail[..]].concat());
        let reply = self.client.exchange(&out).await?;
        // The stream's name, then per entry its id, the field and the value.
        let words = bulks(&reply)?;
        let entries = words.get(1..).unwrap_or_default().chunks_exact(3);
        entries
            .map(|entry| {
                let id = String::from_utf8(entry[0].to_vec()).map_err(io::Error::other)?;
                Ok(Message { id, sent: queue::sent(entry[2])? })
            })
            .collect()
    }

    async fn acknowledge(&mut self, messages: &[Message]) -> io::Result<()> {
        let mut words: Vec<&[u8]> = vec![b"XACK", self.stream.name.as_bytes(), GROUP];
        words.extend(messages.iter().map(|message| message.id.as_bytes()));
        let mut out = Vec::new();
        wire::request(&mut out, &words);
        let reply = self.client.exchange(&out).await?;
        if reply != format!(":{}\r\n", messages.len()).as_bytes() {
            return Err(io::Error::other(format!("XACK answers {}", String::from_utf8_lossy(&reply))));
        }
        Ok(())
    }
}
