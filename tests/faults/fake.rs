//! A server that is wrong on purpose, to show that each test fails when it should. Without a defect it is right.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::Reply;
use super::model::{Command, State};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defect {
    None,
    /// INCR and APPEND read, think, and write back.
    RacyUpdate,
    /// Reads are answered from a copy that is a few milliseconds old.
    StaleReads,
    /// A write is answered before it takes effect.
    EarlyReply,
    /// Now and then a write is applied twice, as after a retry of a commit whose answer was lost.
    Retry,
    /// Others see the keys of MSET change, and MGET reads them, one after the other.
    SplitKeys,
    /// Others come in between the commands of EXEC.
    SplitExec,
    IgnoresWatch,
    /// EXEC is refused although nobody changed anything.
    SpuriousAbort,
    /// DEL of several keys deletes those it has seen, whatever happened since.
    OldSnapshotDelete,
    /// Every connection has a clock of its own.
    SkewedClocks,
    /// Values live a while longer than they should.
    LateExpiry,
    /// SET NX checks, thinks, and writes.
    RacyNx,
}

struct Fake {
    defect: Defect,
    data: Mutex<Data>,
    old: Mutex<State>,
}

#[derive(Default)]
struct Data {
    state: State,
    deadlines: HashMap<String, (String, Instant)>,
    writes: u64,
    versions: HashMap<String, u64>,
}

/// Two "processes" that serve until the returned set is dropped: `serve` gets a connection, its process's number and its own.
pub async fn serve_as_two<F>(
    serve: impl Fn(TcpStream, usize, usize) -> F + Clone + Send + 'static,
) -> (Vec<SocketAddr>, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut addresses = Vec::new();
    for process in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        let serve = serve.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, process, connections.len()));
            }
        });
    }
    (addresses, tasks)
}

/// Serves as two "processes" until the returned set is dropped.
pub async fn start(defect: Defect) -> (Vec<SocketAddr>, JoinSet<()>) {
    let fake = Arc::new(Fake { defect, data: Mutex::default(), old: Mutex::default() });
    let served = fake.clone();
    let (addresses, mut tasks) = serve_as_two(move |stream, _, number| {
        let skew = Duration::from_millis(number as u64 % 3 * 4);
        served.clone().serve(stream, skew)
    })
    .await;
    if defect == Defect::StaleReads {
        tasks.spawn(async move {
            loop {
                let copy = fake.data.lock().unwrap().state.clone();
                *fake.old.lock().unwrap() = copy;
                sleep(Duration::from_millis(3)).await;
            }
        });
    }
    (addresses, tasks)
}

