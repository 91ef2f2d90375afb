//! A server of streams that is wrong on purpose, as `faults/fake.rs` is for keys. Without a defect it is right.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::client::Reply;
use super::super::fake::{encode, read_words, serve_as_two};
use super::defects::Defect;
use super::journal::Id;

struct Fake {
    defect: Defect,
    streams: Mutex<HashMap<String, Stream>>,
    processes: [Process; 2],
}

/// What a process knows of XADDs, and those who wait there.
#[derive(Default)]
struct Process {
    heard: Mutex<HashMap<String, u64>>,
    woken: Notify,
}

impl Process {
    fn wake(&self, stream: &str) {
        *self.heard.lock().unwrap().entry(stream.into()).or_default() += 1;
        self.woken.notify_waiters();
    }

    fn heard_of(&self, streams: &[String]) -> u64 {
        let heard = self.heard.lock().unwrap();
        streams.iter().filter_map(|stream| heard.get(stream)).sum()
    }
}

#[derive(Default)]
struct Stream {
    entries: BTreeMap<Id, Vec<String>>,
    last: Id,
    groups: BTreeMap<String, Group>,
    count: u64,
}

#[derive(Default)]
struct Group {
    last: Id,
    pending: BTreeMap<Id, Nack>,
    acks: u64,
}

struct Nack {
    consumer: String,
    since: Instant,
    times: i64,
}

/// Serves as two "processes" until the returned set is dropped.
pub async fn start(defect: Defect) -> (Vec<SocketAddr>, JoinSet<()>) {
    let fake = Arc::new(Fake { defect, streams: Mutex::default(), processes: Default::default() });
    serve_as_two(move |stream, process, _| fake.clone().serve(stream, process)).await
}

