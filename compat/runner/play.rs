//! Plays a case in one variant against one server and writes down what came back.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::case::{Action, Answer, Case, Matcher, Mode, Step, Variant};
use super::catalogue::Catalogue;
use super::connections::{Connections, Place};
use super::parse::{expand, references};
use super::resp::{Client, Event, Reply, encode};
use super::text::Word;

/// One thing read from a server. Transcripts of the same case and variant have the same steps in the same order.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Index into the case's steps.
    pub step: usize,
    pub part: Part,
    pub event: Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Reply,
    Multi,
    Queued,
    /// The whole reply of an EXEC whose elements could not be told apart, or its header.
    Exec,
    /// The client is blocked: nothing, or a loss when the server does not say so in time.
    Blocked,
    /// The client's connection was closed: likewise.
    Gone,
}

/// Plays the case on a server of one or more processes; an error is a fault of the case or of the machinery, not a
/// difference.
pub fn play(
    case: &Case,
    variant: Variant,
    place: Place,
    catalogues: &[Catalogue],
) -> Result<Vec<Observed>, String> {
    let connections = Connections::new(case, variant, place);
    let mut player = Player { case, variant, connections, captured: HashMap::new(), transcript: Vec::new() };
    for unit in units(case, variant.mode, catalogues) {
        player.unit(&unit)?;
    }
    player.connections.finish()?;
    Ok(player.transcript)
}

/// Steps that are sent together.
struct Unit {
    steps: Vec<usize>,
    /// In one MULTI/EXEC.
    together: bool,
}

fn units(case: &Case, mode: Mode, catalogues: &[Catalogue]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let joins = units.last().is_some_and(|unit| {
            let first = &case.steps[unit.steps[0]];
            let captured = |name: &String| uses(step, name);
            let names = unit.steps.iter().filter_map(|&at| capture(&case.steps[at]));
            match (first.pipeline, step.pipeline) {
                (Some(a), Some(b)) => a == b,
                (None, None) => {
                    matches!(mode, Mode::Pipelined | Mode::Block)
                        && first.connection == step.connection
                        && is_plain_command(first)
                        && is_plain_command(step)
                        && !names.into_iter().any(captured)
                        && !(mode == Mode::Block && (refused(first, catalogues) || refused(step, catalogues)))
                }
                _ => false,
            }
        });
        match units.last_mut() {
            Some(unit) if joins => unit.steps.push(index),
            _ => units
                .push(Unit { steps: vec![index], together: mode == Mode::Block && step.pipeline.is_none() }),
        }
    }
    units
}

fn is_plain_command(step: &Step) -> bool {
    matches!(step.action, Action::Command { answer: Answer::Replies(_), .. })
}

fn capture(step: &Step) -> Option<&String> {
    match &step.action {
        Action::Command { capture, .. } | Action::Read { capture, .. } => capture.as_ref(),
        _ => None,
    }
}

fn uses(step: &Step, name: &str) -> bool {
    match &step.action {
        Action::Command { words, .. } | Action::Raw(words) => words.iter().any(|word| references(word, name)),
        _ => false,
    }
}

/// Commands that would make a transaction fail as a whole are kept apart from their neighbours.
fn refused(step: &Step, catalogues: &[Catalogue]) -> bool {
    match &step.action {
        Action::Command { words, .. } => {
            let words: Vec<&[u8]> = words.iter().map(|word| &word.bytes[..]).collect();
            catalogues.iter().any(|catalogue| catalogue.refuses_to_queue(&words))
        }
        _ => false,
    }
}

struct Player<'a> {
    case: &'a Case,
    variant: Variant,
    connections: Connections<'a>,
    captured: HashMap<String, Vec<u8>>,
    transcript: Vec<Observed>,
}

