//! A server of channels that is wrong on purpose. Without a defect it is right.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::super::client::Reply;
use super::super::fake::{encode, read_words, serve_as_two};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defect {
    None,
    /// Now and then one subscriber misses a message.
    Loses,
    /// Now and then one subscriber gets a message twice.
    Repeats,
    /// Identical messages of one EXEC are one.
    CollapsesTwins,
    /// Within MULTI, PUBLISH is done at once.
    IgnoresMulti,
    /// One process delivers some messages after the next.
    OwnOrder,
    /// Now and then a message stays in its process.
    StaysAtHome,
    /// PUBLISH counts the receivers of its own process.
    CountsAtHome,
    /// PUBLISH forgets to count patterns.
    CountsNoPatterns,
    /// Some messages come a second too late.
    ComesLate,
    /// Long messages are cut.
    CutsLong,
    /// Shard channels are channels.
    MixesShards,
    /// Now and then a subscriber's connection is closed.
    HangsUp,
}

pub const DEFECTS: [Defect; 13] = [
    Defect::None,
    Defect::Loses,
    Defect::Repeats,
    Defect::CollapsesTwins,
    Defect::IgnoresMulti,
    Defect::OwnOrder,
    Defect::StaysAtHome,
    Defect::CountsAtHome,
    Defect::CountsNoPatterns,
    Defect::ComesLate,
    Defect::CutsLong,
    Defect::MixesShards,
    Defect::HangsUp,
];

struct Fake {
    defect: Defect,
    room: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    subscriptions: Vec<Subscription>,
    said: u64,
    next_client: u64,
    /// What `OwnOrder` holds back.
    kept: Vec<(UnboundedSender<Reply>, Reply)>,
}

struct Subscription {
    client: u64,
    process: usize,
    kind: String,
    name: String,
    sender: UnboundedSender<Reply>,
}

impl Subscription {
    /// Patterns end in `[0-2]`.
    fn matches(&self, channel: &str) -> bool {
        match self.kind.as_str() {
            "PSUBSCRIBE" => channel.rsplit_once(':').is_some_and(|(head, number)| {
                self.name.starts_with(head) && ["0", "1", "2"].contains(&number)
            }),
            _ => self.name == channel,
        }
    }
}

/// Serves as two "processes" until the returned set is dropped.
pub async fn start(defect: Defect) -> (Vec<SocketAddr>, JoinSet<()>) {
    let fake = Arc::new(Fake { defect, room: Mutex::default() });
    serve_as_two(move |stream, process, _| fake.clone().serve(stream, process)).await
}

impl Fake {
    async fn serve(self: Arc<Self>, stream: TcpStream, process: usize) {
        let _ = stream.set_nodelay(true);
        let mut stream = BufReader::new(stream);
        let (sender, mut inbox) = unbounded_channel();
        let client = {
            let mut room = self.room.lock().unwrap();
            room.next_client += 1;
            room.next_client
        };
        let mut queue: Option<Vec<Vec<String>>> = None;
        loop {
            let reply = tokio::select! {
                words = read_words(&mut stream) => match words {
                    None => break,
                    Some(words) => self.answer(&words, client, process, &mut queue, &sender),
                },
                Some(message) = inbox.recv() => {
                    let hangs_up = self.defect == Defect::HangsUp && self.room.lock().unwrap().said % 60 == 59;
                    if hangs_up { break }
                    vec![message]
                }
            };
            let wire: String = reply.iter().map(encode).collect();
            if stream.get_mut().write_all(wire.as_bytes()).await.is_err() {
                break;
            }
        }
        self.room.lock().unwrap().subscriptions.retain(|one| one.client != client);
    }

