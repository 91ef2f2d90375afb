//! Plays programs whose clients block and hear of each other.
//!
//! The reference plays first, and after each write everything that came of it is taken down: which client got what, and who
//! is blocked. The subject must do the same, no matter how long its messages take: of every client exactly as much is
//! read as the reference's had. What is too much shows in a later read, at the latest in the one at the end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::check::Pair;
use super::play::{Program, Step};
use crate::runner::resp::{Client, Event, Reply, encode};

/// What came of a write: by connection, what it got.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The sender was blocked already, and sent nothing.
    pub skipped: bool,
    /// The sender is blocked now.
    pub blocked: bool,
    pub got: Vec<Vec<Event>>,
}

/// With the reference.
const PATIENCE: Duration = Duration::from_secs(5);

struct Player {
    clients: Vec<Client>,
    ids: Vec<String>,
    blocked: Vec<bool>,
    observer: Client,
    patience: Duration,
}

impl Player {
    fn new(program: &Program, address: SocketAddr, patience: Duration) -> Result<Player, String> {
        let connect = || Client::connect(address).map_err(|error| format!("{address}: {error}"));
        let mut observer = connect()?;
        observer.demand(&["FLUSHALL"])?;
        let count = program.steps.iter().map(|step| step.connection + 1).max().unwrap_or(0);
        let (mut clients, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut client = connect()?;
            client.set_patience(patience);
            if program.resp == 3 {
                client.demand(&["HELLO", "3"])?;
            }
            ids.push(client.demand(&["CLIENT", "ID"])?.text_lossy());
            clients.push(client);
        }
        Ok(Player { clients, ids, blocked: vec![false; count], observer, patience })
    }

    fn flags(&mut self, client: usize) -> Result<Option<String>, String> {
        let list = self.observer.demand(&["CLIENT", "LIST", "ID", &self.ids[client]])?.text_lossy();
        Ok(list.split(' ').find_map(|field| field.strip_prefix("flags=")).map(str::to_owned))
    }

    fn is_blocked(&mut self, client: usize) -> Result<bool, String> {
        Ok(self.flags(client)?.is_some_and(|flags| flags.contains('b')))
    }

