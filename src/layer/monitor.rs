//! MONITOR: shows the clients that asked for it what is executed.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::observe::Call;
use crate::command::{Flags, Request};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::state::Process;

/// `db` is the database that the call ran in.
pub fn show(process: &Process, call: &Call<'_>, db: DbIndex) {
    let Some(request) = call.run() else { return };
    let flags = request.command.flags;
    if flags.has(Flags::SKIP_MONITOR) || flags.has(Flags::ADMIN) {
        return;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line =
        format!("{}.{:06} [{} {}]", since.as_secs(), since.subsec_micros(), db.0, call.session.client.addr);
    append_words(request, &mut line);
    process.monitors.push(&Reply::Status(line.into()), process.settings.output_limits().pubsub);
}

fn append_words(request: &Request, line: &mut String) {
    for (i, word) in request.argv.iter().enumerate() {
        line.push_str(" \"");
        match (request.command.secret)(&request.argv, i) {
            true => line.push_str("(redacted)"),
            false => append_escaped(word, line),
        }
        line.push('"');
    }
}

/// Redis's way to show bytes (sdscatrepr).
fn append_escaped(bytes: &[u8], line: &mut String) {
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend(['\\', char::from(byte)]),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            0x07 => line.push_str("\\a"),
            0x08 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::command::Incoming;

    #[test]
    fn shows_words_as_redis() {
        let words = [&b"set"[..], b"k", b"a\"b\\\n\r\t\x07\x08\x00\xff"];
        let incoming = Incoming::new(words.into_iter().map(Bytes::from_static).collect());
        let mut line = String::new();
        append_words(incoming.resolved().unwrap(), &mut line);
        assert_eq!(line, r#" "set" "k" "a\"b\\\n\r\t\a\b\x00\xff""#);
    }
}
