//! The wire: a blocking client that keeps every reply's raw bytes beside its structure.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One reply: its raw bytes, and enough structure to match parts of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub kind: u8,
    pub raw: Vec<u8>,
    /// What follows the type byte of a simple reply, or the body of a bulk one.
    pub text: Vec<u8>,
    /// Elements of an aggregate; a map's keys and values alternate.
    pub items: Vec<Reply>,
    pub null: bool,
}

impl Reply {
    /// An array of bulk strings, for replies the runner makes up.
    pub fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Reply {
        let bulk = |text: Vec<u8>| {
            let raw = [format!("${}\r\n", text.len()).as_bytes(), &text, b"\r\n"].concat();
            Reply { kind: b'$', raw, text, items: Vec::new(), null: false }
        };
        Reply::of(items.into_iter().map(bulk).collect())
    }

    /// An array the runner makes up.
    pub fn of(items: Vec<Reply>) -> Reply {
        let mut raw = format!("*{}\r\n", items.len()).into_bytes();
        items.iter().for_each(|item| raw.extend_from_slice(&item.raw));
        Reply { kind: b'*', raw, text: Vec::new(), items, null: false }
    }

    pub fn is_error(&self) -> bool {
        matches!(self.kind, b'-' | b'!')
    }

    pub fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// What a read on a connection brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Reply(Reply),
    /// The server closed the connection, after these bytes that are no whole reply.
    Closed(Vec<u8>),
    /// Nothing came in the time that was allowed.
    Nothing,
    /// Something the connection cannot recover from: time-out, bytes that are no RESP.
    Lost(String),
}

/// Parses one reply from the start of `input`; `None` when it is not complete yet.
pub fn parse(input: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let Some(end) = input.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (kind, line) = (input[0], &input[1..end]);
    let mut used = end + 2;
    let mut reply = Reply { kind, raw: Vec::new(), text: line.to_vec(), items: Vec::new(), null: false };
    let count = || {
        let digits = std::str::from_utf8(line).ok();
        digits.and_then(|text| text.parse::<i64>().ok()).ok_or_else(|| format!("bad length in {input:?}"))
    };
    match kind {
        b'+' | b'-' | b':' | b',' | b'#' | b'(' => {}
        b'_' => reply.null = true,
        b'$' | b'=' | b'!' => match usize::try_from(count()?) {
            Err(_) => reply.null = true,
            Ok(length) => {
                let Some(body) = input.get(used..used + length + 2) else { return Ok(None) };
                if &body[length..] != b"\r\n" {
                    return Err(format!("bulk of {length} bytes without an end"));
                }
                // A verbatim string's text starts after its format.
                let format = if kind == b'=' { 4.min(length) } else { 0 };
                reply.text = body[format..length].to_vec();
                used += length + 2;
            }
        },
        b'*' | b'~' | b'>' | b'%' => match usize::try_from(count()?) {
            Err(_) => reply.null = true,
            Ok(count) => {
                for _ in 0..if kind == b'%' { 2 * count } else { count } {
                    let Some((item, length)) = parse(&input[used..])? else { return Ok(None) };
                    used += length;
                    reply.items.push(item);
                }
            }
        },
        other => return Err(format!("a reply starts with byte {other:#x}")),
    }
    reply.raw = input[..used].to_vec();
    Ok(Some((reply, used)))
}

/// The bytes of a command in the form clients send it.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

pub const PATIENCE: Duration = Duration::from_secs(10);

/// A connection. After it is lost every further read says so at once, so that a broken server costs one time-out.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    patience: Duration,
    dead: Option<Event>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, buffer: Vec::new(), start: 0, patience: PATIENCE, dead: None })
    }

    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Writes in a thread of its own when much is sent, because nobody reads the replies meanwhile.
    pub fn send(&mut self, bytes: &[u8]) {
        // A failed write shows at the next read, which tells more (the error reply that came before the close).
        if bytes.len() < 64 * 1024 {
            let _ = self.stream.write_all(bytes);
        } else if let Ok(mut stream) = self.stream.try_clone() {
            let bytes = bytes.to_vec();
            std::thread::spawn(move || stream.write_all(&bytes));
        }
    }

    pub fn read(&mut self) -> Event {
        match self.read_within(self.patience) {
            Event::Nothing => {
                let seen = super::text::escape_short(&self.buffer[self.start..]);
                self.die(Event::Lost(format!("no reply within {:?}, only \"{seen}\"", self.patience)))
            }
            event => event,
        }
    }

    /// Reads one reply, or says that there was none.
    pub fn read_within(&mut self, patience: Duration) -> Event {
        let deadline = Instant::now() + patience;
        loop {
            match parse(&self.buffer[self.start..]) {
                Ok(Some((reply, used))) => {
                    self.start += used;
                    return Event::Reply(reply);
                }
                Ok(None) => {}
                Err(problem) => return self.die(Event::Lost(problem)),
            }
            if let Some(event) = &self.dead {
                return event.clone();
            }
            match self.fill(deadline) {
                Ok(0) => {
                    let rest = self.buffer.split_off(self.start);
                    return self.die(Event::Closed(rest));
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Event::Nothing;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    let rest = self.buffer.split_off(self.start);
                    return self.die(Event::Closed(rest));
                }
                Err(error) => return self.die(Event::Lost(error.to_string())),
            }
        }
    }

    /// Reads what has arrived; without any time to wait, no more than that.
    fn fill(&mut self, deadline: Instant) -> std::io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.set_nonblocking(left.is_zero())?;
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        self.buffer.drain(..self.start);
        self.start = 0;
        let filled = self.buffer.len();
        let room = filled.clamp(16 * 1024, 4 * 1024 * 1024);
        self.buffer.resize(filled + room, 0);
        let result = self.stream.read(&mut self.buffer[filled..]);
        self.stream.set_nonblocking(false)?;
        self.buffer.truncate(filled + *result.as_ref().unwrap_or(&0));
        result
    }

    fn die(&mut self, event: Event) -> Event {
        self.buffer.clear();
        self.start = 0;
        self.dead = Some(event.clone());
        event
    }

    /// Sends one command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Event {
        self.send(&encode(args));
        self.read()
    }

    /// [`Client::call`] for the runner's own needs: anything but a reply that is no error is a failure.
    pub fn demand<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Reply, String> {
        let words = || args.iter().map(|arg| super::text::quote(arg.as_ref())).collect::<Vec<_>>().join(" ");
        match self.call(args) {
            Event::Reply(reply) if !reply.is_error() => Ok(reply),
            Event::Reply(reply) => Err(format!("{}: {}", words(), reply.text_lossy())),
            other => Err(format!("{}: {other:?}", words())),
        }
    }
}
