//! The checks between look-up and execution, in Redis's order (processCommand in server.c), driven by flags.

use super::Session;
use crate::command::{Command, CommandError, Flags};
use crate::resp::Protocol;

/// What is to be done with a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    Run,
    /// Between MULTI and EXEC: to the queue.
    Queue,
}

/// Whether the session may run the command now.
pub fn admit(session: &Session, command: &'static Command) -> Result<Admission, CommandError> {
    let has = |flag| command.flags.has(flag);
    if !session.authenticated && !has(Flags::NO_AUTH) {
        return Err(CommandError::NO_AUTH);
    }
    let is_subscriber = session.protocol == Protocol::Resp2 && !session.client.subscriptions.is_empty();
    if is_subscriber && !has(Flags::FOR_SUBSCRIBERS) {
        return Err(CommandError::not_for_subscribers(&command.lower_name()));
    }
    let uses_keys = has(Flags::READONLY) || has(Flags::WRITE) || has(Flags::MAY_REPLICATE);
    if session.monitor && uses_keys {
        return Err(CommandError::NOT_FOR_MONITORS);
    }
    if session.multi.is_some() {
        if has(Flags::NO_MULTI) {
            return Err(CommandError::NOT_IN_MULTI);
        }
        if !has(Flags::NOT_QUEUED) {
            return Ok(Admission::Queue);
        }
    }
    Ok(Admission::Run)
}
