//! The dialogue that reads a key.

use std::fmt;

use bytes::Bytes;

use super::{Call, CopyError, DataType, Dialect, KeyState, call, data_type, milliseconds};
use crate::keyspace::Kind;
use crate::resp::Reply;

/// How often a key may change under our hands.
const MOST_ATTEMPTS: u32 = 20;
/// How often it is read in pieces: what changes all the time is then read at once.
const ATTEMPTS_IN_PIECES: u32 = 3;

/// The dialogue that reads one key: send what [`Reading::ask`] says, give the replies to [`Reading::answer`], until that has the state.
#[derive(Debug)]
pub struct Reading {
    key: Bytes,
    dialect: Dialect,
    stage: Stage,
    attempts: u32,
}

enum Stage {
    Type,
    Survey(&'static DataType),
    /// With the survey's replies, and those of the pieces.
    Pieces(&'static DataType, Vec<Reply>, Vec<Reply>),
    Read(&'static DataType, Vec<Reply>, Vec<Reply>),
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Type => "Type",
            Stage::Survey(_) => "Survey",
            Stage::Pieces(..) => "Pieces",
            Stage::Read(..) => "Read",
        })
    }
}

/// What to send next.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    pub calls: Vec<Call>,
    /// Between MULTI and EXEC; the replies are then those in EXEC's. They say what the key is at the place of this transaction.
    pub transaction: bool,
}

impl Reading {
    pub fn new(key: Bytes, dialect: Dialect) -> Reading {
        Reading { key, dialect, stage: Stage::Type, attempts: 0 }
    }

    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// About how many bytes the next replies have.
    pub fn size(&self) -> u64 {
        match &self.stage {
            Stage::Type | Stage::Survey(_) => 64,
            Stage::Pieces(data_type, survey, _) | Stage::Read(data_type, survey, _) => {
                (data_type.size)(survey)
            }
        }
    }

    pub fn ask(&self) -> Ask {
        match &self.stage {
            Stage::Type => Ask { calls: vec![call(b"TYPE", [&self.key])], transaction: false },
            Stage::Survey(data_type) => Ask { calls: (data_type.survey)(&self.key), transaction: false },
            Stage::Pieces(data_type, survey, pieces) => {
                let piece = (data_type.piece)(&self.key, survey, pieces);
                Ask { calls: piece.into_iter().collect(), transaction: false }
            }
            Stage::Read(data_type, survey, pieces) => {
                let mut calls = vec![call(b"TYPE", [&self.key])];
                if self.dialect.knows(7, 0) {
                    calls.push(call(b"PEXPIRETIME", [&self.key]));
                } else {
                    calls.extend([call(b"PTTL", [&self.key]), vec![Bytes::from_static(b"TIME")]]);
                }
                calls.extend((data_type.reads)(&self.key, survey, pieces));
                Ask { calls, transaction: true }
            }
        }
    }

    /// Takes the replies; the state, if they say it.
    pub fn answer(&mut self, replies: Vec<Reply>) -> Result<Option<KeyState>, CopyError> {
        match std::mem::replace(&mut self.stage, Stage::Type) {
            Stage::Type => self.know_type(replies.first()),
            // An error here means that the key has changed, which is found out next.
            Stage::Survey(data_type) => {
                self.proceed(data_type, replies, Vec::new());
                Ok(None)
            }
            Stage::Pieces(data_type, survey, mut pieces) => {
                pieces.extend(replies);
                self.proceed(data_type, survey, pieces);
                Ok(None)
            }
            Stage::Read(data_type, survey, pieces) => {
                let known = self.know_type(replies.first())?;
                let changed = !matches!(self.stage, Stage::Survey(now) if now.kind == data_type.kind);
                if changed && known.is_some() {
                    return Ok(known);
                }
                let header = if self.dialect.knows(7, 0) { 2 } else { 3 };
                let body = replies.get(header..).unwrap_or_default();
                let refusal = body.iter().find_map(|reply| match reply {
                    Reply::Error(text) => Some(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes()))),
                    _ => None,
                });
                let value = if changed || refusal.is_some() {
                    None
                } else {
                    (data_type.value)(&survey, &pieces, body)
                };
                if let Some(value) = value {
                    let expires_at = expiry(&replies[1..header])?;
                    return Ok(Some(KeyState::Present { kind: data_type.kind, value, expires_at }));
                }
                self.attempts += 1;
                match self.attempts < MOST_ATTEMPTS {
                    true => Ok(None),
                    false => Err(refusal.unwrap_or(CopyError::Unexpected)),
                }
            }
        }
    }

    /// Another piece, or what is left.
    fn proceed(&mut self, data_type: &'static DataType, survey: Vec<Reply>, pieces: Vec<Reply>) {
        let more = self.attempts < ATTEMPTS_IN_PIECES
            && !pieces.last().is_some_and(Reply::is_error)
            && (data_type.piece)(&self.key, &survey, &pieces).is_some();
        self.stage = match more {
            true => Stage::Pieces(data_type, survey, pieces),
            false => Stage::Read(data_type, survey, pieces),
        };
    }

    /// Takes TYPE's reply and prepares for what it says.
    fn know_type(&mut self, reply: Option<&Reply>) -> Result<Option<KeyState>, CopyError> {
        match type_of(reply)? {
            TypeOf::Absent => Ok(Some(KeyState::Absent)),
            TypeOf::Ours(data_type) => {
                self.stage = Stage::Survey(data_type);
                Ok(None)
            }
            TypeOf::Unsupported(name) => Ok(Some(KeyState::Unsupported(name))),
        }
    }
}

/// What TYPE says of a key.
pub enum TypeOf {
    Absent,
    Ours(&'static DataType),
    /// By this name.
    Unsupported(Bytes),
}

/// By TYPE's reply.
pub fn type_of(reply: Option<&Reply>) -> Result<TypeOf, CopyError> {
    let name = match reply {
        Some(Reply::Status(name) | Reply::Bulk(name)) => name,
        Some(Reply::Error(text)) => {
            return Err(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes())));
        }
        _ => return Err(CopyError::Unexpected),
    };
    if name == "none" {
        return Ok(TypeOf::Absent);
    }
    Ok(Kind::from_name(name)
        .and_then(data_type)
        .map_or_else(|| TypeOf::Unsupported(name.clone()), TypeOf::Ours))
}

/// The expiry by PEXPIRETIME's reply, or PTTL's and TIME's.
fn expiry(replies: &[Reply]) -> Result<Option<i64>, CopyError> {
    match replies {
        [Reply::Integer(at)] => Ok((*at >= 0).then_some(*at)),
        [Reply::Integer(left), time] => {
            let now = milliseconds(time).ok_or(CopyError::Unexpected)?;
            Ok((*left >= 0).then_some(now.saturating_add(*left)))
        }
        _ => Err(CopyError::Unexpected),
    }
}