    fn answer(
        &self,
        words: &[String],
        client: u64,
        process: usize,
        queue: &mut Option<Vec<Vec<String>>>,
        sender: &UnboundedSender<Reply>,
    ) -> Vec<Reply> {
        let one = match (words[0].as_str(), &mut *queue) {
            ("MULTI", _) => {
                *queue = Some(Vec::new());
                Reply::ok()
            }
            ("DISCARD", _) => {
                *queue = None;
                Reply::ok()
            }
            ("EXEC", _) => {
                let mut queued = queue.take().unwrap_or_default();
                let count = queued.len();
                if self.defect == Defect::CollapsesTwins {
                    queued.dedup();
                }
                let mut replies: Vec<Reply> = Vec::new();
                if self.defect != Defect::IgnoresMulti {
                    let mut room = self.room.lock().unwrap();
                    replies = queued.iter().map(|words| self.publish(&mut room, words, process)).collect();
                }
                replies.resize(count, replies.first().cloned().unwrap_or(Reply::Int(5)));
                Reply::Array(Some(replies))
            }
            (_, Some(queued)) => {
                if self.defect == Defect::IgnoresMulti {
                    self.publish(&mut self.room.lock().unwrap(), words, process);
                }
                queued.push(words.to_vec());
                Reply::Status("QUEUED".into())
            }
            ("PUBLISH" | "SPUBLISH", _) => self.publish(&mut self.room.lock().unwrap(), words, process),
            (kind, _) => {
                let mut room = self.room.lock().unwrap();
                let names = words[1..].iter().enumerate();
                return names
                    .map(|(at, name)| {
                        let (kind, name, sender) = (kind.to_string(), name.clone(), sender.clone());
                        let word = Reply::bulk(kind.to_lowercase());
                        let reply = vec![word, Reply::bulk(&name), Reply::Int(at as i64 + 1)];
                        room.subscriptions.push(Subscription { client, process, kind, name, sender });
                        Reply::Array(Some(reply))
                    })
                    .collect();
            }
        };
        vec![one]
    }

    fn publish(&self, room: &mut Room, words: &[String], home: usize) -> Reply {
        room.said += 1;
        let now_and_then = room.said.is_multiple_of(40);
        let mut text = words[2].clone();
        if self.defect == Defect::CutsLong {
            text.truncate(8000);
        }
        let mut count = 0;
        for (at, one) in room.subscriptions.iter().enumerate() {
            let shards = (words[0] == "SPUBLISH") == (one.kind == "SSUBSCRIBE");
            let mixed = self.defect == Defect::MixesShards && one.kind == "PSUBSCRIBE";
            if !(one.matches(&words[1]) && shards || mixed && words[0] == "SPUBLISH") {
                continue;
            }
            let counts = match self.defect {
                Defect::CountsAtHome => one.process == home,
                Defect::CountsNoPatterns => one.kind != "PSUBSCRIBE",
                _ => true,
            };
            count += i64::from(counts);
            let parts = match one.kind.as_str() {
                "SUBSCRIBE" => vec!["message", &words[1], &text],
                "SSUBSCRIBE" => vec!["smessage", &words[1], &text],
                _ => vec!["pmessage", &one.name, &words[1], &text],
            };
            let message = Reply::Array(Some(parts.into_iter().map(Reply::bulk).collect()));
            match self.defect {
                Defect::Loses if now_and_then && at == 0 => {}
                Defect::StaysAtHome if now_and_then && one.process != home => {}
                Defect::OwnOrder if now_and_then && one.process == 1 => {
                    room.kept.push((one.sender.clone(), message));
                }
                Defect::ComesLate if now_and_then => {
                    let sender = one.sender.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        let _ = sender.send(message);
                    });
                }
                _ => {
                    let _ = one.sender.send(message.clone());
                    if self.defect == Defect::Repeats && now_and_then && at == 0 {
                        let _ = one.sender.send(message);
                    }
                }
            }
        }
        if !now_and_then && room.said % 40 > 3 {
            for (sender, message) in room.kept.drain(..) {
                let _ = sender.send(message);
            }
        }
        Reply::Int(count)
    }
}
