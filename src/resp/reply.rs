//! Replies as values. What differs between RESP2 and RESP3 is decided in `encode.rs` by the variant alone.

use std::fmt;

use bytes::Bytes;

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+OK`
    Ok,
    /// A status line; its text holds no line breaks.
    Status(Bytes),
    Error(ErrorText),
    Integer(i64),
    Bulk(Bytes),
    /// Text for people (`txt`); a bulk string in RESP2.
    Verbatim(Bytes),
    /// No value: `$-1` in RESP2.
    Null,
    /// No array: `*-1` in RESP2.
    NullArray,
    /// A bulk string in RESP2.
    Double(f64),
    /// `1` or `0` in RESP2.
    Boolean(bool),
    /// Decimal digits; a bulk string in RESP2.
    BigNumber(Bytes),
    Array(Vec<Reply>),
    /// An array in RESP2.
    Set(Vec<Reply>),
    /// Flat array in RESP2, map in RESP3 (HGETALL, CONFIG GET).
    Map(Vec<(Reply, Reply)>),
    /// Flat array in RESP2, array of two-element arrays in RESP3 (ZRANGE WITHSCORES).
    Pairs(Vec<(Reply, Reply)>),
    /// Array of two-element arrays in RESP2, map in RESP3 (XREAD).
    Entries(Vec<(Reply, Reply)>),
    /// Out-of-band data; an array in RESP2.
    Push(Vec<Reply>),
    /// Several replies to one call, one after the other (SUBSCRIBE a b).
    Several(Vec<Reply>),
    /// One whole reply of another server, in the wire form of the client's protocol.
    Raw(Bytes),
    /// No bytes at all.
    Nothing,
}

impl Reply {
    pub const ZERO: Reply = Reply::Integer(0);
    pub const ONE: Reply = Reply::Integer(1);

    pub const fn status(text: &'static str) -> Self {
        Reply::Status(Bytes::from_static(text.as_bytes()))
    }

    /// An error reply; see [`ErrorText`] for what `text` is.
    pub fn error(text: impl Into<ErrorText>) -> Self {
        Reply::Error(text.into())
    }

    pub fn bulk(bytes: impl Into<Bytes>) -> Self {
        Reply::Bulk(bytes.into())
    }

    /// A bulk string of static text, without allocation.
    pub const fn text(text: &'static str) -> Self {
        Reply::Bulk(Bytes::from_static(text.as_bytes()))
    }

    /// An array of bulk strings.
    pub fn bulks(items: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Reply::Array(items.into_iter().map(Reply::bulk).collect())
    }

    /// What a client gets that wants no replies (CLIENT REPLY): only what is pushed.
    pub fn pushes(self) -> Reply {
        match self {
            Reply::Push(_) => self,
            Reply::Several(replies) => Reply::Several(replies.into_iter().map(Reply::pushes).collect()),
            _ => Reply::Nothing,
        }
    }

    pub fn is_error(&self) -> bool {
        self.error_code().is_some()
    }

    /// An error's first word.
    pub fn error_code(&self) -> Option<&[u8]> {
        match self {
            Reply::Error(text) => Some(text.code()),
            Reply::Raw(wire) => {
                let text = wire.strip_prefix(b"-")?;
                text.split(|byte| matches!(byte, b' ' | b'\r')).next()
            }
            _ => None,
        }
    }
}

impl From<i64> for Reply {
    fn from(value: i64) -> Self {
        Reply::Integer(value)
    }
}

impl From<f64> for Reply {
    fn from(value: f64) -> Self {
        Reply::Double(value)
    }
}

impl From<bool> for Reply {
    /// Redis's usual yes and no: the integers 1 and 0. `Reply::Boolean` is for the few commands that use RESP3's booleans.
    fn from(value: bool) -> Self {
        Reply::Integer(i64::from(value))
    }
}

impl From<Bytes> for Reply {
    fn from(value: Bytes) -> Self {
        Reply::Bulk(value)
    }
}

impl From<Option<Bytes>> for Reply {
    fn from(value: Option<Bytes>) -> Self {
        value.map_or(Reply::Null, Reply::Bulk)
    }
}

impl From<Vec<Reply>> for Reply {
    fn from(items: Vec<Reply>) -> Self {
        Reply::Array(items)
    }
}

impl From<ErrorText> for Reply {
    fn from(text: ErrorText) -> Self {
        Reply::Error(text)
    }
}

/// One line of error text with its code in front (`ERR syntax error`, `WRONGTYPE ...`), without the leading `-`.
/// Bytes, because Redis quotes what the client sent. Static texts cost nothing; line breaks become spaces, as in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText(Bytes);

impl ErrorText {
    /// For constants; `text` holds no line breaks.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first word: `ERR`, `WRONGTYPE`, `MOVED`, ...
    pub fn code(&self) -> &[u8] {
        self.0.split(|byte| *byte == b' ').next().unwrap_or_default()
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&readable(&self.0))
    }
}

/// A text of another server as one line for people, whatever it holds.
pub fn readable(text: &[u8]) -> String {
    let quote = |byte: &u8| matches!(byte, b'\'' | b'"');
    text.chunk_by(|a, b| quote(a) == quote(b))
        .map(|part| match quote(&part[0]) {
            true => part.iter().map(|byte| char::from(*byte)).collect(),
            false => part.escape_ascii().to_string(),
        })
        .collect()
}

impl From<Bytes> for ErrorText {
    fn from(text: Bytes) -> Self {
        if !text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return Self(text);
        }
        let spaced = text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte });
        Self(spaced.collect())
    }
}

impl From<&'static str> for ErrorText {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for ErrorText {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for ErrorText {
    fn from(text: Vec<u8>) -> Self {
        Bytes::from(text).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_text_is_one_line() {
        let Reply::Error(text) = Reply::error("ERR a\r\nb\nc".to_string()) else { panic!() };
        assert_eq!(text.as_bytes(), b"ERR a  b c");
        assert_eq!(text.code(), b"ERR");
        assert_eq!(ErrorText::from_static("NOAUTH").code(), b"NOAUTH");
    }
}
