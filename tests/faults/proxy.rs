//! A proxy in front of Postgres that understands just enough of its protocol to be cruel at the right moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const SSL_REQUEST: i32 = 80_877_103;

pub struct Proxy {
    pub address: SocketAddr,
    pub orders: Arc<Orders>,
    _accepting: JoinSet<()>,
}

/// What is to be done to the connections, at any time.
#[derive(Default)]
pub struct Orders {
    /// So many commits of writes will lose their answer, and then their connection.
    pub cuts: AtomicUsize,
    pub cuts_done: AtomicUsize,
    /// Each message waits up to so many microseconds, in both directions.
    pub delay: AtomicU64,
    /// Nothing gets through, and nobody is told.
    pub silent: AtomicBool,
    /// Connections are closed as soon as something is sent on them.
    pub refuse: AtomicBool,
    random: AtomicU64,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let orders = Arc::new(Orders::default());
        let mut accepting = JoinSet::new();
        let shared = orders.clone();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let orders = shared.clone();
                connections.spawn(async move {
                    // The end of a connection is reported by ending the other half.
                    let _ = orders.serve(client, upstream).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Proxy { address, orders, _accepting: accepting })
    }
}

impl Orders {
    async fn serve(&self, mut client: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let first = loop {
            let first = read_startup(&mut client).await?;
            if first[4..8] != SSL_REQUEST.to_be_bytes() {
                break first;
            }
            client.write_all(b"N").await?;
        };
        self.gate().await?;
        let mut server = TcpStream::connect(upstream).await?;
        server.set_nodelay(true)?;
        server.write_all(&first).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let notifies = AtomicBool::new(false);
        tokio::select! {
            result = async {
                loop {
                    let message = read_message(&mut from_client).await?;
                    if message[0] == b'P' && message.windows(9).any(|part| part == b"pg_notify") {
                        notifies.store(true, Ordering::Relaxed);
                    }
                    self.gate().await?;
                    to_server.write_all(&message).await?;
                }
            } => result,
            result = async {
                loop {
                    let answer = read_answer(&mut from_server, self.armed(), &notifies).await?;
                    self.gate().await?;
                    if answer.commits_a_write && take(&self.cuts) {
                        self.cuts_done.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                    to_client.write_all(&answer.bytes).await?;
                }
            } => result,
        }
    }

    fn armed(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) > 0
    }

    /// Where every message waits for what is to become of it.
    async fn gate(&self) -> std::io::Result<()> {
        let longest = self.delay.load(Ordering::Relaxed);
        if longest > 0 {
            let random = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let random = (random ^ (random >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33;
            tokio::time::sleep(Duration::from_micros(random % longest)).await;
        }
        while self.silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match self.refuse.load(Ordering::Relaxed) {
            true => Err(std::io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// What Postgres sent: one message, or (when it matters) all messages up to ReadyForQuery.
struct Answer {
    bytes: Vec<u8>,
    commits_a_write: bool,
}

/// A SELECT writes, on a connection that `notifies`.
async fn read_answer(
    stream: &mut (impl AsyncRead + Unpin),
    whole: bool,
    notifies: &AtomicBool,
) -> std::io::Result<Answer> {
    let mut answer = Answer { bytes: Vec::new(), commits_a_write: false };
    let mut wrote = false;
    loop {
        let message = read_message(stream).await?;
        let kind = message[0];
        if kind == b'C' {
            let selected = message[5..].starts_with(b"SELECT") && notifies.load(Ordering::Relaxed);
            wrote |= selected || is_write(&message[5..]);
        }
        answer.commits_a_write = wrote && kind == b'Z' && message[5] == b'I';
        answer.bytes.extend_from_slice(&message);
        // Notifications and notices belong to no answer.
        if !whole || matches!(kind, b'Z' | b'A' | b'N' | b'S' | b'R' | b'K' | b'E') {
            return Ok(answer);
        }
    }
}

/// Whether a command tag is of a COMMIT, or of a statement that wrote rows.
fn is_write(tag: &[u8]) -> bool {
    let tag = String::from_utf8_lossy(tag);
    let mut words = tag.trim_end_matches('\0').split(' ');
    let rows = || tag.trim_end_matches('\0').rsplit(' ').next() != Some("0");
    match words.next() {
        Some("COMMIT") => true,
        Some("INSERT" | "UPDATE" | "DELETE" | "MERGE") => rows(),
        _ => false,
    }
}

/// A message without a type byte: the first of a connection.
async fn read_startup(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize((length as usize).clamp(8, 10_000), 0);
    stream.read_exact(&mut message[4..]).await?;
    Ok(message)
}

async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
    message.resize(1 + length.max(4), 0);
    stream.read_exact(&mut message[5..]).await?;
    Ok(message)
}
