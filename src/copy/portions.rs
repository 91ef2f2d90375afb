//! Reading many keys at once, in portions of a bounded size.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Speaker, exec_replies, in_multi};
use crate::command::copy::{Ask, Call, CopyError, KeyState, Reading};
use crate::resp::Reply;
use crate::upstream::UpstreamError;

/// Most keys in one transaction, and most bytes: it holds up the server.
const TOGETHER: usize = 50;
const TOGETHER_BYTES: u64 = 64 * 1024;

/// A key and what it is, unless the server refuses to say.
pub type Read = (Bytes, Result<KeyState, CopyError>);

/// Keys that are being read.
#[derive(Debug)]
pub struct Portions {
    readings: VecDeque<Reading>,
    known: Vec<Read>,
}

impl Portions {
    /// Finds out what keys are and how large.
    pub async fn survey(
        speaker: &mut impl Speaker,
        keys: impl IntoIterator<Item = Bytes>,
    ) -> Result<Portions, UpstreamError> {
        let dialect = speaker.dialect();
        let mut readings: Vec<Reading> = keys.into_iter().map(|key| Reading::new(key, dialect)).collect();
        let mut known = Vec::new();
        // Types, then sizes.
        for _ in 0..2 {
            readings = round(speaker, readings, &mut known).await?;
        }
        Ok(Portions { readings: readings.into(), known })
    }

    /// The keys that are not there.
    pub fn absent(&self) -> Vec<Bytes> {
        let absent = self.known.iter().filter(|(_, state)| matches!(state, Ok(KeyState::Absent)));
        absent.map(|(key, _)| key.clone()).collect()
    }

    /// The next keys, of about so many bytes together and at least one; `None` after the last.
    pub async fn next(
        &mut self,
        speaker: &mut impl Speaker,
        bytes: u64,
    ) -> Result<Option<Vec<Read>>, UpstreamError> {
        let mut known = std::mem::take(&mut self.known);
        let mut taken = Vec::new();
        let mut size = 0;
        while let Some(reading) = self.readings.pop_front() {
            size += reading.size();
            if size > bytes && !taken.is_empty() {
                self.readings.push_front(reading);
                break;
            }
            taken.push(reading);
        }
        while !taken.is_empty() {
            taken = round(speaker, taken, &mut known).await?;
        }
        Ok((!known.is_empty()).then_some(known))
    }
}

/// Reads keys, all at once.
pub async fn read_keys(speaker: &mut impl Speaker, keys: Vec<Bytes>) -> Result<Vec<Read>, UpstreamError> {
    let mut portions = Portions::survey(speaker, keys).await?;
    Ok(portions.next(speaker, u64::MAX).await?.unwrap_or_default())
}

/// Reads a key.
pub async fn read_key(
    speaker: &mut impl Speaker,
    key: Bytes,
) -> Result<Result<KeyState, CopyError>, UpstreamError> {
    let mut read = read_keys(speaker, vec![key]).await?;
    Ok(read.pop().map_or(Err(CopyError::Unexpected), |(_, state)| state))
}

/// Some readings' asks as the calls that are sent.
struct Parcel {
    readings: Vec<(Reading, usize)>,
    transaction: bool,
    size: u64,
    calls: Vec<Call>,
}

impl Parcel {
    fn takes(&self, ask: &Ask, size: u64, together: usize) -> bool {
        self.transaction == ask.transaction
            && (!ask.transaction
                || (self.readings.len() < together && self.size.saturating_add(size) < TOGETHER_BYTES))
    }
}

/// Asks and answers once for each reading; gives those that go on.
async fn round(
    speaker: &mut impl Speaker,
    readings: Vec<Reading>,
    known: &mut Vec<Read>,
) -> Result<Vec<Reading>, UpstreamError> {
    let (mut left, refused) = asked(speaker, readings, TOGETHER, known).await?;
    // A key that may not be read has had a transaction refused in which others were, too.
    if !refused.is_empty() {
        left.extend(asked(speaker, refused, 1, known).await?.0);
    }
    Ok(left)
}

/// With at most so many in one transaction; gives those that go on, and those of refused transactions of several.
async fn asked(
    speaker: &mut impl Speaker,
    readings: Vec<Reading>,
    together: usize,
    known: &mut Vec<Read>,
) -> Result<(Vec<Reading>, Vec<Reading>), UpstreamError> {
    let mut parcels: Vec<Parcel> = Vec::new();
    for reading in readings {
        let (ask, size) = (reading.ask(), reading.size());
        if !parcels.last().is_some_and(|parcel| parcel.takes(&ask, size, together)) {
            let transaction = ask.transaction;
            parcels.push(Parcel { readings: Vec::new(), transaction, size: 0, calls: Vec::new() });
        }
        let parcel = parcels.last_mut().expect("just pushed");
        parcel.size = parcel.size.saturating_add(size);
        parcel.readings.push((reading, ask.calls.len()));
        parcel.calls.extend(ask.calls);
    }
    let mut calls = Vec::new();
    let mut counts = Vec::new();
    for parcel in &mut parcels {
        let own = std::mem::take(&mut parcel.calls);
        let before = calls.len();
        match parcel.transaction {
            true => calls.extend(in_multi(own)),
            false => calls.extend(own),
        }
        counts.push(calls.len() - before);
    }
    let mut replies = speaker.speak(calls).await?.into_iter();
    let (mut left, mut refused) = (Vec::new(), Vec::new());
    for (parcel, count) in parcels.into_iter().zip(counts) {
        let replies: Vec<Reply> = replies.by_ref().take(count).collect();
        let replies = if parcel.transaction { exec_replies(replies) } else { Ok(replies) };
        if replies.is_err() && parcel.readings.len() > 1 {
            refused.extend(parcel.readings.into_iter().map(|(reading, _)| reading));
            continue;
        }
        let mut replies = replies.map(Vec::into_iter);
        for (mut reading, count) in parcel.readings {
            let answered = match &mut replies {
                Ok(replies) => reading.answer(replies.by_ref().take(count).collect()),
                Err(error) => Err(error.clone()),
            };
            match answered {
                Ok(None) => left.push(reading),
                Ok(Some(state)) => known.push((reading.key().clone(), Ok(state))),
                Err(error) => known.push((reading.key().clone(), Err(error))),
            }
        }
    }
    Ok((left, refused))
}
