//! Hot path: one connection for the ordinary commands of all clients. Its order is the order in which the upstream executes them, so whoever
//! follows knows it. Logical databases and protocol versions are switched in between (SELECT, HELLO), so replies are always what this client
//! would have got from the upstream, byte for byte.

mod pulse;
mod traffic;

pub use pulse::LEASE;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, oneshot, watch};

use self::pulse::Pulse;
use super::connection::{Connection, in_time, write_call};
use super::error::UpstreamError;
use super::greeting::Greeting;
use super::reply::Raw;
use super::tap::{Calls, Followed, Tap};
use super::url::Url;
use crate::resp::Protocol;

/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Longest time until it is said whether commands may be passed on. Shorter than connecting may take.
const CONFIRMATION: Duration = Duration::from_secs(2);

type Answer = Result<Vec<Raw>, UpstreamError>;

/// The connection that all clients share. It is made again whenever it breaks; meanwhile calls fail at once.
pub struct Pipe {
    url: Url,
    /// What its connection is called in the upstream.
    name: String,
    state: Mutex<State>,
    arrived: Notify,
    tap: RwLock<Option<Arc<dyn Tap>>>,
    away: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// What waits to be sent, by the context in which it has to be sent.
    waiting: Vec<Segment>,
    link: Link,
    /// What is known of the upstream since the last time it was there.
    greeting: Option<Arc<Greeting>>,
    /// Which run of it was the first to be connected.
    first_run: Option<String>,
    /// Databases that this connection has been in: they exist.
    databases: BTreeSet<u32>,
    connections: u64,
    pulse: Pulse,
}

#[derive(Default)]
enum Link {
    /// There is one, or the first attempt to get one is not over.
    #[default]
    Usable,
    Down(UpstreamError),
}

/// Database and protocol.
type Context = (u32, Protocol);

struct Segment {
    context: Context,
    wire: BytesMut,
    jobs: Vec<Job>,
}

/// Calls whose replies are to come.
struct Job {
    expected: usize,
    replies: Vec<Raw>,
    done: Option<oneshot::Sender<Answer>>,
    followed: Option<Followed>,
}

impl Job {
    /// A SELECT or HELLO of the pipe's own.
    fn switch() -> Job {
        Job { expected: 1, replies: Vec::new(), done: None, followed: None }
    }

    fn fail(self, error: &UpstreamError) {
        if let Some(followed) = self.followed {
            followed.lost(error);
        }
        if let Some(done) = self.done {
            let _ = done.send(Err(error.clone()));
        }
    }
}

impl Pipe {
    pub fn new(url: Url, name: String) -> Pipe {
        let (state, away) = (Mutex::default(), watch::Sender::new(false));
        Pipe { url, name, state, arrived: Notify::new(), tap: RwLock::default(), away }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Lets somebody follow what is sent from now on, or nobody.
    pub fn set_tap(&self, tap: Option<Arc<dyn Tap>>) {
        *self.tap.write().expect("no panic while held") = tap;
    }

    pub fn tap(&self) -> Option<Arc<dyn Tap>> {
        self.tap.read().expect("no panic while held").clone()
    }

    /// What the upstream is, as far as it has ever been there.
    pub fn greeting(&self) -> Option<Arc<Greeting>> {
        self.state().greeting.clone()
    }

    /// The `run_id` of the upstream that was connected first.
    pub fn first_run(&self) -> Option<String> {
        self.state().first_run.clone()
    }

    /// What its connection is called, unless the upstream does not let it have a name.
    pub fn connection_name(&self) -> Option<String> {
        self.greeting().map_or_else(|| Some(self.name.clone()), |greeting| self.name_by(&greeting))
    }

    fn name_by(&self, greeting: &Greeting) -> Option<String> {
        greeting.is_named.then(|| self.name.clone())
    }

    /// Waits for the attempt to connect that is not over, if there is no connection.
    pub async fn connected(&self) -> Result<(), UpstreamError> {
        let is_connected = self.state().pulse.is_connected;
        if is_connected { Ok(()) } else { self.confirm(self.url.db).await }
    }

    /// How many times it was connected.
    pub fn connections(&self) -> u64 {
        self.state().connections
    }

    /// Sends calls, nothing of others in between, and waits for their replies: one for each. If they may write, `followed` is what the tap is told,
    /// also if this future is dropped. Among them may be SELECT, which has an effect on those after it, and whole transactions; nothing else that leaves something
    /// behind in a connection.
    pub async fn call<'a>(
        &self,
        db: u32,
        protocol: Protocol,
        calls: impl Iterator<Item = &'a [Bytes]>,
        followed: Option<Calls>,
    ) -> Answer {
        if !self.state().databases.contains(&db) {
            self.confirm(db).await?;
        }
        let receiver = self.enqueue((db, protocol), calls, followed)?;
        received(receiver.await)
    }

    /// Makes sure that there is such a database: what is sent after a SELECT that fails would run in another one.
    async fn confirm(&self, db: u32) -> Result<(), UpstreamError> {
        let select = select(db);
        let receiver = self.enqueue((self.url.db, Protocol::Resp2), std::iter::once(&select[..]), None)?;
        let replies = received(receiver.await)?;
        match replies.first() {
            Some(reply) if !reply.is_error() => {
                self.state().databases.insert(db);
                Ok(())
            }
            reply => Err(UpstreamError::Refused {
                place: self.url.place.to_string(),
                reason: reply.map_or_else(String::new, Raw::text),
            }),
        }
    }

