//! One client's socket: reads requests, has them executed, writes the replies in order. Hot path.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::placement::{Pace, Seat};
use crate::command::{Flags, Incoming};
use crate::exec::Executor;
use crate::resp::{Decoder, Limits, Reply, encode};
use crate::session::Session;
use crate::state::{Process, Stats};

/// Room asked for before a read: what an idle connection holds, and the most that a busy one grows to.
const LEAST_READ: usize = 512;
const MOST_READ: usize = 64 * 1024;
/// Most requests executed together; what is left waits in the buffer, so that the replies of a long pipeline stay bounded.
const MOST_REQUESTS: usize = 256;
/// Most bytes of arguments executed together, for the same reason.
const MOST_BYTES: usize = 1024 * 1024;
/// Most bytes of an unfinished request and of what is queued for EXEC (Redis: client-query-buffer-limit).
const QUERY_BUFFER_LIMIT: usize = 1 << 30;
/// Replies are written when so many bytes of them are encoded, even if more are ready: values that several replies share are then not
/// copied for each at the same time.
const MOST_OUTPUT: usize = 1024 * 1024;
/// An output buffer that has grown beyond this is given back after the flush.
const KEPT_OUTPUT: usize = 16 * 1024;

/// A client's connection.
pub struct Connection<S> {
    socket: S,
    session: Session,
    process: Arc<Process>,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    /// Decoded already, but to be executed by itself.
    next: Option<Incoming>,
    read_size: usize,
    pace: Pace,
    pub seat: Seat,
}

/// Requests to be executed together, and the protocol error that followed them.
#[derive(Default)]
struct Decoded {
    requests: Vec<Incoming>,
    error: Option<Reply>,
    /// Whether the buffer may hold further complete requests.
    more: bool,
}

/// What happened while a command was blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meanwhile {
    Nothing,
    /// There are more bytes of the client.
    Arrived,
}

/// What ended a wait for the client.
enum Event {
    Input,
    Woken,
    /// The client's place is on another thread now.
    Moved,
    /// End of file, an error, idle too long, shutdown.
    End,
}

impl<S> Connection<S> {
    pub fn new(socket: S, session: Session, seat: Seat, process: Arc<Process>) -> Connection<S> {
        Connection {
            socket,
            session,
            process,
            decoder: Decoder::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            next: None,
            read_size: LEAST_READ,
            pace: Pace::default(),
            seat,
        }
    }

