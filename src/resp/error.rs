//! What a client can get wrong before there is a command. Each of these closes the connection after the reply.

use std::fmt;

use super::{ErrorText, Reply};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    TooBigInlineRequest,
    UnbalancedQuotes,
    TooBigMultibulkCount,
    InvalidMultibulkLength,
    UnauthenticatedMultibulkLength,
    TooBigBulkCount,
    ExpectedDollar { got: u8 },
    InvalidBulkLength,
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// Redis's reply to it.
    pub fn reply(self) -> Reply {
        Reply::error(match self {
            Self::ExpectedDollar { got } => {
                let mut text = b"ERR Protocol error: expected '$', got '".to_vec();
                text.extend_from_slice(&[got, b'\'']);
                ErrorText::from(text)
            }
            Self::TooBigInlineRequest => "ERR Protocol error: too big inline request".into(),
            Self::UnbalancedQuotes => "ERR Protocol error: unbalanced quotes in request".into(),
            Self::TooBigMultibulkCount => "ERR Protocol error: too big mbulk count string".into(),
            Self::InvalidMultibulkLength => "ERR Protocol error: invalid multibulk length".into(),
            Self::UnauthenticatedMultibulkLength => {
                "ERR Protocol error: unauthenticated multibulk length".into()
            }
            Self::TooBigBulkCount => "ERR Protocol error: too big bulk count string".into(),
            Self::InvalidBulkLength => "ERR Protocol error: invalid bulk length".into(),
            Self::UnauthenticatedBulkLength => "ERR Protocol error: unauthenticated bulk length".into(),
        })
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reply() {
            Reply::Error(text) => text.fmt(f),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
