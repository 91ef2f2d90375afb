//! What can go wrong with the upstream.

use super::reply::BadReply;
use crate::resp::Reply;

/// Why there is no reply of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Nothing was sent.
    #[error("cannot reach {place}: {reason}")]
    Unreachable { place: String, reason: String },
    /// It does not want us: wrong password, no such database ... Nothing was sent.
    #[error("{place} refuses: {reason}")]
    Refused { place: String, reason: String },
    /// It does not have this database, or does not let us use it.
    #[error("{place} refuses: database {db}: {reason}")]
    NoDatabase { place: String, db: u32, reason: String },
    /// It does not do anything at the moment.
    #[error("no answer at the moment: {0}")]
    Away(String),
    /// Others may have changed the mode. Nothing was sent.
    #[error("{place} is not asked: {reason}")]
    Unconfirmed { place: String, reason: String },
    /// What was under way may have happened or not.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// Not the one that it was: nothing that was known of it holds.
    #[error("{place} was started anew, or another server has taken its place")]
    Another { place: String },
    #[error(transparent)]
    Bad(#[from] BadReply),
}

impl UpstreamError {
    /// Whether the calls may have been executed.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, UpstreamError::Lost(_) | UpstreamError::Bad(_))
    }
}

impl From<std::io::Error> for UpstreamError {
    fn from(error: std::io::Error) -> UpstreamError {
        UpstreamError::Lost(error.to_string())
    }
}

/// Why a server does not do anything at the moment, if this reply says so.
pub fn away(reply: &Reply) -> Option<String> {
    let Reply::Error(text) = reply else { return None };
    let codes: [&[u8]; 5] = [b"LOADING", b"TRYAGAIN", b"BUSY", b"MASTERDOWN", b"CLUSTERDOWN"];
    codes.contains(&text.code()).then(|| text.to_string())
}
