//! Hot path: bytes to argument vectors.
//!
//! The decoder keeps its place between calls, so a request that arrives in many pieces costs time proportional to its
//! length, and it splits arguments off the read buffer instead of copying them.
//!
//! The crate redis-protocol (6.0) reads replies for our tests, but cannot serve requests: it starts again with each piece
//! (a request of 20,000 arguments in pieces of 1000 bytes took 169 ms, here 5.5 ms), knows no inline requests, limits and
//! error texts, and its frames would have to be turned into arguments (a SET of 64 bytes: 340 to 460 ns, here 190 to 240,
//! two shared cores). 512 MB in pieces of 16 KB take 1.8 s here, most of it in copying the pieces into the buffer.

use bytes::{Buf, Bytes, BytesMut};

use super::ProtocolError;
use super::inline::split_arguments;

/// Longest inline request, and longest line that carries a length.
const MAX_LINE: usize = 64 * 1024;
/// An argument this long gets memory of its own, so that the read buffer shrinks back after it.
const BIG_ARGUMENT: usize = 32 * 1024;
/// Claimed counts are believed up to here; beyond, vectors grow as arguments arrive.
const TRUSTED_COUNT: usize = 1024;
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
const UNAUTHENTICATED_BULK: i64 = 16 * 1024;

/// What a client may send at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `proto-max-bulk-len`
    pub max_bulk_len: usize,
    /// False while the client still has to send a password: then requests have to be small.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bulk_len: 512 * 1024 * 1024, authenticated: true }
    }
}

/// Incremental decoder of one client's requests.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Arguments of the unfinished multibulk request.
    arguments: Vec<Bytes>,
    /// Arguments it still needs; 0 between requests.
    missing: usize,
    /// Length of the argument whose length line has been read.
    bulk_len: Option<usize>,
    /// Bytes of the unfinished line that are known to hold no line end.
    searched: usize,
    /// Total length of `arguments`.
    argument_bytes: usize,
}