    /// The same connection on another socket, and the one that it was on.
    pub fn exchange<T>(self, socket: T) -> (S, Connection<T>) {
        let Connection {
            socket: before,
            session,
            process,
            decoder,
            input,
            output,
            next,
            read_size,
            pace,
            seat,
        } = self;
        (before, Connection { socket, session, process, decoder, input, output, next, read_size, pace, seat })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves the client until it goes; or until it has to be served by another thread, which is the one of its seat.
    pub async fn serve(mut self, executor: &dyn Executor) -> Option<Connection<S>> {
        loop {
            match self.turn(executor).await {
                Event::Input | Event::Woken => {}
                Event::Moved => return Some(self),
                Event::End => {
                    let _ = self.socket.shutdown().await;
                    return None;
                }
            }
        }
    }

    /// Executes what has arrived, writes the replies and waits for more.
    async fn turn(&mut self, executor: &dyn Executor) -> Event {
        loop {
            let Decoded { requests, error, more } = self.decode();
            let Ok(meanwhile) = self.execute(executor, &requests).await else { return Event::End };
            if let Some(error) = error {
                encode(&error, self.session.protocol, &mut self.output);
                self.session.close = true;
            }
            let over = self.session.close || self.session.client.outbox.is_finished();
            if self.flush().await.is_err() || over || self.session.client.is_killed() {
                return Event::End;
            }
            if self.pace.turn(requests.len()) && self.seat.pipelines() {
                return Event::Moved;
            }
            if !more && meanwhile != Meanwhile::Arrived {
                return self.wait().await;
            }
        }
    }

    /// Executes requests and encodes their replies. Those behind a blocking command are executed when it is over.
    async fn execute(&mut self, executor: &dyn Executor, mut requests: &[Incoming]) -> io::Result<Meanwhile> {
        let mut meanwhile = Meanwhile::Nothing;
        while !requests.is_empty() {
            let mut replies = Vec::with_capacity(requests.len());
            executor.execute(&mut self.session, requests, &mut replies).await;
            requests = &requests[replies.len()..];
            for reply in replies {
                self.answer(reply).await?;
            }
            if self.session.blocked.is_none() {
                // All done, or cut off.
                break;
            }
            self.flush().await?;
            let (reply, arrived) = self.unblocked(executor).await?;
            meanwhile = meanwhile.max(arrived);
            requests = &requests[1..];
            self.answer(reply).await?;
        }
        Ok(meanwhile)
    }

    async fn answer(&mut self, reply: Reply) -> io::Result<()> {
        encode(&reply, self.session.protocol, &mut self.output);
        drop(reply);
        if self.output.len() >= MOST_OUTPUT { self.flush().await } else { Ok(()) }
    }

    /// Waits until the blocked command has its reply. What the client sends meanwhile is kept for later; when it goes nothing more is
    /// taken for it.
    async fn unblocked(&mut self, executor: &dyn Executor) -> io::Result<(Reply, Meanwhile)> {
        let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
        let mut meanwhile = Meanwhile::Nothing;
        let mut shutdown = self.process.shutdown.subscribe();
        let client = self.session.client.clone();
        while let Some(blocked) = &self.session.blocked {
            if *shutdown.borrow() || client.is_killed() || self.holds_too_much() {
                return Err(gone());
            }
            self.input.reserve(LEAST_READ);
            let wake = tokio::select! {
                biased;
                read = self.socket.read_buf(&mut self.input) => {
                    let bytes = read?;
                    if bytes == 0 {
                        return Err(gone());
                    }
                    Stats::add(&self.process.stats.input_bytes, bytes as u64);
                    meanwhile = Meanwhile::Arrived;
                    continue;
                }
                pushed = client.outbox.recv() => {
                    for reply in &pushed {
                        encode(reply, self.session.protocol, &mut self.output);
                    }
                    self.flush().await?;
                    continue;
                }
                () = client.wake.notified() => match blocked.unblocked() {
                    Some(wake) => wake,
                    None => continue,
                },
                _ = shutdown.changed() => return Err(gone()),
                wake = blocked.wake() => wake,
            };
            if let Some(reply) = executor.resume(&mut self.session, wake).await {
                return Ok((reply, meanwhile));
            }
            // It may have been asked for during an attempt.
            if let Some(wake) = self.session.blocked.as_ref().and_then(|blocked| blocked.unblocked())
                && let Some(reply) = executor.resume(&mut self.session, wake).await
            {
                return Ok((reply, meanwhile));
            }
        }
        Err(gone())
    }

    /// Whether the client has sent more than may wait.
    fn holds_too_much(&self) -> bool {
        let queued = self.session.multi.as_ref().map_or(0, |multi| multi.bytes);
        self.decoder.held_bytes() + self.input.len() + queued > QUERY_BUFFER_LIMIT
    }

    /// Takes complete requests off the input buffer.
    fn decode(&mut self) -> Decoded {
        let mut decoded = Decoded { requests: self.next.take().into_iter().collect(), ..Decoded::default() };
        let mut bytes = 0;
        loop {
            let authenticated = self.session.authenticated;
            // What comes after AUTH is judged by its outcome, what comes after HELLO is answered in its protocol.
            let alone = |incoming: &Incoming| !authenticated || incoming.has(Flags::SETS_PROTOCOL);
            if decoded.requests.last().is_some_and(alone)
                || decoded.requests.len() >= MOST_REQUESTS
                || bytes >= MOST_BYTES
            {
                decoded.more = true;
                return decoded;
            }
            let limits = Limits { max_bulk_len: self.process.settings.max_string(), authenticated };
            match self.decoder.next(&mut self.input, limits) {
                Ok(Some(argv)) => {
                    bytes += argv.iter().map(Bytes::len).sum::<usize>();
                    let incoming = Incoming::new(argv);
                    if incoming.has(Flags::SETS_PROTOCOL) && !decoded.requests.is_empty() {
                        self.next = Some(incoming);
                        decoded.more = true;
                        return decoded;
                    }
                    decoded.requests.push(incoming);
                }
                Ok(None) => return decoded,
                Err(error) => {
                    decoded.error = Some(error.reply());
                    return decoded;
                }
            }
        }
    }

    /// Writes the output buffer. Gives up when the client is killed meanwhile.
    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        Stats::add(&self.process.stats.output_bytes, self.output.len() as u64);
        let client = self.session.client.clone();
        let mut shutdown = self.process.shutdown.subscribe();
        let written = self.socket.write_all(&self.output);
        tokio::pin!(written);
        loop {
            tokio::select! {
                biased;
                outcome = &mut written => {
                    outcome?;
                    break;
                }
                () = client.wake.notified() => {
                    if client.is_killed() {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
                _ = shutdown.changed() => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        self.output.clear();
        Ok(())
    }

    /// Waits for the client's next bytes or for somebody who wakes the connection.
    async fn wait(&mut self) -> Event {
        if self.holds_too_much() {
            return Event::End;
        }
        if self.output.capacity() > KEPT_OUTPUT {
            self.output = BytesMut::new();
        }
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.input.reserve(self.read_size);
        let mut shutdown = self.process.shutdown.subscribe();
        if *shutdown.borrow() {
            return Event::End;
        }
        let client = &self.session.client;
        let timeout = self.process.settings.timeout.load(Relaxed);
        let idle = async {
            match timeout {
                0 => std::future::pending().await,
                seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
            }
        };
        tokio::select! {
            biased;
            read = self.socket.read_buf(&mut self.input) => match read {
                Ok(bytes) if bytes > 0 => {
                    self.read_size = match bytes {
                        n if n >= self.read_size => (self.read_size * 4).min(MOST_READ),
                        n if n < self.read_size / 8 => (self.read_size / 2).max(LEAST_READ),
                        _ => self.read_size,
                    };
                    Stats::add(&self.process.stats.input_bytes, bytes as u64);
                    client.last_active_ms.store(client.connected.elapsed().as_millis() as u64, Relaxed);
                    Event::Input
                }
                _ => Event::End,
            },
            pushed = client.outbox.recv() => {
                for reply in &pushed {
                    encode(reply, self.session.protocol, &mut self.output);
                }
                Event::Woken
            }
            () = client.wake.notified() => if client.is_killed() { Event::End } else { Event::Woken },
            _ = shutdown.changed() => Event::End,
            () = idle => Event::End,
        }
    }
}
