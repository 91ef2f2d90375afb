//! `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]`
use super::named::{entry_or_gone, id, no_key_or_group, note_newcomer, stream_key};
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::keyspace::stream::StreamId;
use crate::keyspace::stream::groups::Claim;

pub(super) static XCLAIM: Command = Command {
    name: "XCLAIM",
    arity: AtLeast(6),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    tips: &["nondeterministic_output"],
    plan: xclaim,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::Stream, file!())
};

fn xclaim(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    // A mistake only if there is a group.
    let parsed = parse(args);
    Ok(stream_key(context, key.clone(), move |view| {
        let now = view.now();
        let nothing = || no_key_or_group(&key, &name);
        let stream = view.stream(0)?.ok_or_else(nothing)?;
        if let Ok((ids, claim)) = &parsed {
            stream.foresee_claim(&name, &consumer, ids, claim.just_id);
        }
        let group = stream.group(&name)?.ok_or_else(nothing)?;
        let (ids, claim) = parsed.as_ref().map_err(CommandError::clone)?;
        let claimed = stream.claim(&name, group, &consumer, ids, claim, now)?;
        note_newcomer(view, 0)?;
        let show = |(found, fields)| match claim.just_id {
            true => id(found),
            false => entry_or_gone((found, fields)),
        };
        Ok(Reply::Array(claimed.into_iter().map(show).collect()))
    }))
}

/// The entries that were claimed, at the time when they were. Of the others, those that are gone are not pending any more.
fn effect(done: &Done<'_>) -> Effect {
    let Ok((ids, claim)) = parse(&mut Args::new(done.argv(), 4, "XCLAIM")) else { return Effect::Keys };
    let claimed = ids_of(follow::elements(done.reply));
    let others: Vec<StreamId> = ids.into_iter().filter(|id| !claimed.contains(id)).collect();
    if claimed.is_empty() && !done.meets_consumers() {
        // Ours would make the consumer.
        return Effect::Keys;
    }
    let mut calls = Vec::new();
    if !others.is_empty() {
        calls.push(follow::call(claim_words(done, &others, i64::MAX, ["JUSTID".into()])));
    }
    let at = claim.idle.map(|idle| done.at.saturating_sub(idle)).or(claim.time).unwrap_or(done.at);
    let mut options = vec![Bytes::from("FORCE"), "TIME".into(), at.to_string().into()];
    options.extend(claim.retry_count.into_iter().flat_map(|n| ["RETRYCOUNT".into(), n.to_string().into()]));
    options.extend(claim.last_id.into_iter().flat_map(|id| ["LASTID".into(), id.to_string().into()]));
    options.extend(claim.just_id.then(|| "JUSTID".into()));
    if !claimed.is_empty() || claim.last_id.is_some() {
        calls.push(follow::call(claim_words(done, &claimed, 0, options)));
    }
    Effect::Calls(calls)
}

/// An XCLAIM of these ids, for the key, group and consumer that the call names first.
pub(super) fn claim_words(
    done: &Done<'_>,
    ids: &[StreamId],
    min_idle: i64,
    options: impl IntoIterator<Item = Bytes>,
) -> Vec<Bytes> {
    let mut words = vec!["XCLAIM".into(), done.word(1), done.word(2), done.word(3)];
    words.push(min_idle.to_string().into());
    words.extend(ids.iter().map(|id| Bytes::from(id.to_string())));
    words.extend(options);
    words
}

/// The ids in an answer that lists entries or ids.
pub(super) fn ids_of(listed: &[Reply]) -> Vec<StreamId> {
    let id = |reply: &Reply| match follow::elements(reply).first() {
        Some(id) => follow::bytes(id),
        None => follow::bytes(reply),
    };
    listed.iter().filter_map(id).filter_map(|id| StreamId::parse(&id, 0)).collect()
}

fn parse(args: &mut Args) -> Result<(Vec<StreamId>, Claim), CommandError> {
    let min_idle = number(args, "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
    let mut claim = Claim { min_idle, ..Claim::default() };
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|word| StreamId::parse(word, 0)) {
        ids.push(id);
        args.word()?;
    }
    // Of IDLE and TIME the last one counts.
    while let Some(word) = args.peek() {
        let more = args.left() > 1;
        if args.take("FORCE") {
            claim.force = true;
        } else if args.take("JUSTID") {
            claim.just_id = true;
        } else if more && args.take("IDLE") {
            claim.idle = Some(number(args, "ERR Invalid IDLE option argument for XCLAIM")?);
            claim.time = None;
        } else if more && args.take("TIME") {
            claim.time = Some(number(args, "ERR Invalid TIME option argument for XCLAIM")?);
            claim.idle = None;
        } else if more && args.take("RETRYCOUNT") {
            let count = number(args, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            claim.retry_count = Some(count).filter(|count| *count >= 0);
        } else if more && args.take("LASTID") {
            let id = StreamId::parse(args.word()?, 0).ok_or(CommandError::INVALID_STREAM_ID)?;
            claim.last_id = Some(id);
        } else {
            // Redis prints it as a C string.
            let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
            return Err(CommandError::text([b"ERR Unrecognized XCLAIM option '", word, b"'"].concat()));
        }
    }
    Ok((ids, claim))
}

fn number(args: &mut Args, error: &'static str) -> Result<i64, CommandError> {
    parse_i64(args.word()?).ok_or(CommandError::constant(error))
}
