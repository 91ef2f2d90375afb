//! Making keys what they are on the other side.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use super::{LEFT_OVER, Speaker, exec_replies, in_multi};
use crate::command::copy::{Call, CopyError, KeyState, call};
use crate::resp::Reply;
use crate::upstream::UpstreamError;

/// Values of more calls or bytes are made beside their key and take its place when they are whole.
const MOST_CALLS: usize = 2000;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Calls and bytes at once of such a value.
const PIECE: usize = 500;
const PIECE_BYTES: usize = 1024 * 1024;

/// Makes each key what its state says, each at once for all who look; for each whether it was done. May be done again.
pub async fn write_keys(
    speaker: &mut impl Speaker,
    keys: &[(Bytes, KeyState)],
) -> Result<Vec<Result<(), CopyError>>, UpstreamError> {
    let dialect = speaker.dialect();
    let mut outcomes = Vec::with_capacity(keys.len());
    let mut calls = Vec::new();
    let mut counts = Vec::new();
    for (key, state) in keys {
        let own = state.writes(key, dialect);
        let own = match own.len() {
            0 | 1 => own,
            count if count > MOST_CALLS || bytes(&own) > MOST_BYTES => {
                finish(speaker, &mut calls, &mut counts, &mut outcomes).await?;
                drop(own);
                outcomes.push(in_pieces(speaker, key, state).await?);
                continue;
            }
            _ => in_multi(own),
        };
        counts.push(own.len());
        calls.extend(own);
    }
    finish(speaker, &mut calls, &mut counts, &mut outcomes).await?;
    Ok(outcomes)
}

/// Makes a key what its state says.
pub async fn write_key(
    speaker: &mut impl Speaker,
    key: Bytes,
    state: KeyState,
) -> Result<Result<(), CopyError>, UpstreamError> {
    let mut outcomes = write_keys(speaker, &[(key, state)]).await?;
    Ok(outcomes.pop().unwrap_or(Ok(())))
}

/// Sends what has gathered.
async fn finish(
    speaker: &mut impl Speaker,
    calls: &mut Vec<Call>,
    counts: &mut Vec<usize>,
    outcomes: &mut Vec<Result<(), CopyError>>,
) -> Result<(), UpstreamError> {
    let mut replies = speaker.speak(std::mem::take(calls)).await?.into_iter();
    for count in counts.drain(..) {
        let replies: Vec<Reply> = replies.by_ref().take(count).collect();
        outcomes.push(match count {
            0 | 1 => all_good(&replies),
            _ => exec_replies(replies).and_then(|replies| all_good(&replies)),
        });
    }
    Ok(())
}

async fn in_pieces(
    speaker: &mut impl Speaker,
    key: &Bytes,
    state: &KeyState,
) -> Result<Result<(), CopyError>, UpstreamError> {
    let beside = Bytes::from(format!("{LEFT_OVER}{:016x}", RandomState::new().hash_one(key)));
    let mut calls = state.writes(&beside, speaker.dialect()).into_iter().peekable();
    let mut first = true;
    while calls.peek().is_some() {
        let mut piece = Vec::new();
        let mut size = 0;
        while let Some(call) = calls.next_if(|_| piece.len() < PIECE && size < PIECE_BYTES) {
            size += call.iter().map(Bytes::len).sum::<usize>();
            piece.push(call);
        }
        if std::mem::take(&mut first) {
            // If we die it goes by itself.
            piece.push(call(b"PEXPIRE", [&beside, &Bytes::from_static(b"3600000")]));
        }
        if let Err(error) = all_good(&speaker.speak(piece).await?) {
            speaker.speak(vec![call(b"DEL", [&beside])]).await?;
            return Ok(Err(error));
        }
    }
    let mut last = Vec::new();
    if let KeyState::Present { expires_at: None, .. } = state {
        last.push(call(b"PERSIST", [&beside]));
    }
    last.push(call(b"RENAME", [&beside, key]));
    let replies = exec_replies(speaker.speak(in_multi(last)).await?);
    let done = replies.and_then(|replies| all_good(&replies));
    match (done, state) {
        // It has expired since it was read.
        (Err(CopyError::Refused(why)), KeyState::Present { expires_at: Some(_), .. })
            if why.ends_with(b"no such key") =>
        {
            let replies = speaker.speak(vec![call(b"DEL", [key])]).await?;
            Ok(all_good(&replies))
        }
        (done, _) => Ok(done),
    }
}

fn all_good(replies: &[Reply]) -> Result<(), CopyError> {
    match replies.iter().find(|reply| reply.is_error()) {
        Some(Reply::Error(text)) => Err(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes()))),
        _ => Ok(()),
    }
}

fn bytes(calls: &[Call]) -> usize {
    calls.iter().flatten().map(Bytes::len).sum()
}
