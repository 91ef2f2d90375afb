//! The threads that serve clients. Each has a runtime of its own with its own lanes, so a client's whole path stays on one thread.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::connection::Connection;
use super::placement::Placement;
use crate::cpus::Cpus;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::layer;
use crate::session::Session;
use crate::shadow::{Keeper, Noting, Passing};
use crate::state::{ClientHandle, ClientIds, Process};

/// An accepted client's socket, of no thread.
pub enum Socket {
    Tcp(StdTcpStream),
    Unix(StdUnixStream),
}

/// A client on its way to its thread, in the registry already: it counts for `maxclients` from its acceptance on.
struct Client {
    connection: Connection<Socket>,
    registered: Registered,
}

/// The ways from one thread to another, which do not keep any alive.
type Ways = Arc<OnceLock<Vec<WeakUnboundedSender<Client>>>>;

/// All serving threads.
pub struct Threads {
    senders: Vec<UnboundedSender<Client>>,
    placement: Arc<Placement>,
    process: Arc<Process>,
    ids: ClientIds,
}

impl Threads {
    /// Starts `count` threads with `lanes` lanes each. They end when the senders are dropped and their clients are gone.
    pub fn start(
        count: usize,
        lanes: usize,
        process: &Arc<Process>,
        ids: ClientIds,
        keeper: Option<&Arc<Keeper>>,
    ) -> io::Result<(Threads, Vec<JoinHandle<()>>)> {
        let mut senders = Vec::new();
        let mut handles = Vec::new();
        let ways = Ways::default();
        for number in 0..count {
            let (sender, receiver) = unbounded_channel();
            senders.push(sender);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (process, ways, keeper) = (process.clone(), ways.clone(), keeper.cloned());
            let cpus = process.settings.config.server_cpulist.clone();
            let thread = std::thread::Builder::new().name(format!("respg-{number}"));
            let tasks = async move {
                // The pipe to an upstream has clients of all threads; where most of them are it wakes nobody across threads.
                if let Some(upstream) = process.upstream.clone().filter(|_| number == 0) {
                    let process = process.clone();
                    let may_pass = move |name| {
                        let process = process.clone();
                        async move { process.may_pass(name).await }
                    };
                    tokio::spawn(async move { upstream.pipe.run(may_pass).await });
                }
                serve(receiver, lanes, process, ways, keeper).await;
            };
            let run = move || {
                cpus.iter().for_each(Cpus::confine);
                runtime.block_on(tasks);
            };
            handles.push(thread.spawn(run)?);
        }
        ways.get_or_init(|| senders.iter().map(UnboundedSender::downgrade).collect());
        let placement = Arc::new(Placement::new(count));
        Ok((Threads { senders, placement, process: process.clone(), ids }, handles))
    }

    /// Gives a client, with its address and ours, to its thread.
    pub fn serve(&self, socket: Socket, addr: String, laddr: String) {
        let client = ClientHandle::new(self.ids.next(), addr, laddr);
        let registered = Registered::new(&self.process, client);
        let session = Session::new(registered.client.clone(), self.process.settings.password().is_empty());
        let seat = self.placement.seat();
        let thread = seat.thread();
        let connection = Connection::new(socket, session, seat, self.process.clone());
        // The thread ends only at shutdown; then the client is simply closed.
        let _ = self.senders[thread].send(Client { connection, registered });
    }
}

/// One thread: its lanes, and every client it is given.
async fn serve(
    mut clients: UnboundedReceiver<Client>,
    lanes: usize,
    process: Arc<Process>,
    ways: Ways,
    keeper: Option<Arc<Keeper>>,
) {
    let queue = Arc::new(LaneQueue::default());
    for _ in 0..lanes {
        tokio::spawn(keep_lane(process.clone(), queue.clone()));
    }
    let engine = Engine::new(process.clone(), queue);
    let executor = match process.upstream.clone().zip(keeper) {
        None => layer::around(engine, &process),
        Some((upstream, keeper)) => {
            let noting = Noting::on(engine, process.clone(), keeper);
            layer::around(Passing::on(noting, process.clone(), upstream), &process)
        }
    };
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            client = clients.recv() => match client {
                Some(client) => {
                    let (executor, ways) = (executor.clone(), ways.clone());
                    sessions.spawn(async move {
                        if let Some(client) = attend(client, &*executor).await {
                            pass_on(client, &ways);
                        }
                    });
                }
                None => break,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    while sessions.join_next().await.is_some() {}
}

/// Serves a client, until it goes or has to be served by another thread.
async fn attend(client: Client, executor: &dyn Executor) -> Option<Client> {
    let Client { connection, registered } = client;
    let (socket, connection) = connection.exchange(());
    let moved = match socket {
        Socket::Tcp(stream) => {
            let (_, connection) = connection.exchange(TcpStream::from_std(stream).ok()?);
            let moved = connection.serve(executor).await.map(|connection| connection.exchange(()));
            moved.map(|(stream, connection)| (stream.into_std().map(Socket::Tcp), connection))
        }
        Socket::Unix(stream) => {
            let (_, connection) = connection.exchange(UnixStream::from_std(stream).ok()?);
            let moved = connection.serve(executor).await.map(|connection| connection.exchange(()));
            moved.map(|(stream, connection)| (stream.into_std().map(Socket::Unix), connection))
        }
    };
    if let Some((Ok(socket), connection)) = moved {
        return Some(Client { connection: connection.exchange(socket).1, registered });
    }
    // What it had subscribed to is forgotten everywhere before the client is.
    let Registered { process, client } = &registered;
    let mut shutdown = process.shutdown.subscribe();
    tokio::select! {
        () = process.unsubscribe_all(client) => {}
        _ = shutdown.wait_for(|asked| *asked) => {}
    }
    None
}

/// Gives a client to the thread of its seat. At shutdown there is none, and the client is closed.
fn pass_on(client: Client, ways: &Ways) {
    let way = ways.get().and_then(|ways| ways[client.connection.seat.thread()].upgrade());
    if let Some(way) = way {
        let _ = way.send(client);
    }
}

/// A client's place in the registry, given up however the connection ends.
struct Registered {
    process: Arc<Process>,
    client: Arc<ClientHandle>,
}

impl Registered {
    fn new(process: &Arc<Process>, client: ClientHandle) -> Registered {
        let client = Arc::new(client);
        process.clients.add(client.clone());
        Registered { process: process.clone(), client }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Nobody waits any more; if it was not cut off in the middle of something, nothing is left to be done.
        drop(self.process.unsubscribe_all(&self.client));
        self.process.clients.remove(self.client.id);
    }
}
