//! As much of the protocol as the bench needs itself: requests, the length of replies, filling.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;

/// Appends a request.
pub fn request(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Length of the reply at the start of `input`, once it is complete. An error reply, also within another, is an error.
pub fn reply_length(input: &[u8]) -> io::Result<Option<usize>> {
    scan(input, &mut |_| ())
}

/// The bulk strings in a complete reply, those of nested arrays included, in their order.
pub fn bulks(reply: &[u8]) -> io::Result<Vec<&[u8]>> {
    let mut places = Vec::new();
    scan(reply, &mut |range| places.push(range))?;
    Ok(places.into_iter().map(|range| &reply[range]).collect())
}

/// Walks one reply of RESP2; its length once it is complete.
fn scan(input: &[u8], bulk: &mut impl FnMut(Range<usize>)) -> io::Result<Option<usize>> {
    let (mut at, mut missing) = (0, 1_usize);
    while missing > 0 {
        let rest = &input[at..];
        let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&rest[1..line]).map_err(io::Error::other)?;
        let number = || text.parse::<i64>().map_err(io::Error::other);
        at += line + 2;
        missing -= 1;
        match rest[0] {
            b'+' | b':' => {}
            b'$' => {
                if let Ok(size) = usize::try_from(number()?) {
                    bulk(at..at + size);
                    at += size + 2;
                    if input.len() < at {
                        return Ok(None);
                    }
                }
            }
            b'*' => missing += usize::try_from(number()?).unwrap_or(0),
            other => return Err(io::Error::other(format!("unexpected reply: {}{text}", other as char))),
        }
    }
    Ok(Some(at))
}

/// A blocking connection.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, input: Vec::new() })
    }

    /// Sends what `requests` holds and waits for that many replies; returns the last one.
    pub fn exchange(&mut self, requests: &[u8], replies: usize) -> io::Result<Vec<u8>> {
        self.stream.write_all(requests)?;
        let mut last = Vec::new();
        for _ in 0..replies {
            last = self.reply()?;
        }
        Ok(last)
    }

    pub fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        self.stream.write_all(requests)
    }

    pub fn reply(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(length) = if self.input.is_empty() { None } else { reply_length(&self.input)? } {
                return Ok(self.input.drain(..length).collect());
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

pub fn ping(port: u16) -> io::Result<()> {
    let mut out = Vec::new();
    request(&mut out, &[b"PING"]);
    match Connection::open(port)?.exchange(&out, 1)?.as_slice() {
        b"+PONG\r\n" => Ok(()),
        other => Err(io::Error::other(format!("PING answers {}", String::from_utf8_lossy(other)))),
    }
}

/// Makes every key of `key:` and `counter:` exist, as redis-benchmark names them.
pub fn fill(port: u16, keys: u64, value: &[u8]) -> io::Result<()> {
    const BATCH: u64 = 500;
    let mut connection = Connection::open(port)?;
    for (prefix, value) in [("key", value), ("counter", b"0")] {
        for first in (0..keys).step_by(BATCH as usize) {
            let mut out = Vec::new();
            let batch = first..keys.min(first + BATCH);
            for number in batch.clone() {
                request(&mut out, &[b"SET", format!("{prefix}:{number:012}").as_bytes(), value]);
            }
            connection.exchange(&out, (batch.end - batch.start) as usize)?;
        }
    }
    let mut out = Vec::new();
    request(&mut out, &[b"GET", format!("key:{:012}", keys - 1).as_bytes()]);
    let reply = connection.exchange(&out, 1)?;
    if !reply.windows(value.len()).any(|part| part == value) {
        return Err(io::Error::other("a key just set does not come back"));
    }
    Ok(())
}
