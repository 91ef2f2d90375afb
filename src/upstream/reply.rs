//! Hot path: the upstream's replies, RESP2 and RESP3. They are cut off the read buffer as they are, so that they can be passed on unchanged,
//! and understood only when somebody wants to know.

use bytes::{Bytes, BytesMut};

use crate::resp::{Reply, readable};

/// Deeper nesting is refused: scripts can make it, nobody needs it.
const DEEPEST: usize = 256;
/// Room is asked for in steps of this size, so that a claimed length costs no memory before the data comes.
const STEP: usize = 64 * 1024;

/// What does not follow the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a reply of the upstream is not understood")]
pub struct BadReply;

/// One whole reply (or push), as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Raw {
    /// Out-of-band data of RESP3.
    pub fn is_push(&self) -> bool {
        self.0.first() == Some(&b'>')
    }

    pub fn is_error(&self) -> bool {
        matches!(self.0.first(), Some(b'-' | b'!'))
    }

    /// For people: an error's text.
    pub fn text(&self) -> String {
        match self.parse() {
            Ok(Reply::Error(text)) => text.to_string(),
            _ => readable(self.0.trim_ascii()),
        }
    }

    /// The value. RESP2 does not know maps and sets: there they are arrays.
    pub fn parse(&self) -> Result<Reply, BadReply> {
        let mut reader = Reader { bytes: &self.0, at: 0 };
        reader.value(DEEPEST)
    }
}

/// Finds where replies end.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    /// Bytes of the buffer that belong to complete elements of the reply in hand.
    scanned: usize,
    /// Elements that it still lacks; 0 between replies.
    missing: u64,
}

impl ReplyDecoder {
    /// The next reply, taken off the front of `buf`; `None` when `buf` does not hold all of it yet.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<Raw>, BadReply> {
        if self.missing == 0 {
            self.missing = 1;
        }
        while self.missing > 0 {
            let Some(header) = header(&buf[self.scanned..])? else {
                if buf.capacity() == buf.len() {
                    buf.reserve(STEP);
                }
                return Ok(None);
            };
            let end = self.scanned + header.length + header.body;
            if buf.len() < end {
                buf.reserve((end - buf.len()).min(buf.len().max(STEP)));
                return Ok(None);
            }
            self.scanned = end;
            self.missing =
                (self.missing - header.is_value as u64).checked_add(header.elements).ok_or(BadReply)?;
        }
        let length = std::mem::take(&mut self.scanned);
        Ok(Some(Raw(buf.split_to(length).freeze())))
    }
}

/// The line at the front of an element.
struct Header {
    kind: u8,
    /// Its length with the line end.
    length: usize,
    /// Length of what follows and belongs to the element itself, its line end included.
    body: usize,
    /// Elements that follow as parts of it.
    elements: u64,
    /// False for attributes, which only precede a value.
    is_value: bool,
    is_null: bool,
}

fn header(bytes: &[u8]) -> Result<Option<Header>, BadReply> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    let Some(end) = bytes.iter().position(|byte| *byte == b'\r') else { return Ok(None) };
    let length = end + 2;
    if bytes.len() < length {
        return Ok(None);
    }
    let mut header = Header { kind, length, body: 0, elements: 0, is_value: true, is_null: kind == b'_' };
    match kind {
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
        b'$' | b'=' | b'!' => match number(&bytes[1..end])? {
            -1 => header.is_null = true,
            n => header.body = usize::try_from(n).map_err(|_| BadReply)? + 2,
        },
        b'*' | b'~' | b'>' | b'%' | b'|' => match number(&bytes[1..end])? {
            -1 => header.is_null = true,
            n => {
                let n = u64::try_from(n).map_err(|_| BadReply)?;
                let each = if matches!(kind, b'%' | b'|') { 2 } else { 1 };
                header.elements = n.checked_mul(each).ok_or(BadReply)?;
                header.is_value = kind != b'|';
            }
        },
        _ => return Err(BadReply),
    }
    Ok(Some(header))
}

fn number(digits: &[u8]) -> Result<i64, BadReply> {
    if let [digit @ b'0'..=b'9'] = digits {
        return Ok(i64::from(digit - b'0'));
    }
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(BadReply)
}

