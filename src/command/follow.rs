//! What a call has done, in a form that another server can repeat: shadow mode's answer to SPOP, XADD *, EXPIRE and their like. Commands whose
//! text says it all need nothing of this.

use bytes::Bytes;

use super::copy::Dialect;
use super::{Incoming, Request};
use crate::keyspace::number::parse_i64;
use crate::resp::Reply;

/// How the side that follows repeats what a command has done on the side that answers.
#[derive(Clone, Copy)]
pub enum Follow {
    /// As flags and tips say: what writes, and is determined by its text, is repeated; of what is not, the keys are read again.
    Flags,
    /// As this function says of each call that did not fail.
    Effect(fn(&Done<'_>) -> Effect),
}

/// A call that has been executed elsewhere, and what was answered.
#[derive(Clone, Copy)]
pub struct Done<'a> {
    pub request: &'a Request,
    pub reply: &'a Reply,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What the other side is.
    pub dialect: Dialect,
}

/// What is left to be done on the side that follows.
#[derive(Debug, Clone)]
pub enum Effect {
    Nothing,
    /// The call itself, whose reply should be the same.
    Same,
    /// These calls instead, which should not fail.
    Calls(Vec<Request>),
    /// This call instead, which makes its key expire at this time (in milliseconds since the epoch) and should be answered so.
    Until(i64, Request, Reply),
    /// Its keys are to be read again.
    Keys,
}

impl Effect {
    /// One call.
    pub fn call<W: Into<Bytes>>(words: impl IntoIterator<Item = W>) -> Effect {
        Effect::Calls(vec![call(words)])
    }

    /// One call that makes its key expire.
    pub fn until<W: Into<Bytes>>(at: i64, words: impl IntoIterator<Item = W>, reply: Reply) -> Effect {
        Effect::Until(at, call(words), reply)
    }

    /// A key that is there expires at this time.
    pub fn expires(at: i64, key: Bytes) -> Effect {
        Effect::until(at, ["PEXPIREAT".into(), key, Bytes::from(at.to_string())], Reply::Integer(1))
    }

    /// The call itself if the condition holds.
    pub fn same_if(condition: bool) -> Effect {
        if condition { Effect::Same } else { Effect::Nothing }
    }
}

/// A call of a command that is known to exist.
pub fn call<W: Into<Bytes>>(words: impl IntoIterator<Item = W>) -> Request {
    match Incoming::new(words.into_iter().map(Into::into).collect()) {
        Incoming::Known(request) => request,
        Incoming::Refused { error, .. } => unreachable!("our own call is refused: {error:?}"),
    }
}

impl Done<'_> {
    pub fn argv(&self) -> &[Bytes] {
        &self.request.argv
    }

    /// The word at a position, which the arity promises.
    pub fn word(&self, position: usize) -> Bytes {
        self.request.argv.get(position).cloned().unwrap_or_default()
    }

    /// Whether the answer was no value.
    pub fn is_null(&self) -> bool {
        matches!(self.reply, Reply::Null | Reply::NullArray)
    }

    /// Whether the other side makes a consumer as soon as it is named (since 7.2), not only when it gets something.
    pub fn meets_consumers(&self) -> bool {
        self.dialect.knows(7, 2)
    }

    /// Whether it was the integer 0.
    pub fn is_zero(&self) -> bool {
        *self.reply == Reply::ZERO
    }

    /// The number at a position, as a point in time in milliseconds: of `unit` milliseconds, counted from the call or from 1970.
    pub fn time(&self, position: usize, unit: i64, relative: bool) -> Option<i64> {
        let number = parse_i64(self.request.argv.get(position)?)?.checked_mul(unit)?;
        number.checked_add(if relative { self.at } else { 0 })
    }
}

/// The elements of an answer that is a list of some kind.
pub fn elements(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Array(items) | Reply::Set(items) => items,
        _ => &[],
    }
}

/// The bytes of a simple answer.
pub fn bytes(reply: &Reply) -> Option<Bytes> {
    match reply {
        Reply::Bulk(bytes) | Reply::Status(bytes) | Reply::Verbatim(bytes) => Some(bytes.clone()),
        _ => None,
    }
}
