//! A connection of one's own to the upstream.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::UpstreamError;
use super::reply::{Raw, ReplyDecoder};
use super::socket::{self, Socket};
use super::url::Url;
use crate::resp::{IntegerText, Reply};

const READ: usize = 16 * 1024;
/// Longest time until a new connection can be used: a server may accept it and not answer. Shorter than what a change of the mode waits for.
const PATIENCE: Duration = Duration::from_secs(3);

/// An open connection: authenticated, in the URL's database, RESP2 until it is told otherwise.
pub struct Connection {
    socket: Box<dyn Socket>,
    decoder: ReplyDecoder,
    input: BytesMut,
    output: BytesMut,
}

impl Connection {
    /// Connects and introduces itself as the URL says.
    pub async fn open(url: &Url) -> Result<Connection, UpstreamError> {
        let unreachable =
            |reason: String| UpstreamError::Unreachable { place: url.place.to_string(), reason };
        let socket = socket::connect(&url.place).await.map_err(|error| unreachable(error.to_string()))?;
        let mut connection = Connection {
            socket,
            decoder: ReplyDecoder::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
        };
        let mut calls = Vec::new();
        if let Some(password) = &url.password {
            let words = [Some("AUTH"), url.user.as_deref(), Some(password)];
            calls.push(
                words.into_iter().flatten().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect(),
            );
        }
        // Also when it is 0: a server that is loading or wants a password says so here.
        calls.push(vec![Bytes::from_static(b"SELECT"), Bytes::from(url.db.to_string())]);
        let replies = connection.call(&calls).await.map_err(|error| unreachable(error.to_string()))?;
        match replies.into_iter().find(Reply::is_error) {
            Some(Reply::Error(text)) => {
                Err(UpstreamError::Refused { place: url.place.to_string(), reason: text.to_string() })
            }
            _ => Ok(connection),
        }
    }

    /// Sends the calls at once and waits for their replies; pushes in between are left out. After an error, and if the future is dropped, the
    /// connection must not be used any more.
    pub async fn call(&mut self, calls: &[Vec<Bytes>]) -> Result<Vec<Reply>, UpstreamError> {
        for argv in calls {
            self.put(argv);
        }
        self.flush().await?;
        let mut replies = Vec::with_capacity(calls.len());
        while replies.len() < calls.len() {
            let raw = self.receive().await?;
            if !raw.is_push() {
                replies.push(raw.parse()?);
            }
        }
        Ok(replies)
    }

    /// What it is made of, with what has been read and not taken yet.
    pub(super) fn into_parts(self) -> (Box<dyn Socket>, ReplyDecoder, BytesMut) {
        (self.socket, self.decoder, self.input)
    }

    /// Appends a call to what is sent by the next [`Connection::flush`].
    pub fn put(&mut self, argv: &[Bytes]) {
        write_call(argv, &mut self.output);
    }

    pub async fn flush(&mut self) -> Result<(), UpstreamError> {
        self.socket.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    /// The next reply or push. Nothing is lost if the future is dropped.
    pub async fn receive(&mut self) -> Result<Raw, UpstreamError> {
        loop {
            if let Some(raw) = self.decoder.next(&mut self.input)? {
                return Ok(raw);
            }
            self.input.reserve(READ);
            if self.socket.read_buf(&mut self.input).await? == 0 {
                return Err(UpstreamError::Lost("closed by the upstream".to_owned()));
            }
        }
    }
}

/// What is done to get a connection, unless it takes too long.
pub async fn in_time<T>(
    url: &Url,
    opening: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    tokio::time::timeout(PATIENCE, opening).await.unwrap_or_else(|_| {
        let (place, reason) = (url.place.to_string(), "no answer in time".to_owned());
        Err(UpstreamError::Unreachable { place, reason })
    })
}

/// A call of these words.
pub fn words<const N: usize>(words: [&str; N]) -> Vec<Bytes> {
    words.map(|word| Bytes::copy_from_slice(word.as_bytes())).into()
}

/// The wire form of a call.
pub fn write_call(argv: &[Bytes], out: &mut BytesMut) {
    length(b'*', argv.len(), out);
    for arg in argv {
        out.reserve(arg.len() + 16);
        length(b'$', arg.len(), out);
        out.put_slice(arg);
        out.put_slice(b"\r\n");
    }
}

fn length(kind: u8, length: usize, out: &mut BytesMut) {
    out.put_u8(kind);
    match length {
        0..10 => out.put_u8(b'0' + length as u8),
        _ => out.put_slice(&IntegerText::new(length as i64)),
    }
    out.put_slice(b"\r\n");
}
