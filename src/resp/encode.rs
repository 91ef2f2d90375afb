//! Hot path: replies to bytes. The only place that knows how RESP2 and RESP3 differ.

use bytes::{BufMut, Bytes, BytesMut};

use super::{DoubleText, IntegerText, Reply};

/// The protocol version a client speaks; chosen by HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Appends the wire form of `reply` to `out`.
pub fn encode(reply: &Reply, protocol: Protocol, out: &mut BytesMut) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Ok => out.put_slice(b"+OK\r\n"),
        Reply::Status(text) => line(b'+', text, out),
        Reply::Error(text) => line(b'-', text.as_bytes(), out),
        Reply::Integer(value) => header(b':', *value, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::Verbatim(text) if resp3 => verbatim(text, out),
        Reply::Verbatim(text) => bulk(text, out),
        Reply::Null | Reply::NullArray if resp3 => out.put_slice(b"_\r\n"),
        Reply::Null => out.put_slice(b"$-1\r\n"),
        Reply::NullArray => out.put_slice(b"*-1\r\n"),
        Reply::Double(value) if resp3 => line(b',', &DoubleText::new(*value), out),
        Reply::Double(value) => bulk(&DoubleText::new(*value), out),
        Reply::Boolean(value) => out.put_slice(match (resp3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        }),
        Reply::BigNumber(digits) if resp3 => line(b'(', digits, out),
        Reply::BigNumber(digits) => bulk(digits, out),
        Reply::Array(items) => sequence(b'*', items, protocol, out),
        Reply::Set(items) => sequence(if resp3 { b'~' } else { b'*' }, items, protocol, out),
        Reply::Push(items) => sequence(if resp3 { b'>' } else { b'*' }, items, protocol, out),
        Reply::Map(pairs) if resp3 => flat_pairs(b'%', pairs.len(), pairs, protocol, out),
        Reply::Map(pairs) => flat_pairs(b'*', pairs.len() * 2, pairs, protocol, out),
        Reply::Pairs(pairs) if resp3 => nested_pairs(pairs, protocol, out),
        Reply::Pairs(pairs) => flat_pairs(b'*', pairs.len() * 2, pairs, protocol, out),
        Reply::Entries(pairs) if resp3 => flat_pairs(b'%', pairs.len(), pairs, protocol, out),
        Reply::Entries(pairs) => nested_pairs(pairs, protocol, out),
        Reply::Several(replies) => replies.iter().for_each(|reply| encode(reply, protocol, out)),
        Reply::Raw(wire) => out.put_slice(wire),
        Reply::Nothing => {}
    }
}

fn line(kind: u8, text: &[u8], out: &mut BytesMut) {
    out.reserve(text.len() + 3);
    out.put_u8(kind);
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn header(kind: u8, number: i64, out: &mut BytesMut) {
    // Most lengths and counters have one digit.
    if (0..10).contains(&number) {
        out.put_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
    } else {
        line(kind, &IntegerText::new(number), out);
    }
}

fn bulk(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(bytes.len() + 16);
    header(b'$', bytes.len() as i64, out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn verbatim(text: &Bytes, out: &mut BytesMut) {
    header(b'=', text.len() as i64 + 4, out);
    out.put_slice(b"txt:");
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

fn sequence(kind: u8, items: &[Reply], protocol: Protocol, out: &mut BytesMut) {
    header(kind, items.len() as i64, out);
    for item in items {
        encode(item, protocol, out);
    }
}

fn flat_pairs(kind: u8, count: usize, pairs: &[(Reply, Reply)], protocol: Protocol, out: &mut BytesMut) {
    header(kind, count as i64, out);
    for (first, second) in pairs {
        encode(first, protocol, out);
        encode(second, protocol, out);
    }
}

fn nested_pairs(pairs: &[(Reply, Reply)], protocol: Protocol, out: &mut BytesMut) {
    header(b'*', pairs.len() as i64, out);
    for (first, second) in pairs {
        out.put_slice(b"*2\r\n");
        encode(first, protocol, out);
        encode(second, protocol, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply, protocol: Protocol) -> String {
        let mut out = BytesMut::new();
        encode(reply, protocol, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn both_protocols() {
        let pair = || vec![(Reply::text("a"), Reply::Integer(1))];
        for (reply, resp2, resp3) in [
            (Reply::Ok, "+OK\r\n", "+OK\r\n"),
            (Reply::status("PONG"), "+PONG\r\n", "+PONG\r\n"),
            (Reply::error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (Reply::Integer(-12), ":-12\r\n", ":-12\r\n"),
            (Reply::text(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (Reply::text("0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"),
            (Reply::Verbatim("hi".into()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::NullArray, "*-1\r\n", "_\r\n"),
            (Reply::Double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n"),
            (Reply::Boolean(true), ":1\r\n", "#t\r\n"),
            (Reply::Boolean(false), ":0\r\n", "#f\r\n"),
            (Reply::BigNumber("123".into()), "$3\r\n123\r\n", "(123\r\n"),
            (Reply::Array(vec![]), "*0\r\n", "*0\r\n"),
            (Reply::Set(vec![Reply::ONE]), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
            (Reply::Push(vec![Reply::ONE]), "*1\r\n:1\r\n", ">1\r\n:1\r\n"),
            (Reply::Map(pair()), "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"),
            (Reply::Pairs(pair()), "*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n*2\r\n$1\r\na\r\n:1\r\n"),
            (Reply::Entries(pair()), "*1\r\n*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"),
            (Reply::Several(vec![Reply::ONE, Reply::Push(vec![])]), ":1\r\n*0\r\n", ":1\r\n>0\r\n"),
            (Reply::Nothing, "", ""),
        ] {
            assert_eq!(text(&reply, Protocol::Resp2), resp2);
            assert_eq!(text(&reply, Protocol::Resp3), resp3);
        }
    }
}
