//! A RESP2 client that never waits for ever: every reply arrives within a bound or is reported as a hang.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The bound of G6 and G7: a request is answered, or its connection closed, within this time.
pub const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    Status(String),
    Error(String),
    Int(i64),
    Bulk(Option<String>),
    Array(Option<Vec<Reply>>),
}

impl Reply {
    pub fn ok() -> Self {
        Reply::Status("OK".into())
    }

    pub fn bulk(text: impl Into<String>) -> Self {
        Reply::Bulk(Some(text.into()))
    }

    pub fn nil() -> Self {
        Reply::Bulk(None)
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Reply::Int(number) => Some(*number),
            Reply::Bulk(Some(text)) => text.parse().ok(),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub enum Failure {
    /// The connection was refused, reset or closed: what was sent may or may not take effect.
    Broken(String),
    /// Nothing came within [`PATIENCE`].
    Hung,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Broken(why) => write!(f, "the connection broke: {why}"),
            Failure::Hung => write!(f, "no answer within {PATIENCE:?}"),
        }
    }
}

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.map_err(|_| Failure::Hung)?;
        let stream = stream.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends all the commands in one write.
    pub async fn send<W: AsRef<str>>(&mut self, commands: &[Vec<W>]) -> Result<(), Failure> {
        let mut wire = Vec::new();
        for words in commands {
            wire.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                let word = word.as_ref();
                wire.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        match timeout(PATIENCE, self.stream.get_mut().write_all(&wire)).await {
            Ok(result) => result.map_err(broken),
            Err(_) => Err(Failure::Hung),
        }
    }

    pub async fn receive(&mut self) -> Result<Reply, Failure> {
        self.receive_within(PATIENCE).await
    }

    pub async fn receive_within(&mut self, patience: Duration) -> Result<Reply, Failure> {
        timeout(patience, self.read_reply()).await.map_err(|_| Failure::Hung)?.map_err(broken)
    }

    pub async fn call(&mut self, text: &str) -> Result<Reply, Failure> {
        self.send(&[text.split_whitespace().collect()]).await?;
        self.receive().await
    }

    async fn read_reply(&mut self) -> std::io::Result<Reply> {
        let line = self.read_line().await?;
        let (kind, rest) = line.split_at(1);
        Ok(match kind {
            "+" => Reply::Status(rest.into()),
            "-" => Reply::Error(rest.into()),
            ":" => Reply::Int(number(rest)?),
            "$" => match number(rest)? {
                -1 => Reply::Bulk(None),
                length => Reply::Bulk(Some(self.read_bulk(length as usize).await?)),
            },
            "*" => match number(rest)? {
                -1 => Reply::Array(None),
                length => {
                    let mut items = Vec::new();
                    for _ in 0..length {
                        items.push(Box::pin(self.read_reply()).await?);
                    }
                    Reply::Array(Some(items))
                }
            },
            _ => return Err(std::io::Error::other(format!("not a RESP2 reply: {line:?}"))),
        })
    }

    async fn read_line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        match line.strip_suffix("\r\n") {
            Some(text) if !text.is_empty() => Ok(text.into()),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn read_bulk(&mut self, length: usize) -> std::io::Result<String> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(std::io::Error::other)
    }
}

fn number(text: &str) -> std::io::Result<i64> {
    text.parse().map_err(std::io::Error::other)
}

fn broken(error: std::io::Error) -> Failure {
    Failure::Broken(error.to_string())
}
