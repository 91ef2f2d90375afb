//! A program and how it is played on one server.

use std::net::SocketAddr;

use super::talk::Turn;
use super::words::DATABASES;
use crate::runner::resp::{Client, Event, Reply, encode};
use crate::runner::text::quote;

#[derive(Clone, Debug)]
pub struct Program {
    pub resp: u8,
    /// Clients may block and hear of each other: `talk.rs` plays it.
    pub scripted: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub connection: usize,
    pub args: Vec<Vec<u8>>,
    /// Sent in one write with the step before, if that has the same connection.
    pub pipelined: bool,
}

/// The value and time to live of one key.
#[derive(Debug)]
pub struct KeyState {
    pub database: usize,
    pub key: Vec<u8>,
    pub value: Event,
    /// Of a stream, what XINFO knows.
    pub details: Option<Event>,
    pub ttl: Event,
}

impl Program {
    /// Replies in the order of the steps, and what is in the databases afterwards.
    pub fn play(&self, address: SocketAddr) -> Result<(Vec<Event>, Vec<KeyState>), String> {
        let connect = || Client::connect(address).map_err(|error| format!("{address}: {error}"));
        connect()?.demand(&["FLUSHALL"])?;
        let count = self.steps.iter().map(|step| step.connection + 1).max().unwrap_or(0);
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = connect()?;
            if self.resp == 3 {
                client.demand(&["HELLO", "3"])?;
            }
            clients.push(client);
        }
        let mut replies = Vec::with_capacity(self.steps.len());
        for group in self.groups() {
            let client = &mut clients[group[0].connection];
            client.send(&group.iter().flat_map(|step| encode(&step.args)).collect::<Vec<u8>>());
            replies.extend(group.iter().map(|_| client.read()));
        }
        Ok((replies, state(&mut connect()?)?))
    }

    /// Without what is known to differ: commands that 7.0 refuses in MULTI with words of its own; subscriptions of transactions that
    /// publish before, which is delivered when all is done, also to those who subscribe after; what the server does to watched keys
    /// as a whole (FLUSHDB, SWAPDB), and what Redis does not take for a change: XSETID, and BITFIELD that lengthens a value for a field that
    /// does not fit.
    pub fn without_known_differences(mut self) -> Program {
        let (mut publishes, mut watching) = ([None; 4], [false; 4]);
        self.steps.retain(|step| {
            let name = step.args[0].to_ascii_uppercase();
            let publishes = &mut publishes[step.connection];
            let may_fail = || step.args.iter().any(|word| word.eq_ignore_ascii_case(b"FAIL"));
            match (&name[..], *publishes) {
                (b"MULTI" | b"WATCH", Some(_)) => return false,
                (b"FLUSHDB" | b"FLUSHALL" | b"SWAPDB" | b"XSETID", _) if watching.contains(&true) => {
                    return false;
                }
                (b"BITFIELD", _) if watching.contains(&true) && may_fail() => return false,
                (b"MULTI", None) => *publishes = Some(false),
                (b"WATCH", None) => watching[step.connection] = true,
                (b"UNWATCH", None) => watching[step.connection] = false,
                (b"EXEC" | b"DISCARD", Some(_)) => {
                    *publishes = None;
                    watching[step.connection] = false;
                }
                (b"PUBLISH" | b"SPUBLISH", Some(_)) => *publishes = Some(true),
                (name, Some(true)) => return !name.ends_with(b"SUBSCRIBE"),
                _ => {}
            }
            true
        });
        self
    }

    pub fn groups(&self) -> impl Iterator<Item = &[Step]> {
        self.steps.chunk_by(|before, step| step.pipelined && before.connection == step.connection)
    }

    /// The program as a case file. Of a scripted one, the turns say how much each client reads.
    pub fn as_case(&self, turns: &[Turn]) -> String {
        let mut text = String::from("%only plain: a program with pipelines and transactions of its own\n");
        text.push_str(&format!("%not resp{}: found with RESP{}\n", 5 - self.resp, self.resp));
        let name = |connection: usize| (b'a' + connection as u8) as char;
        for (at, group) in self.groups().enumerate() {
            let turn = turns.get(at);
            if self.scripted && turn.is_none_or(|turn| turn.skipped) {
                continue;
            }
            let wait = if self.scripted { "& " } else { "" };
            let lines = group.iter().map(|step| {
                let words: Vec<String> = step.args.iter().map(|arg| quote(arg)).collect();
                format!("@{} {wait}{}\n", name(step.connection), words.join(" "))
            });
            let lines: String = lines.collect();
            match group.len() {
                1 => text.push_str(&lines),
                _ => text.push_str(&format!("%pipeline\n{lines}%end\n")),
            }
            let Some(turn) = turn else { continue };
            for (client, events) in turn.got.iter().enumerate().filter(|(_, events)| !events.is_empty()) {
                text.push_str(&format!("@{} < {}\n", name(client), events.len()));
            }
            if turn.blocked {
                text.push_str(&format!("@{} %blocked\n", name(group[0].connection)));
            }
        }
        text
    }
}

/// What is in the databases.
pub fn state(client: &mut Client) -> Result<Vec<KeyState>, String> {
    let mut state = Vec::new();
    for database in 0..DATABASES {
        if database > 0 && client.demand(&["SELECT", &database.to_string()]).is_err() {
            // A server with fewer databases, which the replies have shown.
            break;
        }
        let Reply { items, .. } = client.demand(&["KEYS", "*"])?;
        let mut keys: Vec<Vec<u8>> = items.into_iter().map(|key| key.text).collect();
        keys.sort();
        for key in keys {
            let kind = client.demand(&[b"TYPE", &key[..]])?.text;
            let (value, details) = match &kind[..] {
                b"string" => (client.call(&[b"GET", &key[..]]), None),
                b"stream" => {
                    let details = client.call(&[&b"XINFO"[..], b"STREAM", &key, b"FULL", b"COUNT", b"0"]);
                    (client.call(&[b"XRANGE", &key[..], b"-", b"+"]), Some(details))
                }
                _ => (client.call(&[b"DUMP", &key[..]]), None),
            };
            let ttl = client.call(&[b"PTTL", &key[..]]);
            state.push(KeyState { database, key, value, details, ttl });
        }
    }
    Ok(state)
}
