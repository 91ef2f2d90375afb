//! Plays a program on both servers and says where they differ.

use std::fmt;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::normal::normal;
use super::play::{KeyState, Program, state};
use super::talk::{self, Turn};
use crate::runner::case::Matcher;
use crate::runner::compare::same;
use crate::runner::resp::{Client, Event, Reply};
use crate::runner::text::{escape_short, quote};

/// What differs, in words.
#[derive(Debug)]
pub struct Difference {
    /// The command that was answered differently; none when the state at the end differs.
    command: Option<Vec<u8>>,
    what: String,
    reference: String,
    subject: String,
    /// Of a scripted program: what the reference did.
    pub turns: Vec<Turn>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, reference, subject, .. } = self;
        write!(f, "# {what}\n#   redis    {reference}\n#   subject  {subject}")
    }
}

impl Difference {
    fn at_the_end(what: String, reference: String, subject: String) -> Difference {
        let what = format!("at the end, {what}");
        Difference { command: None, what, reference, subject, turns: Vec::new() }
    }

    /// What to blame at first sight: two differences with the same culprit may have the same cause.
    pub fn culprit(&self) -> Vec<u8> {
        self.command.clone().unwrap_or_default()
    }
}

/// Two servers that play the same programs.
#[derive(Clone, Copy)]
pub struct Pair {
    pub reference: SocketAddr,
    pub subject: SocketAddr,
    /// How long the subject may take to do what the reference has done.
    pub patience: Duration,
}

/// The first difference between two servers that play the program.
pub fn differs(program: &Program, pair: Pair) -> Result<Option<Difference>, String> {
    if program.scripted {
        return in_talk(program, pair);
    }
    let Pair { reference, subject, .. } = pair;
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| program.play(reference));
        let ours = program.play(subject);
        (theirs.join().unwrap_or_else(|_| Err("the player panicked".into())), ours)
    });
    let ((replies, state), (our_replies, our_state)) = (theirs?, ours?);
    Ok(in_replies(program, &replies, &our_replies).or_else(|| in_state(&state, &our_state)))
}

fn in_replies(program: &Program, theirs: &[Event], ours: &[Event]) -> Option<Difference> {
    // By connection, how the replies to the commands queued in its transaction are to be compared.
    let mut queued: Vec<Vec<&[Vec<u8>]>> = vec![Vec::new(); 8];
    for (step, (theirs, ours)) in program.steps.iter().zip(theirs.iter().zip(ours)) {
        let queue = &mut queued[step.connection];
        let name = step.args[0].to_ascii_uppercase();
        let equal = match (theirs, ours) {
            (Event::Reply(a), Event::Reply(b)) if name == b"EXEC" => same_exec(queue, a, b),
            _ => same_reply(&step.args, theirs, ours),
        };
        match theirs {
            Event::Reply(reply) if reply.raw == b"+QUEUED\r\n" => queue.push(&step.args),
            _ if name == b"EXEC" || name == b"DISCARD" => queue.clear(),
            _ => {}
        }
        if !equal {
            let words: Vec<String> = step.args.iter().map(|arg| quote(arg)).collect();
            let what = format!("the reply to {}", words.join(" "));
            let (reference, subject) = (show(theirs), show(ours));
            return Some(Difference { command: Some(name), what, reference, subject, turns: Vec::new() });
        }
    }
    None
}