impl Fake {
    async fn serve(self: Arc<Self>, stream: TcpStream, process: usize) {
        let _ = stream.set_nodelay(true);
        let mut stream = BufReader::new(stream);
        let mut queue: Option<Vec<Vec<String>>> = None;
        while let Some(words) = read_words(&mut stream).await {
            let reply = match (words[0].as_str(), &mut queue) {
                ("MULTI", _) => {
                    queue = Some(Vec::new());
                    Reply::ok()
                }
                ("EXEC", _) => {
                    let commands = queue.take().unwrap_or_default();
                    let mut replies: Vec<Reply> =
                        commands.iter().map(|words| self.add(words, process)).collect();
                    if self.defect == Defect::SplitExec && commands.len() == 2 {
                        replies[1] = Reply::Error("ERR the outcome is unknown".into());
                        self.streams.lock().unwrap().get_mut(&commands[1][1]).unwrap().entries.pop_last();
                    }
                    Reply::Array(Some(replies))
                }
                (_, Some(queue)) => {
                    queue.push(words);
                    Reply::Status("QUEUED".into())
                }
                ("XREAD" | "XREADGROUP", _) => {
                    let reading = self.read_or_wait(&words, process);
                    // A client that goes away while it waits is noticed.
                    let mut nothing = [0];
                    let reply = tokio::select! {
                        reply = reading => reply,
                        _ = stream.get_ref().peek(&mut nothing) => {
                            if self.defect == Defect::ServesTheDead {
                                self.read_or_wait(&words, process).await;
                            }
                            return;
                        }
                    };
                    // The last moment to find out; Redis would keep the entries pending.
                    if self.defect == Defect::LosesWithClient && words[0] == "XREADGROUP" {
                        tokio::task::yield_now().await;
                        let mut byte = [0];
                        let gone =
                            tokio::time::timeout(Duration::from_millis(1), stream.get_ref().peek(&mut byte));
                        if let Ok(Ok(0)) = gone.await {
                            self.forget(&words, &reply);
                        }
                    }
                    reply
                }
                ("XADD", _) if self.defect == Defect::LateEntry => {
                    let stream = words[1].clone();
                    let id = self.streams.lock().unwrap().entry(stream.clone()).or_default().next_id(0);
                    sleep(Duration::from_micros(id.0 % 4 * 700)).await;
                    let mut streams = self.streams.lock().unwrap();
                    streams.get_mut(&stream).unwrap().entries.insert(id, words[3..].to_vec());
                    drop(streams);
                    self.wake(process, &stream);
                    Reply::bulk(id.to_string())
                }
                _ => self.call(&words, process),
            };
            if stream.get_mut().write_all(encode(&reply).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn wake(&self, process: usize, stream: &str) {
        self.processes[process].wake(stream);
        if self.defect != Defect::LostWakeUp {
            self.processes[1 - process].wake(stream);
        }
    }

    fn add(&self, words: &[String], process: usize) -> Reply {
        let mut streams = self.streams.lock().unwrap();
        let stream = streams.entry(words[1].clone()).or_default();
        let behind = if self.defect == Defect::SkewedIds { process as u64 * 20 } else { 0 };
        let id = stream.next_id(behind);
        stream.count += 1;
        if self.defect != Defect::ForgetsEntry || !stream.count.is_multiple_of(50) {
            stream.entries.insert(id, words[3..].to_vec());
        }
        if self.defect == Defect::AddsTwice && stream.count.is_multiple_of(50) {
            let again = stream.next_id(0);
            stream.entries.insert(again, words[3..].to_vec());
        }
        drop(streams);
        self.wake(process, &words[1]);
        Reply::bulk(id.to_string())
    }

    fn call(&self, words: &[String], process: usize) -> Reply {
        let mut streams = self.streams.lock().unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words[0] == "XADD" {
            drop(streams);
            return self.add(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>(), process);
        }
        if let ["XGROUP", _, stream, group, ..] = words[..] {
            streams.entry(stream.into()).or_default().groups.entry(group.into()).or_default();
            return Reply::ok();
        }
        let name = if words[0] == "XINFO" { words[2] } else { words[1] };
        let Some(stream) = streams.get_mut(name) else {
            return Reply::Error(format!("ERR the fake has no {words:?}"));
        };
        match words[..] {
            ["XLEN", _] => Reply::Int(stream.entries.len() as i64),
            ["XRANGE", ..] => stream.encode(stream.entries.keys().copied()),
            ["XINFO", ..] => list(stream.groups.iter().map(|(name, group)| {
                let number = |value: usize| Reply::Int(value as i64);
                let fields = [Reply::bulk("name"), Reply::bulk(name), Reply::bulk("pending")];
                let rest = [number(group.pending.len()), Reply::bulk("last-delivered-id")];
                list(fields.into_iter().chain(rest).chain([Reply::bulk(group.last.to_string())]))
            })),
            ["XPENDING", _, group] => {
                let pending = &stream.groups[group].pending;
                let end = |id: Option<&Id>| Reply::Bulk(id.map(Id::to_string));
                let count = Reply::Int(pending.len() as i64);
                list([count, end(pending.keys().next()), end(pending.keys().next_back()), Reply::nil()])
            }
            ["XPENDING", _, group, ..] => list(stream.groups[group].pending.iter().map(|(id, nack)| {
                let idle = Reply::Int(nack.since.elapsed().as_millis() as i64);
                list([Reply::bulk(id.to_string()), Reply::bulk(&nack.consumer), idle, Reply::Int(nack.times)])
            })),
            ["XACK", _, group, ref ids @ ..] => {
                let group = stream.groups.get_mut(group).unwrap();
                let mut count = 0;
                for id in ids.iter().filter_map(|id| Id::parse(id)) {
                    group.acks += 1;
                    let forgets = self.defect == Defect::ForgetsAck && group.acks.is_multiple_of(50);
                    let found = forgets || group.pending.remove(&id).is_some();
                    count += i64::from(found || self.defect == Defect::CountsAcksTwice);
                }
                Reply::Int(count)
            }
            ["XAUTOCLAIM", _, group, consumer, idle, ..] => {
                let idle = Duration::from_millis(idle.parse().unwrap());
                let group = stream.groups.get_mut(group).unwrap();
                let mut claimed = Vec::new();
                for (id, nack) in &mut group.pending {
                    let ready = nack.since.elapsed() >= idle || self.defect == Defect::ClaimsTooSoon;
                    if ready && (self.defect != Defect::ClaimOverlooks || id.0 % 3 > 0) {
                        *nack =
                            Nack { consumer: consumer.into(), since: Instant::now(), times: nack.times + 1 };
                        claimed.push(*id);
                    }
                }
                list([Reply::bulk("0-0"), stream.encode(claimed.into_iter()), list([])])
            }
            _ => Reply::Error(format!("ERR the fake has no {words:?}")),
        }
    }

    async fn read_or_wait(&self, words: &[String], process: usize) -> Reply {
        let option = |name| words.iter().position(|word| word == name).map(|at| words[at + 1].as_str());
        let block = option("BLOCK").and_then(|millis| millis.parse::<u64>().ok());
        let millis = match (block, self.defect) {
            (Some(0), Defect::ZeroIsNow) => 1,
            (Some(0), _) => 3_600_000,
            (Some(millis), Defect::ShortBlock) => millis / 2,
            (Some(millis), _) => millis,
            (None, _) => 0,
        };
        let end = Instant::now() + Duration::from_millis(millis);
        let process = &self.processes[process];
        loop {
            let heard = process.heard_of(words);
            let found = self.read(words).await;
            if found != Reply::Array(None) || Instant::now() >= end {
                return found;
            }
            loop {
                let mut woken = std::pin::pin!(process.woken.notified());
                woken.as_mut().enable();
                if process.heard_of(words) != heard || Instant::now() >= end {
                    break;
                }
                let _ = tokio::time::timeout_at(end.into(), woken).await;
            }
        }
    }

    async fn read(&self, words: &[String]) -> Reply {
        let at = words.iter().position(|word| word == "STREAMS").unwrap() + 1;
        let (names, from) = words[at..].split_at((words.len() - at) / 2);
        let count = words.iter().position(|word| word == "COUNT").map(|at| words[at + 1].parse().unwrap());
        let count: usize = count.unwrap_or(usize::MAX);
        let group = (words[0] == "XREADGROUP").then(|| (&words[2], &words[3]));
        let mut found = Vec::new();
        for (name, from) in names.iter().zip(from) {
            if self.defect == Defect::RacyGroup
                && let Some(group) = group
            {
                self.read_racily(name, group, count, &mut found).await;
                continue;
            }
            let mut streams = self.streams.lock().unwrap();
            let stream = streams.get_mut(name).unwrap();
            let ids = match (group, Id::parse(from)) {
                (None, Some(from)) => stream.after(from, count),
                (None, None) => Vec::new(),
                (Some((group, consumer)), _) if from == ">" => {
                    let ids = stream.after(stream.groups[group].last, count);
                    stream.deliver(group, consumer, &ids, self.defect);
                    ids
                }
                (Some((group, consumer)), _) => {
                    let pending = stream.groups.get_mut(group).unwrap().pending.iter_mut();
                    let mine = pending.filter(|(_, nack)| nack.consumer == *consumer);
                    let touched = mine.take(count).map(|(id, nack)| {
                        (nack.since, nack.times) = (Instant::now(), nack.times + 1);
                        *id
                    });
                    touched.collect()
                }
            };
            if !ids.is_empty() {
                found.push(list([Reply::bulk(name), stream.encode(ids.into_iter())]));
            }
        }
        if found.is_empty() { Reply::Array(None) } else { list(found) }
    }

    async fn read_racily(&self, name: &str, group: (&String, &String), count: usize, found: &mut Vec<Reply>) {
        let ids = {
            let streams = self.streams.lock().unwrap();
            streams[name].after(streams[name].groups[group.0].last, count)
        };
        sleep(Duration::from_micros(500)).await;
        let mut streams = self.streams.lock().unwrap();
        let stream = streams.get_mut(name).unwrap();
        if !ids.is_empty() {
            stream.deliver(group.0, group.1, &ids, self.defect);
            found.push(list([Reply::bulk(name), stream.encode(ids.into_iter())]));
        }
    }

    /// Takes a delivery out of the books.
    fn forget(&self, words: &[String], reply: &Reply) {
        let mut streams = self.streams.lock().unwrap();
        for part in super::journal::items(reply).into_iter().flatten() {
            let Some([Reply::Bulk(Some(name)), entries]) = super::journal::items(part) else { continue };
            for entry in super::journal::Entry::parse_all(entries).into_iter().flatten() {
                let group = streams.get_mut(name).unwrap().groups.get_mut(&words[2]).unwrap();
                group.pending.remove(&entry.id);
            }
        }
    }
}

impl Stream {
    fn next_id(&mut self, behind: u64) -> Id {
        let millis = UNIX_EPOCH.elapsed().unwrap().as_millis() as u64 - behind;
        let next = Id(millis, self.count);
        if behind == 0 {
            self.last = next.max(Id(self.last.0, self.last.1 + 1));
            return self.last;
        }
        next
    }

    fn after(&self, from: Id, count: usize) -> Vec<Id> {
        self.entries.range(Id(from.0, from.1 + 1)..).take(count).map(|(id, _)| *id).collect()
    }

    fn deliver(&mut self, group: &str, consumer: &str, ids: &[Id], defect: Defect) {
        let group = self.groups.get_mut(group).unwrap();
        for &id in ids {
            group.last = group.last.max(id);
            if defect != Defect::ForgetsPending || id.1 % 10 != 0 {
                let nack = Nack { consumer: consumer.into(), since: Instant::now(), times: 1 };
                group.pending.insert(id, nack);
            }
        }
    }

    fn encode(&self, ids: impl Iterator<Item = Id>) -> Reply {
        let there = ids.filter_map(|id| Some((id, self.entries.get(&id)?)));
        list(
            there.map(|(id, fields)| {
                list([Reply::bulk(id.to_string()), list(fields.iter().map(Reply::bulk))])
            }),
        )
    }
}

fn list(items: impl IntoIterator<Item = Reply>) -> Reply {
    Reply::Array(Some(items.into_iter().collect()))
}