impl Decoder {
    /// The next request, taken off the front of `buf`; `None` when `buf` does not hold all of it yet. Requests without
    /// arguments are skipped, a request returned is never empty.
    ///
    /// The arguments are slices of the read buffer: one of them keeps all of the buffer it came from alive, so whoever
    /// keeps a small argument for long has to copy it.
    ///
    /// After an error the connection has to be closed; what further calls return is not meaningful.
    pub fn next(&mut self, buf: &mut BytesMut, limits: Limits) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        while self.missing == 0 {
            match buf.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let Some(count) = self.multibulk_length(buf, limits)? else { return Ok(None) };
                    self.missing = count;
                    self.arguments.reserve_exact(count.min(TRUSTED_COUNT));
                }
                Some(_) => match self.inline(buf)? {
                    None => return Ok(None),
                    Some(arguments) if arguments.is_empty() => {}
                    Some(arguments) => return Ok(Some(arguments)),
                },
            }
        }
        while self.missing > 0 {
            let Some(argument) = self.argument(buf, limits)? else { return Ok(None) };
            self.argument_bytes += argument.len();
            self.arguments.push(argument);
            self.missing -= 1;
        }
        self.argument_bytes = 0;
        Ok(Some(std::mem::take(&mut self.arguments)))
    }

    /// Memory the arguments of an unfinished request take outside the read buffer, for `client-query-buffer-limit`.
    pub fn held_bytes(&self) -> usize {
        self.argument_bytes + self.arguments.capacity() * size_of::<Bytes>()
    }

    fn multibulk_length(
        &mut self,
        buf: &mut BytesMut,
        limits: Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.line(buf, ProtocolError::TooBigMultibulkCount)? else { return Ok(None) };
        let count = parse_length(&buf[1..end])
            .filter(|count| *count <= i64::from(i32::MAX))
            .ok_or(ProtocolError::InvalidMultibulkLength)?;
        if count > UNAUTHENTICATED_ARGUMENTS && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        buf.advance(end + 2);
        Ok(Some(usize::try_from(count).unwrap_or(0)))
    }

    fn argument(&mut self, buf: &mut BytesMut, limits: Limits) -> Result<Option<Bytes>, ProtocolError> {
        let len = match self.bulk_len {
            Some(len) => len,
            None => {
                let Some(end) = self.line(buf, ProtocolError::TooBigBulkCount)? else { return Ok(None) };
                if buf[0] != b'$' {
                    return Err(ProtocolError::ExpectedDollar { got: buf[0] });
                }
                let len = bulk_length(&buf[1..end], limits)?;
                buf.advance(end + 2);
                *self.bulk_len.insert(len)
            }
        };
        // Like Redis, look at neither of the two bytes that end an argument.
        let framed = len + 2;
        if buf.len() < framed {
            // Doubling: a claimed length costs no memory before the data comes.
            buf.reserve((framed - buf.len()).min(buf.len().max(BIG_ARGUMENT)));
            return Ok(None);
        }
        self.bulk_len = None;
        let argument = buf.split_to(len).freeze();
        buf.advance(2);
        if len >= BIG_ARGUMENT && buf.len() < len {
            *buf = BytesMut::from(&buf[..]);
        }
        Ok(Some(argument))
    }

    fn inline(&mut self, buf: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        let Some(end) =
            self.search(buf, |byte| matches!(byte, b'\n' | 0), ProtocolError::TooBigInlineRequest)?
        else {
            return Ok(None);
        };
        // Redis looks for the line end with strchr: behind a NUL it never finds one.
        if buf[end] == 0 {
            self.searched = end;
            return if buf.len() > MAX_LINE { Err(ProtocolError::TooBigInlineRequest) } else { Ok(None) };
        }
        let line = buf.split_to(end + 1);
        let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
        split_arguments(line).map(Some).ok_or(ProtocolError::UnbalancedQuotes)
    }

    /// Where the line at the front of `buf` ends (the place of its `\r`), once the byte after that is there too.
    fn line(&mut self, buf: &BytesMut, too_big: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.search(buf, |byte| byte == b'\r', too_big)? else { return Ok(None) };
        if buf.len() < end + 2 {
            self.searched = end;
            return Ok(None);
        }
        Ok(Some(end))
    }

    fn search(
        &mut self,
        buf: &BytesMut,
        ends: impl Fn(u8) -> bool,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let within = buf.len().min(MAX_LINE + 1);
        match buf[self.searched..within].iter().position(|byte| ends(*byte)) {
            Some(place) => {
                let place = self.searched + place;
                self.searched = 0;
                Ok(Some(place))
            }
            None if buf.len() > MAX_LINE => Err(too_big),
            None => {
                self.searched = within;
                Ok(None)
            }
        }
    }
}

fn bulk_length(digits: &[u8], limits: Limits) -> Result<usize, ProtocolError> {
    let len = parse_length(digits).ok_or(ProtocolError::InvalidBulkLength)?;
    let bytes = usize::try_from(len).map_err(|_| ProtocolError::InvalidBulkLength)?;
    if bytes > limits.max_bulk_len {
        Err(ProtocolError::InvalidBulkLength)
    } else if len > UNAUTHENTICATED_BULK && !limits.authenticated {
        Err(ProtocolError::UnauthenticatedBulkLength)
    } else {
        Ok(bytes)
    }
}

