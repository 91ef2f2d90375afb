//! `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`
use super::named::{entry_or_gone, id, interval_start, no_key_or_group, note_newcomer, stream_key};
use super::xclaim::{claim_words, ids_of};
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;

pub(super) static XAUTOCLAIM: Command = Command {
    name: "XAUTOCLAIM",
    arity: AtLeast(6),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "DELETE"])],
    tips: &["nondeterministic_output"],
    plan: xautoclaim,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::Stream, file!())
};

/// Redis's limit.
const MOST: i64 = i64::MAX / 16;
/// For more than this Redis finds no memory on any machine.
const FAR_TOO_MANY: i64 = 1 << 40;

/// What was claimed; XCLAIM forgets what is pending and gone as well.
fn effect(done: &Done<'_>) -> Effect {
    let [_, claimed, deleted @ ..] = follow::elements(done.reply) else { return Effect::Keys };
    let mut ids = ids_of(follow::elements(claimed));
    ids.extend(ids_of(deleted.first().map_or(&[], follow::elements)));
    if ids.is_empty() && !done.meets_consumers() {
        return Effect::Nothing;
    }
    if ids.is_empty() {
        let words = ["XGROUP".into(), "CREATECONSUMER".into(), done.word(1), done.word(2), done.word(3)];
        return Effect::call::<Bytes>(words);
    }
    let just_id = done.argv()[6..].iter().any(|word| word.eq_ignore_ascii_case(b"JUSTID"));
    let options = ["TIME".into(), Bytes::from(done.at.to_string())];
    Effect::call(claim_words(done, &ids, 0, options.into_iter().chain(just_id.then(|| "JUSTID".into()))))
}

fn xautoclaim(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    let min_idle = parse_i64(args.word()?);
    let min_idle =
        min_idle.ok_or(CommandError::constant("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?.max(0);
    let from = interval_start(args.word()?)?;
    let (mut count, mut just_id) = (100, false);
    while !args.is_empty() {
        if args.left() > 1 && args.take("COUNT") {
            let number = parse_i64(args.word()?).filter(|count| (1..=MOST).contains(count));
            count = number.ok_or(CommandError::constant("ERR COUNT must be > 0"))?;
        } else if args.take("JUSTID") {
            just_id = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(stream_key(context, key.clone(), move |view| {
        let now = view.now();
        let nothing = || no_key_or_group(&key, &name);
        let stream = view.stream(0)?.ok_or_else(nothing)?;
        stream.foresee_claim_idle(&name, &consumer, from, count);
        let group = stream.group(&name)?.ok_or_else(nothing)?;
        if count > FAR_TOO_MANY {
            return Err(CommandError::constant(
                "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
            ));
        }
        let swept = stream.claim_idle(&name, group, &consumer, from, (min_idle, count, just_id), now)?;
        note_newcomer(view, 0)?;
        let show = |(found, fields)| match just_id {
            true => id(found),
            false => entry_or_gone((found, fields)),
        };
        Ok(Reply::Array(vec![
            id(swept.next),
            Reply::Array(swept.claimed.into_iter().map(show).collect()),
            Reply::Array(swept.deleted.into_iter().map(id).collect()),
        ]))
    }))
}
