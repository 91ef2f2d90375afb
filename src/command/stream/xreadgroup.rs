//! `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]`
use std::sync::Arc;

use super::named::{entry_or_gone, no_key_or_group, note_newcomer, nothing_to_read, stream_key};
use super::xclaim::ids_of;
use crate::command::prelude::*;
use crate::command::{Attempt, Audience, Begin, Block, Find, Request};
use crate::keyspace::stream::StreamId;

pub(super) static XREADGROUP: Command = Command {
    name: "XREADGROUP",
    arity: AtLeast(7),
    flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        notes: "",
        flags: &["RO", "ACCESS"],
        begin: Begin::Keyword("STREAMS", 4),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        variable: None,
    }],
    plan: xreadgroup,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::Stream, file!())
};

const DOLLAR: CommandError = CommandError::constant(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);

/// What of a stream is to be read.
#[derive(Debug, Clone, PartialEq)]
enum What {
    New,
    /// What the consumer has pending from this id on.
    History(StreamId),
    /// No id; the error comes when the streams before and their groups are known to be there.
    Wrong(CommandError),
}

struct Reading {
    db: DbIndex,
    group: Bytes,
    consumer: Bytes,
    count: i64,
    noack: bool,
    keys: Vec<Bytes>,
    what: Vec<What>,
}