/// The first difference in a scripted program.
fn in_talk(program: &Program, pair: Pair) -> Result<Option<Difference>, String> {
    let pairs = talk::play(program, pair)?;
    let turns: Vec<Turn> = pairs.iter().map(|(theirs, _)| theirs.clone()).collect();
    let groups = program.groups().map(Some).chain([None]);
    let different = pairs.iter().zip(groups).find(|((theirs, ours), _)| !talk::same(theirs, ours));
    let Some(((theirs, ours), group)) = different else {
        let state = |address| {
            let client = Client::connect(address).map_err(|error| format!("{address}: {error}"));
            state(&mut client?)
        };
        let difference = in_state(&state(pair.reference)?, &state(pair.subject)?);
        return Ok(difference.map(|difference| Difference { turns, ..difference }));
    };
    let words = |args: &[Vec<u8>]| args.iter().map(|arg| quote(arg)).collect::<Vec<_>>().join(" ");
    let sent: Vec<String> = group.unwrap_or_default().iter().map(|step| words(&step.args)).collect();
    let what = match sent.is_empty() {
        true => "what comes at the end".into(),
        false => format!("what comes of {}", sent.join(", ")),
    };
    let command = group.and_then(|group| group.last()).map(|step| step.args[0].to_ascii_uppercase());
    let (reference, subject) = (show_turn(theirs), show_turn(ours));
    Ok(Some(Difference { command, what, reference, subject, turns }))
}

fn show_turn(turn: &Turn) -> String {
    let mut text = String::from(if turn.blocked { "(blocked)" } else { "" });
    for (client, events) in turn.got.iter().enumerate().filter(|(_, events)| !events.is_empty()) {
        let events: Vec<String> = events.iter().map(show).collect();
        text.push_str(&format!(" {}: {}", (b'a' + client as u8) as char, events.join(" ")));
    }
    text
}

fn same_reply(args: &[Vec<u8>], theirs: &Event, ours: &Event) -> bool {
    if same(&matcher(&args[0].to_ascii_uppercase()), ours, theirs) {
        return true;
    }
    match (theirs, ours) {
        (Event::Reply(a), Event::Reply(b)) => normal(args, a) == normal(args, b),
        _ => false,
    }
}

fn same_exec(queue: &[&[Vec<u8>]], a: &Reply, b: &Reply) -> bool {
    if a.items.len() != queue.len() || b.items.len() != queue.len() {
        return a.raw == b.raw;
    }
    let equal = |(args, (a, b)): (&&[Vec<u8>], (&Reply, &Reply))| {
        same_reply(args, &Event::Reply(a.clone()), &Event::Reply(b.clone()))
    };
    a.kind == b.kind && queue.iter().zip(a.items.iter().zip(&b.items)).all(equal)
}

fn matcher(name: &[u8]) -> Matcher {
    match name {
        b"TTL" | b"EXPIRETIME" => Matcher::Near(5.0),
        b"PTTL" | b"PEXPIRETIME" => Matcher::Near(5000.0),
        b"KEYS" => Matcher::Sorted,
        b"SCAN" => Matcher::Cursor,
        b"RANDOMKEY" => Matcher::Type,
        _ => Matcher::Exact,
    }
}

fn in_state(theirs: &[KeyState], ours: &[KeyState]) -> Option<Difference> {
    let names = |state: &[KeyState]| -> Vec<String> {
        state.iter().map(|entry| format!("{}:{}", entry.database, quote(&entry.key))).collect()
    };
    let (reference, subject) = (names(theirs), names(ours));
    if reference != subject {
        return Some(Difference::at_the_end("the keys".into(), reference.join(" "), subject.join(" ")));
    }
    for (a, b) in theirs.iter().zip(ours) {
        let name = format!("{} of database {}", quote(&a.key), a.database);
        let pairs =
            [("value", &a.value, &b.value, Matcher::Dump), ("PTTL", &a.ttl, &b.ttl, Matcher::Near(5000.0))];
        for (what, theirs, ours, matcher) in pairs {
            if !same(&matcher, ours, theirs) {
                return Some(Difference::at_the_end(
                    format!("the {what} of {name}"),
                    show(theirs),
                    show(ours),
                ));
            }
        }
        if let (Some(theirs), Some(ours)) = (&a.details, &b.details)
            && !same_reply(&[b"XINFO".to_vec()], theirs, ours)
        {
            return Some(Difference::at_the_end(format!("XINFO of {name}"), show(theirs), show(ours)));
        }
    }
    None
}

fn show(event: &Event) -> String {
    match event {
        Event::Reply(reply) => escape_short(&reply.raw),
        other => format!("{other:?}"),
    }
}
