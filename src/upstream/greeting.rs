//! What an upstream says of itself when one connects: its version, which run of it this is, whether it speaks RESP3, its commands.

use std::collections::HashMap;

use super::connection::{Connection, words};
use super::error::UpstreamError;
use crate::resp::Reply;

/// An upstream's self-description.
#[derive(Debug)]
pub struct Greeting {
    pub version: String,
    /// New at each start of the server; unknown to those who may not ask for INFO.
    pub run_id: Option<String>,
    /// Whether it knows HELLO (since Redis 6).
    pub has_protocols: bool,
    /// Whether the connection has got its name.
    pub is_named: bool,
    commands: HashMap<Vec<u8>, Foreign>,
}

/// A command as the upstream declares it (COMMAND): for those that respg does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    pub writes: bool,
    pub reads: bool,
    pub blocks: bool,
    /// May do anything to the data, e.g. run a script.
    pub may_replicate: bool,
    /// Where keys stand is not said by the next three.
    pub movable_keys: bool,
    first: i64,
    last: i64,
    step: i64,
}

impl Foreign {
    /// Whether a call certainly changes no key. Scripts neither read nor write by their flags, and have keys somewhere.
    pub fn only_reads(&self) -> bool {
        self.reads || (!self.writes && !self.may_replicate && !self.movable_keys)
    }

    /// The positions of the keys in a call of so many words, unless they are movable.
    pub fn key_positions(&self, words: usize) -> Vec<usize> {
        let words = words as i64;
        let last = if self.last < 0 { words + self.last } else { self.last }.min(words - 1);
        if self.first <= 0 || self.step <= 0 || self.movable_keys {
            return Vec::new();
        }
        (self.first..=last).step_by(self.step as usize).map(|place| place as usize).collect()
    }
}

impl Greeting {
    pub(super) async fn of(connection: &mut Connection, name: &str) -> Result<Greeting, UpstreamError> {
        let calls = [
            words(["CLIENT", "SETNAME", name]),
            words(["HELLO", "2"]),
            words(["INFO", "server"]),
            words(["COMMAND"]),
        ];
        let replies = connection.call(&calls).await?;
        let [named, hello, info, commands] = &replies[..] else { unreachable!("one reply for each call") };
        Ok(Greeting {
            // Not everybody may ask for INFO.
            version: info_field(info, "redis_version:")
                .or_else(|| version_of_hello(hello))
                .unwrap_or_default(),
            run_id: info_field(info, "run_id:"),
            has_protocols: !hello.is_error(),
            is_named: *named == Reply::Ok,
            commands: match commands {
                Reply::Array(commands) => commands.iter().filter_map(foreign).collect(),
                _ => HashMap::new(),
            },
        })
    }

    /// Whether the upstream keeps its commands to itself, as it may by its ACL.
    pub fn is_silent(&self) -> bool {
        self.commands.is_empty()
    }

    /// The upstream's own declaration of a command.
    pub fn command(&self, name: &[u8]) -> Option<Foreign> {
        self.commands.get(&name.to_ascii_lowercase()).copied()
    }
}

/// A field of INFO; nothing of who may not ask for it. `name`: with its colon.
pub fn info_field(info: &Reply, name: &str) -> Option<String> {
    let (Reply::Bulk(text) | Reply::Verbatim(text)) = info else { return None };
    // Paths among them may be of any bytes.
    let value = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
    Some(value.trim_ascii().escape_ascii().to_string())
}

/// Whether an error of COMMAND GETKEYS says that the call is known and has no keys, or too few words. Before Redis 7 it says so of scripts without keys, too.
pub fn says_no_keys(why: &[u8]) -> bool {
    let says = |text: &[u8]| why.windows(text.len()).any(|words| words == text);
    says(b"no key arguments") || says(b"Invalid arguments specified") || says(b"Invalid number of arguments")
}

fn version_of_hello(hello: &Reply) -> Option<String> {
    let Reply::Array(words) = hello else { return None };
    let at = words.iter().position(|word| *word == Reply::text("version"))?;
    match words.get(at + 1)? {
        Reply::Bulk(version) => std::str::from_utf8(version).ok().map(str::to_owned),
        _ => None,
    }
}

/// An element of COMMAND's reply: name, arity, flags, first key, last key, step ...
fn foreign(command: &Reply) -> Option<(Vec<u8>, Foreign)> {
    let Reply::Array(parts) = command else { return None };
    let [
        Reply::Bulk(name),
        _,
        Reply::Array(flags) | Reply::Set(flags),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        ..,
    ] = &parts[..]
    else {
        return None;
    };
    let has = |flag: &str| {
        flags.iter().any(|said| matches!(said, Reply::Status(said) | Reply::Bulk(said) if said == flag))
    };
    let foreign = Foreign {
        writes: has("write"),
        reads: has("readonly"),
        blocks: has("blocking"),
        may_replicate: has("may_replicate"),
        movable_keys: has("movablekeys"),
        first: *first,
        last: *last,
        step: *step,
    };
    Some((name.to_ascii_lowercase(), foreign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands() {
        let flags = Reply::Array(vec![Reply::status("write"), Reply::status("blocking")]);
        let blpop =
            [Reply::text("blpop"), Reply::Integer(-3), flags, Reply::ONE, Reply::Integer(-2), Reply::ONE];
        let (name, foreign) = foreign(&Reply::Array(blpop.into())).unwrap();
        assert_eq!(name, b"blpop");
        assert!(foreign.writes && foreign.blocks && !foreign.reads);
        assert_eq!(foreign.key_positions(4), [1, 2]);
    }
}