fn xreadgroup(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (mut names, mut count, mut noack, mut timeout, mut streams) = (None, i64::MAX, false, None, None);
    while !args.is_empty() {
        let left = args.left();
        if left > 1 && args.take("BLOCK") {
            timeout = Some(options::milliseconds(args)?);
        } else if left > 1 && args.take("COUNT") {
            count = Some(args.integer()?).filter(|count| *count > 0).unwrap_or(i64::MAX);
        } else if left > 1 && args.take("STREAMS") {
            streams = Some(args.rest());
            break;
        } else if left > 2 && args.take("GROUP") {
            names = Some((args.bytes()?, args.bytes()?));
        } else if args.take("NOACK") {
            noack = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let words = streams.ok_or(CommandError::SYNTAX)?;
    if words.len() % 2 == 1 {
        return Err(CommandError::constant(
            "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        ));
    }
    let (group, consumer) = names.ok_or(CommandError::constant("ERR Missing GROUP option for XREADGROUP"))?;
    let (keys, ids) = words.split_at(words.len() / 2);
    let what = ids.iter().map(|word| What::parse(word)).collect();
    let keys = keys.to_vec();
    let (db, waiting) = (context.db, (keys.clone(), group.clone()));
    let reading = Arc::new(Reading { db, group, consumer, count, noack, keys, what });
    Ok(match timeout {
        Some(timeout) if !reading.reads_history() => Plan::Block(Block {
            keys: waiting.0,
            audience: Audience::First(waiting.1),
            timeout,
            nothing: Reply::NullArray,
            attempt: Box::new(move |attempt| reading.plan(attempt)),
        }),
        _ => reading.plan(Attempt::First),
    })
}

/// What was delivered, at the time when it was: to others at the same moment in another order perhaps.
fn effect(done: &Done<'_>) -> Effect {
    let argv = done.argv();
    let is = |at: &usize, word: &str| argv[*at].eq_ignore_ascii_case(word.as_bytes());
    let keyword = |word: &str, from: usize| (from..argv.len()).find(|at| is(at, word));
    // As they usually stand; everything else is read again.
    let (Some(1), Some(streams)) = (keyword("GROUP", 1), keyword("STREAMS", 4)) else { return Effect::Keys };
    let noack = argv[4..streams].iter().any(|word| word.eq_ignore_ascii_case(b"NOACK"));
    let (keys, ids) = argv[streams + 1..].split_at((argv.len() - streams - 1) / 2);
    let answers = match done.reply {
        Reply::Map(pairs) | Reply::Entries(pairs) | Reply::Pairs(pairs) => pairs.clone(),
        Reply::Null | Reply::NullArray => Vec::new(),
        reply => {
            let pair = |pair: &Reply| match follow::elements(pair) {
                [key, entries] => Some((key.clone(), entries.clone())),
                _ => None,
            };
            follow::elements(reply).iter().filter_map(pair).collect()
        }
    };
    let mut calls = Vec::new();
    if done.meets_consumers() {
        let is_answered = |key: &Bytes| answers.iter().any(|(of, _)| follow::bytes(of).as_ref() == Some(key));
        for key in keys.iter().filter(|key| !is_answered(key)) {
            let names = [key.clone(), argv[2].clone(), argv[3].clone()];
            calls.push(follow::call(["XGROUP".into(), "CREATECONSUMER".into()].into_iter().chain(names)));
        }
    }
    for (key, entries) in answers {
        let key = follow::bytes(&key).unwrap_or_default();
        let Some(asked) = keys.iter().position(|asked| *asked == key) else { return Effect::Keys };
        if ids[asked] != b">"[..] {
            let mut words: Vec<Bytes> = argv[..4].to_vec();
            words.extend(["COUNT".into(), follow::elements(&entries).len().max(1).to_string().into()]);
            words.extend(["STREAMS".into(), key, ids[asked].clone()]);
            calls.push(follow::call(words));
            continue;
        }
        let mut words = vec!["XREADGROUP".into(), key, argv[2].clone(), argv[3].clone()];
        words.extend([done.at.to_string().into(), if noack { "NOACK".into() } else { "ACK".into() }]);
        words.extend(ids_of(follow::elements(&entries)).into_iter().map(|id| Bytes::from(id.to_string())));
        calls.push(Request { command: &DELIVERED, argv: words });
    }
    Effect::Calls(calls)
}

/// `key group consumer unix-time-milliseconds ACK|NOACK id [id ...]`: no command that clients can name. XCLAIM with FORCE and LASTID, by which
/// Redis tells its replicas, does not count what the group has read.
static DELIVERED: Command = Command {
    name: "XREADGROUP",
    arity: AtLeast(7),
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    plan: delivered,
    follow: Follow::Effect(|done| {
        let ids = done.argv().get(6..).unwrap_or_default();
        let words = ["XCLAIM".into(), done.word(1), done.word(2), done.word(3), "0".into()];
        let options = ["TIME".into(), done.word(4), "RETRYCOUNT".into(), "1".into(), "FORCE".into()];
        let last = ["JUSTID".into(), "LASTID".into(), ids.last().cloned().unwrap_or_default()];
        Effect::call(words.into_iter().chain(ids.iter().cloned()).chain(options).chain(last))
    }),
    ..Command::in_group(Group::Stream, file!())
};

fn delivered(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let (at, noack) = (args.integer()?, args.take("NOACK"));
    let ids = args.rest().iter().filter_map(|id| StreamId::parse(id, 0)).collect::<Vec<_>>();
    Ok(stream_key(context, key.clone(), move |view| {
        let at = at.min(view.now());
        let nothing = || no_key_or_group(&key, &name);
        let stream = view.stream(0)?.ok_or_else(nothing)?;
        let group = stream.group(&name)?.ok_or_else(nothing)?;
        stream.delivered(&name, group, &consumer, &ids, noack, at)?;
        Ok(Reply::Ok)
    }))
}

impl What {
    fn parse(word: &[u8]) -> What {
        match word {
            b">" => What::New,
            b"$" => What::Wrong(DOLLAR),
            _ => match StreamId::parse(word, 0) {
                Some(id) => id.next().map_or(What::New, What::History),
                None => What::Wrong(CommandError::INVALID_STREAM_ID),
            },
        }
    }
}

impl Reading {
    /// History is an answer even when there is none: nobody waits for it.
    fn reads_history(&self) -> bool {
        self.what.iter().any(|what| matches!(what, What::History(_)))
    }

    fn plan(self: &Arc<Reading>, attempt: Attempt) -> Plan {
        let keys = self.keys.iter().map(|key| KeyUse::object(self.db, key.clone(), Kind::Stream));
        let reading = self.clone();
        Plan::Keys(KeyOp::new(Access::Update, keys, move |view| reading.read(view, attempt)))
    }

    fn read(&self, view: &mut View<'_>, attempt: Attempt) -> Result<Reply, CommandError> {
        let now = view.now();
        self.foresee(view);
        for (i, what) in self.what.iter().enumerate() {
            let group = match view.stream(i)? {
                None => None,
                Some(stream) => stream.group(&self.group)?,
            };
            if group.is_none() {
                return Err(nothing_to_read(&self.keys[i], &self.group));
            }
            if let What::Wrong(error) = what {
                return Err(error.clone());
            }
        }
        let mut found = Vec::new();
        for (i, what) in self.what.iter().enumerate() {
            let Some(stream) = view.stream(i)? else { continue };
            let Some(group) = stream.group(&self.group)? else { continue };
            let (name, consumer, count) = (&self.group, &self.consumer, self.count);
            let entries = match what {
                What::History(from) => stream.history(name, group, consumer, *from, count, now)?,
                What::New if attempt == Attempt::Behind => {
                    stream.meet(name, group, consumer, now)?;
                    note_newcomer(view, i)?;
                    continue;
                }
                What::New | What::Wrong(_) => {
                    stream.deliver(name, group, consumer, count, self.noack, now)?
                }
            };
            note_newcomer(view, i)?;
            // History is an answer even when there is none.
            if !entries.is_empty() || matches!(what, What::History(_)) {
                let entries = entries.into_iter().map(entry_or_gone).collect();
                found.push((Reply::bulk(self.keys[i].clone()), Reply::Array(entries)));
            }
        }
        Ok(if found.is_empty() { Reply::NullArray } else { Reply::Entries(found) })
    }

    /// So that all that is needed of all streams is loaded at once.
    fn foresee(&self, view: &mut View<'_>) {
        for (i, what) in self.what.iter().enumerate() {
            let Ok(Some(stream)) = view.stream(i) else { continue };
            match what {
                What::New => stream.foresee_delivery(&self.group, &self.consumer, self.count),
                What::History(from) => {
                    stream.foresee_history(&self.group, &self.consumer, *from, self.count);
                }
                What::Wrong(_) => {}
            }
        }
    }
}