    fn enqueue<'a>(
        &self,
        context: Context,
        calls: impl Iterator<Item = &'a [Bytes]>,
        followed: Option<Calls>,
    ) -> Result<oneshot::Receiver<Answer>, UpstreamError> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.state();
        if let Link::Down(error) = &state.link {
            return Err(error.clone());
        }
        let followed = followed.zip(self.tap()).map(|(calls, tap)| Followed::sending(calls, tap));
        let segment = state.segment(context);
        let (mut expected, mut selects) = (0, false);
        for argv in calls {
            write_call(argv, &mut segment.wire);
            expected += 1;
            selects |= argv[0].eq_ignore_ascii_case(b"SELECT");
        }
        let replies = Vec::with_capacity(expected);
        segment.jobs.push(Job { expected, replies, done: Some(done), followed });
        if selects {
            write_call(&select(context.0), &mut segment.wire);
            segment.jobs.push(Job::switch());
        }
        drop(state);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// Connects, serves, and connects again, for ever. When the upstream may have been without this process for too long, `may_pass` is asked first, with the name of
    /// the new connection if it has one.
    pub async fn run<A: Future<Output = Result<(), String>>>(&self, may_pass: impl Fn(Option<String>) -> A) {
        tokio::join!(self.pulse(), self.connect_forever(may_pass));
    }

    async fn connect_forever<A: Future<Output = Result<(), String>>>(
        &self,
        may_pass: impl Fn(Option<String>) -> A,
    ) {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match in_time(&self.url, self.connect(&may_pass)).await {
                Ok(connection) => {
                    pause = FIRST_PAUSE;
                    let error = self.serve(connection).await;
                    self.state().pulse.is_connected = false;
                    tracing::warn!(upstream = %self.url, %error, "the connection to the upstream broke");
                    // What has not been sent may wait for one more attempt.
                    continue;
                }
                Err(error) => error,
            };
            self.give_up(&error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect<A: Future<Output = Result<(), String>>>(
        &self,
        may_pass: impl Fn(Option<String>) -> A,
    ) -> Result<Connection, UpstreamError> {
        let mut connection = Connection::open(&self.url).await?;
        let greeting = Greeting::of(&mut connection, &self.name).await?;
        let is_to_ask = {
            let state = self.state();
            // Whoever asks for its name would not find it any more.
            let is_nameless = !greeting.is_named && state.greeting.as_ref().is_some_and(|last| last.is_named);
            is_nameless || state.pulse.is_stale()
        };
        if is_to_ask {
            // It is there now, and would be seen.
            let name = self.name_by(&greeting);
            let unconfirmed =
                |reason| UpstreamError::Unconfirmed { place: self.url.place.to_string(), reason };
            let confirmed = tokio::time::timeout(CONFIRMATION, may_pass(name)).await;
            confirmed
                .unwrap_or_else(|_| Err("it is not known who answers: PostgreSQL does not say".to_owned()))
                .map_err(unconfirmed)?;
        }
        let asked = Instant::now();
        let known: Vec<u32> = self.state().databases.iter().copied().collect();
        let calls: Vec<Vec<Bytes>> =
            known.iter().chain([&self.url.db]).map(|db| select(*db).into()).collect();
        let replies = connection.call(&calls).await?;
        let gone = {
            let mut state = self.state();
            if state.first_run.is_none() {
                state.first_run.clone_from(&greeting.run_id);
            }
            state.greeting = Some(Arc::new(greeting));
            state.databases = known
                .iter()
                .zip(&replies)
                .filter(|(_, reply)| !reply.is_error())
                .map(|(db, _)| *db)
                .collect();
            state.databases.insert(self.url.db);
            state.connections += 1;
            state.link = Link::Usable;
            state.pulse.seen(asked);
            state.pulse.is_connected = true;
            self.away.send_replace(false);
            let State { waiting, databases, .. } = &mut *state;
            waiting.extract_if(.., |segment| !databases.contains(&segment.context.0)).collect::<Vec<_>>()
        };
        let error = UpstreamError::Refused {
            place: self.url.place.to_string(),
            reason: "no such database any more".into(),
        };
        gone.into_iter().flat_map(|segment| segment.jobs).for_each(|job| job.fail(&error));
        Ok(connection)
    }

    /// There is no connection: from now on calls fail at once, and so do those that wait.
    fn give_up(&self, error: &UpstreamError) {
        let waiting = {
            let mut state = self.state();
            if !matches!(&state.link, Link::Down(known) if known == error) {
                tracing::warn!(upstream = %self.url, %error, "no connection to the upstream");
            }
            state.link = Link::Down(error.clone());
            std::mem::take(&mut state.waiting)
        };
        for job in waiting.into_iter().flat_map(|segment| segment.jobs) {
            job.fail(error);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl State {
    fn segment(&mut self, context: Context) -> &mut Segment {
        let found = self.waiting.iter().position(|segment| segment.context == context);
        let place = found.unwrap_or_else(|| {
            self.waiting.push(Segment { context, wire: BytesMut::new(), jobs: Vec::new() });
            self.waiting.len() - 1
        });
        &mut self.waiting[place]
    }
}

fn select(db: u32) -> [Bytes; 2] {
    [Bytes::from_static(b"SELECT"), Bytes::from(db.to_string())]
}

fn received(answer: Result<Answer, oneshot::error::RecvError>) -> Answer {
    answer.unwrap_or_else(|_| Err(UpstreamError::Lost("respg is stopping".to_owned())))
}
