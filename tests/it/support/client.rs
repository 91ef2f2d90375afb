//! A Redis client that blocks, and the values it receives. Replies are decoded by redis-protocol, not by our own code.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::decode::decode_bytes_mut as decode_resp2;
use redis_protocol::resp2::types::BytesFrame as Resp2;
use redis_protocol::resp3::decode::complete::decode_bytes_mut as decode_resp3;
use redis_protocol::resp3::types::BytesFrame as Resp3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Resp2,
    Resp3,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    unread: BytesMut,
    protocol: Protocol,
    /// The logical database, as far as [`Client::select`] knows.
    pub db: u32,
    /// Whether [`Client::cmd`] wraps what it sends in MULTI and EXEC.
    pub in_multi: bool,
}

impl Client {
    pub fn connect(address: SocketAddr, protocol: Protocol) -> Client {
        Client::try_connect(address, protocol).expect("the server listens")
    }

    pub fn try_connect(address: SocketAddr, protocol: Protocol) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        // HELLO is answered in the protocol it asks for.
        let mut client = Client { stream, unread: BytesMut::new(), protocol, db: 0, in_multi: false };
        if protocol == Protocol::Resp3 {
            assert!(!client.try_calls(["HELLO 3"])?[0].is_error());
        }
        Ok(client)
    }

    /// Another connection that does everything in the same way.
    pub fn sibling(&self) -> Client {
        let address = self.stream.peer_addr().expect("a connected socket");
        let mut client = Client::connect(address, self.protocol);
        client.select(self.db);
        client.in_multi = self.in_multi;
        client
    }

    /// How long [`Client::read`] waits, if 20 seconds are too few.
    pub fn wait_up_to(&mut self, seconds: u64) {
        self.stream.set_read_timeout(Some(Duration::from_secs(seconds))).expect("a socket");
    }

    pub fn select(&mut self, db: u32) {
        assert_eq!(self.plain(["SELECT", &db.to_string()]), ok());
        self.db = db;
    }

    /// Sends a call and waits for its reply, through MULTI and EXEC if the test runs so.
    pub fn cmd(&mut self, call: impl Words) -> Value {
        if !self.in_multi {
            return self.plain(call);
        }
        let call = call.words();
        self.send([["MULTI"].words(), call, ["EXEC"].words()]);
        assert_eq!(self.read(), ok());
        let queued = self.read();
        match (queued, self.read()) {
            (Value::Status(queued), Value::Array(mut replies)) if queued == "QUEUED" => {
                assert_eq!(replies.len(), 1);
                replies.remove(0)
            }
            (refused @ Value::Error(_), Value::Error(abort)) if abort.starts_with("EXECABORT") => refused,
            other => panic!("not what a transaction answers: {other:?}"),
        }
    }

    /// Whether the server ends the connection, without another word.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.stream.read(&mut [0; 64]), Ok(0) | Err(_))
    }

    /// Sends a call and waits for its reply, never through MULTI.
    pub fn plain(&mut self, call: impl Words) -> Value {
        self.send([call]);
        self.read()
    }

    /// Sends calls in one write, without waiting.
    pub fn send(&mut self, calls: impl IntoIterator<Item = impl Words>) {
        self.try_send(calls).expect("the server reads");
    }

    /// Sends calls in one write and waits for their replies.
    pub fn try_calls(&mut self, calls: impl IntoIterator<Item = impl Words>) -> io::Result<Vec<Value>> {
        let count = self.try_send(calls)?;
        (0..count).map(|_| self.try_read()).collect()
    }

    /// How many calls these were.
    fn try_send(&mut self, calls: impl IntoIterator<Item = impl Words>) -> io::Result<usize> {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for call in calls {
            count += 1;
            let words = call.words();
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                bytes.extend(format!("${}\r\n", word.len()).bytes());
                bytes.extend_from_slice(&word);
                bytes.extend(b"\r\n");
            }
        }
        self.stream.write_all(&bytes)?;
        Ok(count)
    }

    /// The next reply, or out-of-band message.
    pub fn read(&mut self) -> Value {
        self.try_read().unwrap_or_else(|error| panic!("the server answers: {error}"))
    }

    fn try_read(&mut self) -> io::Result<Value> {
        loop {
            if let Some(value) = self.decode() {
                return Ok(value);
            }
            // What has come is decoded from its beginning each time, so each time is to bring as much again.
            let mut chunk = vec![0; self.unread.len().max(64 * 1024)];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::other("it closed the connection")),
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                // A child's end is a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn decode(&mut self) -> Option<Value> {
        if self.unread.is_empty() {
            return None;
        }
        match self.protocol {
            Protocol::Resp2 => {
                decode_resp2(&mut self.unread).expect("well-formed").map(|(frame, ..)| frame.into())
            }
            Protocol::Resp3 => {
                decode_resp3(&mut self.unread).expect("well-formed").map(|(frame, ..)| frame.into())
            }
        }
    }
}

/// A call: words between spaces, or a list of words that may contain anything.
pub trait Words {
    fn words(self) -> Vec<Vec<u8>>;
}