impl Fake {
    async fn serve(self: Arc<Self>, stream: TcpStream, skew: Duration) {
        let _ = stream.set_nodelay(true);
        let mut stream = BufReader::new(stream);
        let mut queue: Option<Vec<Command>> = None;
        let mut watched: Vec<(String, u64)> = Vec::new();
        while let Some(command) = read_command(&mut stream).await {
            let reply = match (command.name(), &mut queue) {
                ("MULTI", _) => {
                    queue = Some(Vec::new());
                    Reply::ok()
                }
                ("EXEC", _) => {
                    let commands = queue.take().unwrap_or_default();
                    self.exec(&commands, std::mem::take(&mut watched), skew).await
                }
                (_, Some(queue)) => {
                    queue.push(command);
                    Reply::Status("QUEUED".into())
                }
                ("WATCH", _) => {
                    let data = self.data(skew);
                    watched = command.keys().map(|key| (key.to_string(), data.version(key))).collect();
                    Reply::ok()
                }
                ("UNWATCH", _) => {
                    watched.clear();
                    Reply::ok()
                }
                _ => self.call(&command, skew).await,
            };
            if stream.get_mut().write_all(encode(&reply).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn exec(&self, commands: &[Command], watched: Vec<(String, u64)>, skew: Duration) -> Reply {
        if self.defect == Defect::SplitExec {
            let mut replies = Vec::new();
            for command in commands {
                replies.push(self.data(skew).apply(command));
                tokio::task::yield_now().await;
            }
            return Reply::Array(Some(replies));
        }
        let mut data = self.data(skew);
        let changed = watched.iter().any(|(key, version)| data.version(key) != *version);
        let spurious = self.defect == Defect::SpuriousAbort && data.writes.is_multiple_of(16);
        if !watched.is_empty() && (changed && self.defect != Defect::IgnoresWatch || spurious) {
            return Reply::Array(None);
        }
        Reply::Array(Some(commands.iter().map(|command| data.apply(command)).collect()))
    }

    async fn call(self: &Arc<Self>, command: &Command, skew: Duration) -> Reply {
        match (self.defect, command.name()) {
            (Defect::RacyUpdate, "INCR" | "APPEND") | (Defect::RacyNx, "SET") => {
                let mut guess = self.data(skew).state.clone();
                let reply = guess.apply(command);
                think().await;
                let key = command.keys().next().unwrap_or_default();
                if let Some(value) = guess.get(key) {
                    self.data(skew).apply(&Command::parse(&format!("SET {key} {value}")));
                }
                reply
            }
            (Defect::StaleReads, _) if command.only_reads() => self.old.lock().unwrap().apply(command),
            (Defect::EarlyReply, "SET") => {
                let mut guess = self.data(skew).state.clone();
                let (fake, command) = (self.clone(), command.clone());
                let reply = guess.apply(&command);
                tokio::spawn(async move {
                    think().await;
                    fake.data(skew).apply(&command);
                });
                reply
            }
            (Defect::Retry, "INCR" | "APPEND") => {
                let mut data = self.data(skew);
                let reply = data.apply(command);
                if data.writes.is_multiple_of(50) { data.apply(command) } else { reply }
            }
            (Defect::SplitKeys, "MSET" | "MGET") => {
                let mut replies = Vec::new();
                for part in command.split() {
                    replies.push(self.data(skew).apply(&part));
                    think().await;
                }
                if command.name() == "MSET" { Reply::ok() } else { Reply::Array(Some(replies)) }
            }
            (Defect::OldSnapshotDelete, "DEL") => {
                let mut seen = self.data(skew).state.clone();
                think().await;
                self.data(skew).apply(command);
                seen.apply(command)
            }
            (Defect::SkewedClocks, _) if command.only_reads() => {
                let mut view = self.data.lock().unwrap().view(skew);
                view.apply(command)
            }
            _ => self.data(skew).apply(command),
        }
    }

    /// The data without what has expired.
    fn data(&self, skew: Duration) -> MutexGuard<'_, Data> {
        let mut data = self.data.lock().unwrap();
        if self.defect != Defect::SkewedClocks || skew.is_zero() {
            let late =
                if self.defect == Defect::LateExpiry { Duration::from_millis(200) } else { Duration::ZERO };
            data.expire(late);
        }
        data
    }
}

impl Data {
    fn apply(&mut self, command: &Command) -> Reply {
        let reply = self.state.apply(command);
        if command.may_have_written(Some(&reply)) {
            self.writes += 1;
            for key in command.keys() {
                self.versions.insert(key.into(), self.writes);
            }
            if let Some((key, value, millis)) = command.time_to_live() {
                let deadline = Instant::now() + Duration::from_millis(millis);
                self.deadlines.insert(key.into(), (value.into(), deadline));
            }
        }
        reply
    }

    fn expire(&mut self, late: Duration) {
        let now = Instant::now();
        let gone: Vec<String> = self
            .deadlines
            .iter()
            .filter(|(_, (_, at))| *at + late <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            if let Some((value, _)) = self.deadlines.remove(&key)
                && self.state.get(&key) == Some(&value)
            {
                self.apply(&Command::expiry(&key, &value));
            }
        }
    }

    /// What somebody sees whose clock is ahead.
    fn view(&self, ahead: Duration) -> State {
        let mut state = self.state.clone();
        for (key, (value, _)) in self.deadlines.iter().filter(|(_, (_, at))| *at <= Instant::now() + ahead) {
            state.apply(&Command::expiry(key, value));
        }
        state
    }

    fn version(&self, key: &str) -> u64 {
        self.versions.get(key).copied().unwrap_or_default()
    }
}

async fn think() {
    sleep(Duration::from_micros(500)).await;
}

async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Command> {
    read_words(stream).await.map(Command::of)
}

pub async fn read_words(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let count: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let length: usize = line.trim_end().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(length);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}

pub fn encode(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => format!("+{text}\r\n"),
        Reply::Error(text) => format!("-{text}\r\n"),
        Reply::Int(number) => format!(":{number}\r\n"),
        Reply::Bulk(Some(text)) => format!("${}\r\n{text}\r\n", text.len()),
        Reply::Bulk(None) => "$-1\r\n".into(),
        Reply::Array(None) => "*-1\r\n".into(),
        Reply::Array(Some(items)) => {
            let items_encoded: String = items.iter().map(encode).collect();
            format!("*{}\r\n{items_encoded}", items.len())
        }
    }
}
