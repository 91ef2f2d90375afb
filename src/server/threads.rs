//! The threads that serve clients. Each has a runtime of its own with its own lanes, so a client's whole path stays on one thread.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::connection::Connection;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::layer;
use crate::session::Session;
use crate::shadow::Passing;
use crate::state::{ClientHandle, ClientIds, Process};

/// An accepted client.
pub enum Socket {
    Tcp(StdTcpStream),
    Unix(StdUnixStream),
}

/// A client on its way to its thread, in the registry already: it counts for `maxclients` from its acceptance on.
struct Client {
    socket: Socket,
    registered: Registered,
}

/// All serving threads.
pub struct Threads {
    senders: Vec<UnboundedSender<Client>>,
    next: AtomicUsize,
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
    ) -> io::Result<(Threads, Vec<JoinHandle<()>>)> {
        let mut senders = Vec::new();
        let mut handles = Vec::new();
        for number in 0..count {
            let (sender, receiver) = unbounded_channel();
            senders.push(sender);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let process = process.clone();
            let thread = std::thread::Builder::new().name(format!("respg-{number}"));
            let tasks = async move {
                // The pipe to an upstream has clients of all threads; where most of them are it wakes nobody across threads.
                if let Some(upstream) = process.upstream.clone().filter(|_| number == 0) {
                    tokio::spawn(async move { upstream.pipe.run().await });
                }
                serve(receiver, lanes, process).await;
            };
            handles.push(thread.spawn(move || runtime.block_on(tasks))?);
        }
        Ok((Threads { senders, next: AtomicUsize::new(0), process: process.clone(), ids }, handles))
    }

    /// Gives a client, with its address and ours, to the next thread.
    pub fn serve(&self, socket: Socket, addr: String, laddr: String) {
        let client = ClientHandle::new(self.ids.next(), addr, laddr);
        let client = Client { socket, registered: Registered::new(&self.process, client) };
        let next = self.next.fetch_add(1, Relaxed) % self.senders.len();
        // The thread ends only at shutdown; then the client is simply closed.
        let _ = self.senders[next].send(client);
    }
}

/// One thread: its lanes, and every client it is given.
async fn serve(mut clients: UnboundedReceiver<Client>, lanes: usize, process: Arc<Process>) {
    let queue = Arc::new(LaneQueue::default());
    for _ in 0..lanes {
        tokio::spawn(keep_lane(process.clone(), queue.clone()));
    }
    let engine = Engine::new(process.clone(), queue);
    let executor = match process.upstream.clone() {
        None => layer::around(engine, &process),
        Some(upstream) => layer::around(Passing::on(engine, process.clone(), upstream), &process),
    };
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            client = clients.recv() => match client {
                Some(client) => welcome(client, &mut sessions, &executor),
                None => break,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    while sessions.join_next().await.is_some() {}
}

fn welcome(client: Client, sessions: &mut JoinSet<()>, executor: &Arc<dyn Executor>) {
    let Client { socket, registered } = client;
    match socket {
        Socket::Tcp(stream) => {
            if let Ok(stream) = TcpStream::from_std(stream) {
                sessions.spawn(attend(stream, registered, executor.clone()));
            }
        }
        Socket::Unix(stream) => {
            if let Ok(stream) = UnixStream::from_std(stream) {
                sessions.spawn(attend(stream, registered, executor.clone()));
            }
        }
    }
}

async fn attend<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    registered: Registered,
    executor: Arc<dyn Executor>,
) {
    let Registered { process, client } = &registered;
    let session = Session::new(client.clone(), process.settings.password().is_empty());
    Connection::new(socket, session, process.clone(), executor).serve().await;
    // What it had subscribed to is forgotten everywhere before the client is.
    let mut shutdown = process.shutdown.subscribe();
    tokio::select! {
        () = process.unsubscribe_all(client) => {}
        _ = shutdown.wait_for(|asked| *asked) => {}
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
