//! Accepts clients, over TCP and a unix socket, and hands them to the threads that serve them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::threads::{self, Threads};
use crate::state::{Process, Stats};

/// Redis's tcp-backlog.
const BACKLOG: i32 = 511;

/// Binds a TCP socket; blocking work, done before the server starts.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds a unix socket, in place of one that a dead process has left.
pub fn bind_unix(path: &Path, permissions: Option<u32>) -> io::Result<std::os::unix::net::UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    if let Some(mode) = permissions {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts TCP clients for ever.
pub async fn accept(
    listener: std::net::TcpListener,
    process: Arc<Process>,
    threads: Arc<Threads>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => welcome(stream, peer, &process, &threads),
            Err(error) => wait_after(&error).await,
        }
    }
}

/// Accepts clients of a unix socket for ever.
pub async fn accept_unix(
    listener: std::os::unix::net::UnixListener,
    path: String,
    process: Arc<Process>,
    threads: Arc<Threads>,
) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                Stats::add(&process.stats.connections_received, 1);
                match is_full(&process) {
                    true => refuse(stream, FULL, &process),
                    false => hand_over_unix(stream, &path, &threads),
                }
            }
            Err(error) => wait_after(&error).await,
        }
    }
}

/// Out of descriptors, or the peer was gone at once: neither ends the server.
async fn wait_after(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a client");
    tokio::time::sleep(Duration::from_millis(10)).await;
}

const FULL: &[u8] = b"-ERR max number of clients reached\r\n";

/// Redis's text, with respg's names of the remedies.
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. \
In this mode connections are only accepted from the loopback interface. \
If you want to connect from external computers to Redis you may adopt one of the following solutions: \
1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, \
however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. \
2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. \
3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. \
4) Set up an authentication password for the default user. \
NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";

fn is_full(process: &Process) -> bool {
    process.clients.len() as u64 >= process.settings.maxclients.load(Relaxed)
}

fn welcome(stream: TcpStream, peer: SocketAddr, process: &Arc<Process>, threads: &Threads) {
    Stats::add(&process.stats.connections_received, 1);
    if is_full(process) {
        return refuse(stream, FULL, process);
    }
    let settings = &process.settings;
    if settings.protected_mode.load(Relaxed) && settings.password().is_empty() && !is_loopback(peer.ip()) {
        return refuse(stream, PROTECTED, process);
    }
    if let Err(error) = hand_over(stream, peer, process, threads) {
        tracing::debug!(%error, "client gone before it was served");
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn hand_over(stream: TcpStream, peer: SocketAddr, process: &Process, threads: &Threads) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = process.settings.tcp_keepalive.load(Relaxed);
    if keepalive > 0 {
        let interval = Duration::from_secs(keepalive);
        let probes =
            TcpKeepalive::new().with_time(interval).with_interval((interval / 3).max(Duration::from_secs(1)));
        SockRef::from(&stream).set_tcp_keepalive(&probes.with_retries(3))?;
    }
    let local = stream.local_addr()?;
    threads.serve(threads::Socket::Tcp(stream.into_std()?), peer.to_string(), local.to_string());
    Ok(())
}

fn hand_over_unix(stream: UnixStream, path: &str, threads: &Threads) {
    if let Ok(stream) = stream.into_std() {
        let address = format!("{path}:0");
        threads.serve(threads::Socket::Unix(stream), address.clone(), address);
    }
}

/// Writes a last line to a client that is not let in. Its input is read for a moment, so that the line is not lost to a reset.
fn refuse<S>(mut stream: S, line: &'static [u8], process: &Process)
where
    S: AsyncReadExt + AsyncWriteExt + Unpin + Send + 'static,
{
    Stats::add(&process.stats.connections_rejected, 1);
    tokio::spawn(async move {
        let farewell = async {
            let _ = stream.write_all(line).await;
            let _ = stream.shutdown().await;
            let mut sink = [0; 1024];
            while matches!(stream.read(&mut sink).await, Ok(n) if n > 0) {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
    });
}