impl Words for &str {
    fn words(self) -> Vec<Vec<u8>> {
        self.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }
}

impl<T: AsRef<[u8]>, const N: usize> Words for [T; N] {
    fn words(self) -> Vec<Vec<u8>> {
        self.iter().map(|word| word.as_ref().to_vec()).collect()
    }
}

impl<T: AsRef<[u8]>> Words for Vec<T> {
    fn words(self) -> Vec<Vec<u8>> {
        self.iter().map(|word| word.as_ref().to_vec()).collect()
    }
}

/// A reply, in the form that RESP2 and RESP3 have in common: all nulls are [`Value::Null`], booleans are 1 and 0, verbatim
/// strings are strings, sets are arrays. Maps stay maps: see [`Value::map`] and [`Value::entries`].
#[derive(Clone, PartialEq)]
pub enum Value {
    Status(String),
    Error(String),
    Integer(i64),
    Double(f64),
    Bulk(Bytes),
    Null,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Push(Vec<Value>),
}

pub fn ok() -> Value {
    Value::Status("OK".to_owned())
}

pub fn error(text: &str) -> Value {
    Value::Error(text.to_owned())
}

pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// An array of whatever can be a value: `array!["a", 1, Value::Null]`.
macro_rules! array {
    ($($item:expr),* $(,)?) => {
        $crate::support::client::Value::Array(vec![$($crate::support::client::Value::from($item)),*])
    };
}
pub(crate) use array;

impl Value {
    /// A text's or an error's, for messages.
    pub fn to_string_lossy(&self) -> String {
        match self {
            Value::Status(text) | Value::Error(text) => text.clone(),
            Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }

    pub fn integer(self) -> i64 {
        match self {
            Value::Integer(value) => value,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// A map that is a flat array in RESP2.
    pub fn map(self) -> Vec<(Value, Value)> {
        let Value::Array(items) = self else { return self.entries() };
        assert!(items.len() % 2 == 0);
        items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    /// A map that is an array of two-element arrays in RESP2.
    pub fn entries(self) -> Vec<(Value, Value)> {
        match self {
            Value::Map(pairs) => pairs,
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::Array(pair) if pair.len() == 2 => (pair[0].clone(), pair[1].clone()),
                    other => panic!("not a pair: {other:?}"),
                })
                .collect(),
            other => panic!("not a map: {other:?}"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Status(text) => write!(f, "+{text}"),
            Value::Error(text) => write!(f, "-{text}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, ",{value}"),
            Value::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Value::Null => write!(f, "null"),
            Value::Array(items) => f.debug_list().entries(items).finish(),
            Value::Map(pairs) => {
                f.debug_map().entries(pairs.iter().map(|(key, value)| (key, value))).finish()
            }
            Value::Push(items) => write!(f, ">{items:?}"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bulk(Bytes::copy_from_slice(bytes))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, text: &&str) -> bool {
        matches!(self, Value::Bulk(bytes) if bytes == text.as_bytes())
    }
}

impl PartialEq<&[u8]> for Value {
    fn eq(&self, other: &&[u8]) -> bool {
        matches!(self, Value::Bulk(bytes) if bytes == other)
    }
}

impl PartialEq<i64> for Value {
    fn eq(&self, other: &i64) -> bool {
        *self == Value::Integer(*other)
    }
}

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.to_vec()).expect("our own text")
}

fn all<F: Into<Value>>(frames: impl IntoIterator<Item = F>) -> Vec<Value> {
    frames.into_iter().map(Into::into).collect()
}

impl From<Resp2> for Value {
    fn from(frame: Resp2) -> Value {
        match frame {
            Resp2::SimpleString(bytes) => Value::Status(text(bytes)),
            Resp2::Error(text) => Value::Error(text.to_string()),
            Resp2::Integer(value) => Value::Integer(value),
            Resp2::BulkString(bytes) => Value::Bulk(bytes),
            Resp2::Array(items) => Value::Array(all(items)),
            Resp2::Null => Value::Null,
        }
    }
}

impl From<Resp3> for Value {
    fn from(frame: Resp3) -> Value {
        match frame {
            Resp3::SimpleString { data, .. } => Value::Status(text(data)),
            Resp3::SimpleError { data, .. } => Value::Error(data.to_string()),
            Resp3::Number { data, .. } => Value::Integer(data),
            Resp3::Boolean { data, .. } => Value::Integer(data.into()),
            Resp3::Double { data, .. } => Value::Double(data),
            Resp3::BlobString { data, .. }
            | Resp3::VerbatimString { data, .. }
            | Resp3::BigNumber { data, .. } => Value::Bulk(data),
            Resp3::Null => Value::Null,
            Resp3::Array { data, .. } => Value::Array(all(data)),
            Resp3::Set { data, .. } => Value::Array(all(data)),
            Resp3::Map { data, .. } => {
                // The decoder inserts the pairs from the last to the first.
                Value::Map(data.into_iter().rev().map(|(key, value)| (key.into(), value.into())).collect())
            }
            Resp3::Push { data, .. } => Value::Push(all(data)),
            other => panic!("not a reply of Redis: {other:?}"),
        }
    }
}
