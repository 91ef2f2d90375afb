//! A unix socket to Postgres that wakes its thread only when there is something to read. Hot path.
//!
//! Tokio's own also asks the kernel to say when there is room for writing. A unix socket says so each time the other side has read something, so a thread that
//! has sent a statement and gone to sleep was woken for nothing while Postgres began to work on it: 20 us of a processor, and Postgres pays for the waking.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// More than the kernel gives at once. All of the room is made zero before each read: with that of a large value, reading would take quadratic time.
const AT_ONCE: usize = 256 << 10;

pub struct LocalSocket {
    socket: AsyncFd<UnixStream>,
    /// While there is no room for writing.
    full: Option<AsyncFd<UnixStream>>,
}

impl LocalSocket {
    pub async fn connect(path: &Path) -> io::Result<LocalSocket> {
        let socket = tokio::net::UnixStream::connect(path).await?.into_std()?;
        Ok(LocalSocket { socket: registered(socket, Interest::READABLE)?, full: None })
    }
}

/// Its successor is unsafe, for types that change their descriptor; a socket of ours does not.
#[expect(deprecated, reason = "without unsafe code there is no other way")]
fn registered(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for LocalSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready_mut(context))?;
            let asked = buffer.remaining().min(AT_ONCE);
            let room = buffer.initialize_unfilled_to(asked);
            match ready.try_io(|socket| socket.get_mut().read(room)) {
                Ok(Ok(bytes)) => {
                    if bytes > 0 && bytes < asked {
                        // There was no more: the next read need not find that out.
                        ready.clear_ready();
                    }
                    buffer.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for LocalSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.get_mut().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => {
                    self.full = None;
                    return Poll::Ready(outcome);
                }
            }
            let full = match &self.full {
                Some(full) => full,
                None => {
                    let socket = self.socket.get_ref().try_clone()?;
                    self.full.insert(registered(socket, Interest::WRITABLE)?)
                }
            };
            ready!(full.poll_write_ready(context))?.clear_ready();
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Both directions, with more than the socket's buffers hold.
    #[tokio::test]
    async fn whole_and_in_order_however_slow_the_other_side() {
        let path = std::env::temp_dir().join(format!("respg-local-{}", std::process::id()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let mut socket = LocalSocket::connect(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        let echo = tokio::spawn(async move {
            let mut seen = vec![0; 3_000_000];
            for part in seen.chunks_mut(100_000) {
                tokio::task::yield_now().await;
                other.read_exact(part).await.unwrap();
            }
            other.write_all(&seen).await.unwrap();
        });
        socket.write_all(&sent).await.unwrap();
        let mut seen = Vec::new();
        socket.read_to_end(&mut seen).await.unwrap();
        assert!(seen == sent);
        echo.await.unwrap();
        assert!(socket.write_all(&sent).await.is_err());
    }

    #[tokio::test]
    async fn room_that_is_not_read_into_is_not_touched() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut socket = LocalSocket { socket: registered(near, Interest::READABLE).unwrap(), full: None };
        far.write_all(b"a part").unwrap();
        let mut room = Vec::with_capacity(8 * AT_ONCE);
        let mut buffer = ReadBuf::uninit(room.spare_capacity_mut());
        std::future::poll_fn(|context| Pin::new(&mut socket).poll_read(context, &mut buffer)).await.unwrap();
        assert_eq!(buffer.filled(), b"a part");
        assert!(buffer.initialized().len() <= AT_ONCE);
    }
}
