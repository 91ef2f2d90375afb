//! Plays a program on both servers and says where they differ.

use std::fmt;
use std::net::SocketAddr;
use std::thread;

use super::play::{KeyState, Program};
use crate::runner::case::Matcher;
use crate::runner::compare::same;
use crate::runner::resp::{Event, Reply};
use crate::runner::text::{escape_short, quote};

/// What differs, in words.
#[derive(Debug)]
pub struct Difference {
    /// The command that was answered differently; none when the state at the end differs.
    command: Option<Vec<u8>>,
    what: String,
    reference: String,
    subject: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { what, reference, subject, .. } = self;
        write!(f, "# {what}\n#   redis    {reference}\n#   subject  {subject}")
    }
}

impl Difference {
    /// What to blame at first sight: two differences with the same culprit may have the same cause.
    pub fn culprit(&self) -> Vec<u8> {
        self.command.clone().unwrap_or_default()
    }
}

/// The first difference between two servers that play the program.
pub fn differs(
    program: &Program,
    reference: SocketAddr,
    subject: SocketAddr,
) -> Result<Option<Difference>, String> {
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
    let mut queued: Vec<Vec<Matcher>> = vec![Vec::new(); 8];
    for (step, (theirs, ours)) in program.steps.iter().zip(theirs.iter().zip(ours)) {
        let queue = &mut queued[step.connection];
        let name = step.args[0].to_ascii_uppercase();
        let equal = match (theirs, ours) {
            (Event::Reply(a), Event::Reply(b)) if name == b"EXEC" => same_exec(queue, a, b),
            _ => same(&matcher(&name), ours, theirs),
        };
        match theirs {
            Event::Reply(reply) if reply.raw == b"+QUEUED\r\n" => queue.push(matcher(&name)),
            _ if name == b"EXEC" || name == b"DISCARD" => queue.clear(),
            _ => {}
        }
        if !equal {
            let words: Vec<String> = step.args.iter().map(|arg| quote(arg)).collect();
            let what = format!("the reply to {}", words.join(" "));
            let (reference, subject) = (show(theirs), show(ours));
            return Some(Difference { command: Some(name), what, reference, subject });
        }
    }
    None
}

fn same_exec(queue: &[Matcher], a: &Reply, b: &Reply) -> bool {
    if a.items.len() != queue.len() || b.items.len() != queue.len() {
        return a.raw == b.raw;
    }
    let equal = |(matcher, (a, b)): (&Matcher, (&Reply, &Reply))| {
        same(matcher, &Event::Reply(b.clone()), &Event::Reply(a.clone()))
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
        let what = "the keys at the end".into();
        let (reference, subject) = (reference.join(" "), subject.join(" "));
        return Some(Difference { command: None, what, reference, subject });
    }
    for (a, b) in theirs.iter().zip(ours) {
        let name = format!("{} of database {} at the end", quote(&a.key), a.database);
        let pairs =
            [("value", &a.value, &b.value, Matcher::Dump), ("PTTL", &a.ttl, &b.ttl, Matcher::Near(5000.0))];
        for (what, theirs, ours, matcher) in pairs {
            if !same(&matcher, ours, theirs) {
                let what = format!("the {what} of {name}");
                let (reference, subject) = (show(theirs), show(ours));
                return Some(Difference { command: None, what, reference, subject });
            }
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