    /// What has arrived. The observer has been answered after it was sent.
    fn drain(&mut self, client: usize) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match self.clients[client].read_within(Duration::ZERO) {
                Event::Nothing => return events,
                event @ Event::Reply(_) => events.push(event),
                event => {
                    events.push(event);
                    return events;
                }
            }
        }
    }

    fn send(&mut self, group: &[Step]) {
        let bytes: Vec<u8> = group.iter().flat_map(|step| encode(&step.args)).collect();
        self.clients[group[0].connection].send(&bytes);
    }

    /// On a server that has done all that follows from a command before it reads the next one.
    fn turn(&mut self, group: &[Step]) -> Result<Turn, String> {
        let sender = group[0].connection;
        let mut got = vec![Vec::new(); self.clients.len()];
        if self.blocked[sender] {
            return Ok(Turn { skipped: true, blocked: true, got });
        }
        self.send(group);
        let deadline = Instant::now() + self.patience;
        while got[sender].len() < group.len() && !self.is_blocked(sender)? && Instant::now() < deadline {
            let more = self.drain(sender);
            got[sender].extend(more);
        }
        self.blocked[sender] = self.is_blocked(sender)?;
        for (client, got) in got.iter_mut().enumerate() {
            got.extend(self.drain(client));
            if self.blocked[client] {
                self.blocked[client] = self.is_blocked(client)?;
            }
        }
        Ok(Turn { skipped: false, blocked: self.blocked[sender], got })
    }

    /// The turn of another server again.
    fn follow(&mut self, group: &[Step], theirs: &Turn) -> Result<Turn, String> {
        let sender = group[0].connection;
        if theirs.skipped {
            return Ok(theirs.clone());
        }
        self.send(group);
        let got = theirs.got.iter().enumerate();
        let got = got.map(|(client, events)| events.iter().map(|_| self.clients[client].read()).collect());
        let got = got.collect();
        let deadline = Instant::now() + self.patience;
        let mut blocked = self.is_blocked(sender)?;
        while theirs.blocked && !blocked && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
            blocked = self.is_blocked(sender)?;
        }
        // Somebody who should be served may have to wait for it a moment: the reads have seen to that.
        Ok(Turn { skipped: false, blocked, got })
    }

    /// What clients have got that nobody has read.
    fn rest(&mut self, blocked: &[bool]) -> Result<Turn, String> {
        let mut got = Vec::new();
        for (client, blocked) in blocked.iter().enumerate() {
            let event = match blocked {
                true => {
                    let id = self.ids[client].clone();
                    let _ = self.observer.call(&["CLIENT", "UNBLOCK", &id, "ERROR"]);
                    self.clients[client].read()
                }
                false => self.clients[client].call(&["ECHO", "the end"]),
            };
            got.push(vec![event]);
        }
        Ok(Turn { skipped: false, blocked: false, got })
    }

    /// The clients are gone, with their subscriptions.
    fn finish(mut self) -> Result<(), String> {
        self.clients.clear();
        let deadline = Instant::now() + self.patience;
        for client in 0..self.ids.len() {
            while self.flags(client)?.is_some() {
                if Instant::now() > deadline {
                    return Err("a client whose connection was closed is still there".into());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

/// The turns of the reference and of the subject, the last of which is the end.
pub fn play(program: &Program, pair: Pair) -> Result<Vec<(Turn, Turn)>, String> {
    let mut theirs = Player::new(program, pair.reference, PATIENCE)?;
    let mut turns = Vec::new();
    for group in program.groups() {
        turns.push(theirs.turn(group)?);
    }
    let blocked = theirs.blocked.clone();
    turns.push(theirs.rest(&blocked)?);
    theirs.finish()?;

    let mut ours = Player::new(program, pair.subject, pair.patience)?;
    let mut pairs = Vec::new();
    let mut groups = program.groups();
    for theirs in turns {
        let turn = match groups.next() {
            Some(group) => ours.follow(group, &theirs)?,
            None => ours.rest(&blocked)?,
        };
        let same = same(&theirs, &turn);
        pairs.push((theirs, turn));
        if !same {
            break;
        }
    }
    // What a broken server thinks of its clients is its own business.
    let _ = ours.finish();
    Ok(pairs)
}

pub fn same(theirs: &Turn, ours: &Turn) -> bool {
    // What was blocked goes on when something is committed, and messages come over another way.
    let pushed = |event: &Event| matches!(event, Event::Reply(reply) if reply.kind == b'>');
    let parts =
        |events: &[Event]| -> (Vec<Event>, Vec<Event>) { events.iter().flat_map(apart).partition(pushed) };
    let equal = |a: &[Event], b: &[Event]| {
        let (a, b) = (parts(a), parts(b));
        sorted(&a.0) == sorted(&b.0) && sorted(&a.1) == sorted(&b.1)
    };
    theirs.blocked == ours.blocked && theirs.got.iter().zip(&ours.got).all(|(a, b)| equal(a, b))
}

/// Redis before 7.2 sends a client's own messages in the middle of EXEC's reply, where they are read as its elements.
fn apart(event: &Event) -> Vec<Event> {
    match event {
        Event::Reply(Reply { items, .. }) if items.iter().any(|item| item.kind == b'>') => {
            items.iter().cloned().map(Event::Reply).collect()
        }
        _ => vec![event.clone()],
    }
}

/// Of one message that fits several of a client's patterns the copies come in the order of a hash table.
fn sorted(events: &[Event]) -> Vec<Event> {
    let message = |event: &Event| match event {
        Event::Reply(Reply { items, .. }) if items.first().is_some_and(|name| name.text == b"pmessage") => {
            Some([items[2].raw.clone(), items[3].raw.clone()])
        }
        _ => None,
    };
    let same_message = |a: &Event, b: &Event| message(a).is_some() && message(a) == message(b);
    let mut out = Vec::new();
    for copies in events.chunk_by(same_message) {
        let mut copies = copies.to_vec();
        copies.sort_by_key(|event| match event {
            Event::Reply(reply) => reply.raw.clone(),
            _ => Vec::new(),
        });
        out.extend(copies);
    }
    out
}