impl Player<'_> {
    fn unit(&mut self, unit: &Unit) -> Result<(), String> {
        let together = unit.together && is_plain_command(&self.case.steps[unit.steps[0]]);
        let mut writes: Vec<(String, Vec<u8>)> = Vec::new();
        for &index in &unit.steps {
            let step = &self.case.steps[index];
            let bytes = self
                .outgoing(step, together)
                .map_err(|problem| format!("{}:{}: {problem}", self.case.path, step.line))?;
            match writes.last_mut() {
                Some((connection, written)) if *connection == step.connection => written.extend(bytes),
                _ => writes.push((step.connection.clone(), bytes)),
            }
        }
        if together {
            let written = &mut writes[0].1;
            let body = std::mem::replace(written, encode(&["MULTI"]));
            written.extend(body);
            written.extend(encode(&["EXEC"]));
        }
        for (connection, bytes) in writes.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            self.connections.send(connection, bytes)?;
        }
        if together { self.read_together(&unit.steps) } else { self.read_each(&unit.steps) }
    }

    fn outgoing(&self, step: &Step, together: bool) -> Result<Vec<u8>, String> {
        match &step.action {
            Action::Command { words, .. } => {
                let command = encode(&self.arguments(words)?);
                let alone = matches!(self.variant.mode, Mode::Multi | Mode::Block) && !together;
                let wrap = alone && is_plain_command(step);
                Ok(if wrap { [encode(&["MULTI"]), command, encode(&["EXEC"])].concat() } else { command })
            }
            Action::Raw(words) => Ok(self.arguments(words)?.concat()),
            _ => Ok(Vec::new()),
        }
    }

    fn arguments(&self, words: &[Word]) -> Result<Vec<Vec<u8>>, String> {
        let lookup = |name: &str| self.captured.get(name).cloned();
        words.iter().map(|word| expand(word, &lookup)).collect()
    }

    fn read_together(&mut self, steps: &[usize]) -> Result<(), String> {
        let first = steps[0];
        self.read(first, Part::Multi)?;
        for &index in steps {
            self.read(index, Part::Queued)?;
        }
        let name = &self.case.steps[first].connection;
        let event = self.connections.get(name)?.client.read();
        self.take_apart(steps, event);
        // In a transaction, too, SUBSCRIBE of several channels has several replies, of which EXEC counts one.
        for &index in steps {
            if let Action::Command { answer: Answer::Replies(count), .. } = self.case.steps[index].action {
                self.read_many(index, count - 1)?;
            }
        }
        Ok(())
    }

    fn read_each(&mut self, steps: &[usize]) -> Result<(), String> {
        for &index in steps {
            let step = &self.case.steps[index];
            let name = &step.connection;
            match &step.action {
                Action::Command { answer: Answer::Replies(count), .. } => match self.variant.mode {
                    Mode::Plain | Mode::Pipelined => self.read_many(index, *count)?,
                    Mode::Multi | Mode::Block => self.read_together(&[index])?,
                },
                Action::Command { answer: Answer::Later, .. } | Action::Raw(_) => {}
                Action::Command { answer: Answer::Blocked, .. } | Action::AwaitBlocked => {
                    let event = self.connections.await_blocked(name)?;
                    self.note(index, Part::Blocked, event);
                }
                Action::Read { count, terms, .. } => match terms.matcher {
                    Matcher::Sorted if *count > 1 => self.gather(index, *count)?,
                    _ => self.read_many(index, *count)?,
                },
                Action::Scan { words, .. } => {
                    let args = self.arguments(words)?;
                    let event = scan(&mut self.connections.get(name)?.client, args);
                    self.note(index, Part::Reply, event);
                }
                Action::ReadNothing { millis } => {
                    let patience = Duration::from_millis(*millis);
                    let event = self.connections.get(name)?.client.read_within(patience);
                    self.note(index, Part::Reply, event);
                }
                Action::ReadClosed => self.read(index, Part::Reply)?,
                Action::Sleep { millis } => std::thread::sleep(Duration::from_millis(*millis)),
                Action::Open => {
                    self.connections.get(name)?;
                }
                Action::Close => self.connections.close(name),
                Action::CloseNoticed => {
                    let event = self.connections.close_noticed(name)?;
                    self.note(index, Part::Gone, event);
                }
            }
        }
        Ok(())
    }

    fn read_many(&mut self, step: usize, count: usize) -> Result<(), String> {
        (0..count).try_for_each(|_| self.read(step, Part::Reply))
    }

    fn read(&mut self, index: usize, part: Part) -> Result<(), String> {
        let step = &self.case.steps[index];
        let connection = self.connections.get(&step.connection)?;
        let mut event = connection.client.read();
        if let Action::Command { terms, .. } | Action::Read { terms, .. } = &step.action
            && let (Part::Reply, Some((least, most))) = (part, terms.took)
        {
            let took = connection.sent.elapsed().as_millis() as u64;
            if !(least..=most).contains(&took) {
                event = Event::Lost(format!("took {took} ms, not {least} to {most}: {event:?}"));
            }
        }
        if part == Part::Reply {
            self.remember(step, &event);
        }
        self.note(index, part, event);
        Ok(())
    }

    /// Reads several replies as one list.
    fn gather(&mut self, step: usize, count: usize) -> Result<(), String> {
        let connection = self.connections.get(&self.case.steps[step].connection)?;
        let mut items = Vec::new();
        for _ in 0..count {
            match connection.client.read() {
                Event::Reply(reply) => items.push(reply),
                other => {
                    self.note(step, Part::Reply, other);
                    return Ok(());
                }
            }
        }
        self.note(step, Part::Reply, Event::Reply(Reply::of(items)));
        Ok(())
    }

    /// Attributes the elements of an EXEC's reply to the lines they belong to, where there is one for each.
    fn take_apart(&mut self, steps: &[usize], event: Event) {
        let items = match &event {
            Event::Reply(Reply { items, kind: b'*', .. }) if items.len() == steps.len() => items.clone(),
            _ => Vec::new(),
        };
        let whole = items.is_empty();
        for (at, &index) in steps.iter().enumerate() {
            let item = items.get(at).map_or(Event::Nothing, |item| Event::Reply(item.clone()));
            self.remember(&self.case.steps[index], &item);
            self.note(index, Part::Reply, item);
        }
        let header = if whole { event } else { Event::Nothing };
        self.note(steps[0], Part::Exec, header);
    }

    fn remember(&mut self, step: &Step, event: &Event) {
        if let (Some(name), Event::Reply(reply)) = (capture(step), event) {
            self.captured.insert(name.clone(), reply.text.clone());
        }
    }

    fn note(&mut self, step: usize, part: Part, event: Event) {
        self.transcript.push(Observed { step, part, event });
    }
}

/// Repeats a SCAN with the cursor it returned, wherever the command has it, until that is 0.
fn scan(client: &mut Client, mut args: Vec<Vec<u8>>) -> Event {
    let mut seen = BTreeSet::new();
    let Some(cursor) = args.iter().position(|arg| arg == b"0") else {
        return Event::Lost("~scan needs a cursor 0 to start from".into());
    };
    for _ in 0..100_000 {
        let event = client.call(&args);
        let Event::Reply(Reply { items, .. }) = &event else { return event };
        let [next, elements] = &items[..] else { return event };
        seen.extend(elements.items.iter().map(|item| item.text.clone()));
        args[cursor] = next.text.clone();
        if next.text == b"0" {
            return Event::Reply(Reply::list(seen));
        }
    }
    Event::Lost("the SCAN does not end".into())
}