/// Reads values out of a whole reply.
struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Reply, BadReply> {
        if depth == 0 {
            return Err(BadReply);
        }
        let header = header(&self.bytes[self.at..])?.ok_or(BadReply)?;
        let line = self.bytes.slice(self.at + 1..self.at + header.length - 2);
        self.at += header.length;
        let body = match header.body {
            0 => Bytes::new(),
            length if self.at + length <= self.bytes.len() => self.bytes.slice(self.at..self.at + length - 2),
            _ => return Err(BadReply),
        };
        self.at += header.body;
        Ok(match header.kind {
            b'*' if header.is_null => Reply::NullArray,
            _ if header.is_null => Reply::Null,
            b'+' if line == "OK" => Reply::Ok,
            b'+' => Reply::Status(line),
            b'-' => Reply::error(line),
            b'!' => Reply::error(body),
            b':' => Reply::Integer(number(&line)?),
            b'$' => Reply::Bulk(body),
            b'=' => Reply::Verbatim(body.slice(body.len().min(4)..)),
            b',' => Reply::Double(
                std::str::from_utf8(&line).ok().and_then(|text| text.parse().ok()).ok_or(BadReply)?,
            ),
            b'#' => Reply::Boolean(line == "t"),
            b'(' => Reply::BigNumber(line),
            b'*' => Reply::Array(self.values(header.elements, depth)?),
            b'~' => Reply::Set(self.values(header.elements, depth)?),
            b'>' => Reply::Push(self.values(header.elements, depth)?),
            b'%' => {
                let mut pairs = Vec::new();
                for _ in 0..header.elements / 2 {
                    pairs.push((self.value(depth - 1)?, self.value(depth - 1)?));
                }
                Reply::Map(pairs)
            }
            _ => {
                self.values(header.elements, depth)?;
                self.value(depth - 1)?
            }
        })
    }

    fn values(&mut self, count: u64, depth: usize) -> Result<Vec<Reply>, BadReply> {
        (0..count).map(|_| self.value(depth - 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Protocol, encode};

    #[test]
    fn cuts_and_understands_whatever_the_pieces() {
        let pair = || vec![(Reply::text("a"), Reply::Integer(-12))];
        let values = vec![
            Reply::Ok,
            Reply::status("PONG"),
            Reply::error("ERR no"),
            Reply::Integer(i64::MIN),
            Reply::text(""),
            Reply::text("a\r\nb"),
            Reply::Null,
            Reply::Double(1.5),
            Reply::Double(f64::INFINITY),
            Reply::Boolean(true),
            Reply::BigNumber("123".into()),
            Reply::Verbatim("hi".into()),
            Reply::Array(vec![]),
            Reply::Map(pair()),
            Reply::Push(vec![
                Reply::Set(vec![Reply::ONE]),
                Reply::Array(vec![Reply::Null, Reply::Map(pair())]),
            ]),
        ];
        let mut wire = BytesMut::new();
        values.iter().for_each(|value| encode(value, Protocol::Resp3, &mut wire));
        for step in [1, 2, 3, 7, wire.len()] {
            let (mut decoder, mut buf, mut seen) = (ReplyDecoder::default(), BytesMut::new(), Vec::new());
            for piece in wire.chunks(step) {
                buf.extend_from_slice(piece);
                while let Some(raw) = decoder.next(&mut buf).unwrap() {
                    seen.push(raw);
                }
            }
            assert!(buf.is_empty());
            assert_eq!(seen.iter().map(|raw| raw.parse().unwrap()).collect::<Vec<_>>(), values);
            assert_eq!(seen.iter().flat_map(|raw| raw.0.to_vec()).collect::<Vec<_>>(), wire);
        }
    }

    #[test]
    fn nulls_and_attributes() {
        for (wire, value) in [
            ("$-1\r\n", Reply::Null),
            ("*-1\r\n", Reply::NullArray),
            ("|1\r\n+ttl\r\n:3\r\n+OK\r\n", Reply::Ok),
            ("!6\r\nERR no\r\n", Reply::error("ERR no")),
        ] {
            let mut buf = BytesMut::from(wire);
            let raw = ReplyDecoder::default().next(&mut buf).unwrap().unwrap();
            assert_eq!((raw.parse(), buf.len()), (Ok(value), 0), "{wire}");
        }
    }

    #[test]
    fn refuses_what_is_no_reply() {
        for wire in [
            "HTTP/1.1 400\r\n",
            "$x\r\n",
            "*?\r\n",
            "$-2\r\n",
            "*9223372036854775807\r\n*9223372036854775807\r\n*9223372036854775807\r\n",
        ] {
            assert_eq!(ReplyDecoder::default().next(&mut BytesMut::from(wire)), Err(BadReply), "{wire}");
        }
        let deep = "*1\r\n".repeat(DEEPEST) + ":1\r\n";
        let raw = ReplyDecoder::default().next(&mut BytesMut::from(&deep[..])).unwrap().unwrap();
        assert_eq!(raw.parse(), Err(BadReply));
    }
}