/// Redis's strict reading of integers: no sign but `-`, no leading zeros, no `-0`.
fn parse_length(text: &[u8]) -> Option<i64> {
    match text {
        [digit @ b'0'..=b'9'] => Some(i64::from(digit - b'0')),
        [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = (Vec<Vec<Bytes>>, Option<ProtocolError>);

    /// Feeds `input` in pieces of `step` bytes.
    fn decode(input: &[u8], step: usize, limits: Limits) -> Outcome {
        let (mut decoder, mut buf, mut requests) = (Decoder::default(), BytesMut::new(), Vec::new());
        for piece in input.chunks(step) {
            buf.extend_from_slice(piece);
            loop {
                match decoder.next(&mut buf, limits) {
                    Ok(Some(request)) => requests.push(request),
                    Ok(None) => break,
                    Err(error) => return (requests, Some(error)),
                }
            }
        }
        (requests, None)
    }

    fn check(input: &[u8], requests: &[&[&str]], error: Option<ProtocolError>) {
        check_within(Limits::default(), input, requests, error);
    }

    fn check_within(limits: Limits, input: &[u8], requests: &[&[&str]], error: Option<ProtocolError>) {
        let bytes =
            |request: &&[&str]| request.iter().map(|a| Bytes::copy_from_slice(a.as_bytes())).collect();
        let expected = (requests.iter().map(bytes).collect(), error);
        for step in [1, 2, 3, 7, input.len()] {
            assert_eq!(decode(input, step, limits), expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn requests() {
        check(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n", &[&["GET", "a"], &["PING"]], None);
        check(b"*1\r\n$0\r\n\r\n", &[&[""]], None);
        check(b"*0\r\n*-1\r\n\r\n\n  \r\nPING\r\n*-7\r\nping a\n", &[&["PING"], &["ping", "a"]], None);
        check(b"*1\rX$2\rYabZZPING\n", &[&["ab"], &["PING"]], None);
        check(b"*2\r\n$3\r\nGET\r\n$1\r\n", &[], None);
        check(b"PI\0NG\r\nPING\r\n", &[], None);
    }

    #[test]
    fn errors() {
        use ProtocolError::*;
        check(b"*x\r\n", &[], Some(InvalidMultibulkLength));
        check(b"*\r\n", &[], Some(InvalidMultibulkLength));
        check(b"*01\r\n", &[], Some(InvalidMultibulkLength));
        check(b"*2147483648\r\n", &[], Some(InvalidMultibulkLength));
        check(b"PING\n*1\r\n:3\r\n", &[&["PING"]], Some(ExpectedDollar { got: b':' }));
        check(b"*1\r\n$-1\r\n", &[], Some(InvalidBulkLength));
        check(b"*1\r\n$536870913\r\n", &[], Some(InvalidBulkLength));
        check(b"*1\r\n$+1\r\n", &[], Some(InvalidBulkLength));
        check(b"get 'a\r\n", &[], Some(UnbalancedQuotes));
        check(&[b'x'; MAX_LINE + 1], &[], Some(TooBigInlineRequest));
        check(&[0; MAX_LINE + 1], &[], Some(TooBigInlineRequest));
        check(&[b'*'; MAX_LINE + 1], &[], Some(TooBigMultibulkCount));
        check(&[&b"*1\r\n"[..], &[b'$'; MAX_LINE + 1]].concat(), &[], Some(TooBigBulkCount));
        let strict = Limits { authenticated: false, ..Limits::default() };
        check_within(strict, b"*11\r\n", &[], Some(UnauthenticatedMultibulkLength));
        check_within(strict, b"*10\r\n$16385\r\n", &[], Some(UnauthenticatedBulkLength));
    }

    #[test]
    fn claimed_lengths_cost_nothing() {
        let (mut decoder, mut buf) =
            (Decoder::default(), BytesMut::from(&b"*2147483647\r\n$536870912\r\nabc"[..]));
        assert_eq!(decoder.next(&mut buf, Limits::default()), Ok(None));
        assert!(buf.capacity() < 100_000 && decoder.held_bytes() < 100_000);
    }

    #[test]
    fn big_arguments_leave_a_small_buffer() {
        let mut input = b"*2\r\n$1\r\na\r\n$5000000\r\n".to_vec();
        input.extend(vec![b'x'; 5_000_000]);
        input.extend(b"\r\nPING\r\n");
        let (mut decoder, mut buf, mut requests) = (Decoder::default(), BytesMut::new(), Vec::new());
        for piece in input.chunks(1000) {
            buf.extend_from_slice(piece);
            while let Some(request) = decoder.next(&mut buf, Limits::default()).unwrap() {
                requests.push(request.iter().map(Bytes::len).collect::<Vec<_>>());
            }
        }
        assert_eq!(requests, [vec![1, 5_000_000], vec![4]]);
        assert!(buf.capacity() < 1_000_000);
    }
}
