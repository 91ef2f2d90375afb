//! As much of the protocol as the bench needs itself: requests, the length of replies, filling.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// Appends a request.
pub fn request(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Length of the reply at the start of `input`, once it is complete. Only replies that are no
/// aggregates are expected; an error reply is an error.
pub fn reply_length(input: &[u8]) -> io::Result<Option<usize>> {
    let Some(line) = input.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let head = line + 2;
    let text = String::from_utf8_lossy(&input[1..line]);
    match input[0] {
        b'+' | b':' => Ok(Some(head)),
        b'$' if text == "-1" => Ok(Some(head)),
        b'$' => {
            let size: usize = text.parse().map_err(io::Error::other)?;
            let whole = head + size + 2;
            Ok((input.len() >= whole).then_some(whole))
        }
        _ => Err(io::Error::other(format!("unexpected reply: {}{text}", input[0] as char))),
    }
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

    fn reply(&mut self) -> io::Result<Vec<u8>> {
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
