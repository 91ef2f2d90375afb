//! AUTH and HELLO: who judges a password.

use bytes::Bytes;

use crate::command::{Flags, Incoming};
use crate::resp::Reply;
use crate::session::Session;
use crate::state::Process;
use crate::upstream::{Greeting, Url};

/// Who judges AUTH and HELLO.
pub enum Introduction {
    /// respg, this call.
    Own(Incoming),
    /// Nobody has to.
    Known,
    /// The upstream, for a connection of the client's own.
    Upstream,
    /// The upstream does not know this command.
    Unknown,
}

/// Who judges AUTH and HELLO.
pub fn introduction(
    process: &Process,
    url: &Url,
    session: &Session,
    incoming: &Incoming,
    greeting: Option<&Greeting>,
) -> Introduction {
    let words = incoming.argv();
    let is_hello = incoming.has(Flags::SETS_PROTOCOL);
    if is_hello && greeting.is_some_and(|greeting| !greeting.has_protocols) {
        return Introduction::Unknown;
    }
    let own = || Introduction::Own(Incoming::new(words.to_vec()));
    let at = match is_hello {
        true => words.iter().position(|word| word.eq_ignore_ascii_case(b"AUTH")),
        false => Some(0),
    };
    let Some(at) = at else { return own() };
    let (user, password, rest) = match &words[at + 1..] {
        [password] if !is_hello => (None, password, &[][..]),
        [user, password, rest @ ..] => (Some(user), password, rest),
        _ => return own(),
    };
    let has_password = !process.settings.password().is_empty();
    if has_password && user.is_none_or(|user| user == "default") {
        return own();
    }
    let said =
        |text: &Option<String>, word: &Bytes| text.as_deref().is_some_and(|text| text.as_bytes() == word);
    let is_same_user = user.is_none_or(|user| match &url.user {
        None => user == "default",
        Some(name) => name.as_bytes() == user,
    });
    if !has_password && is_same_user && said(&url.password, password) {
        // The shared connection is this user's already.
        let plain = match is_hello {
            true => words[..at].iter().chain(rest).cloned().collect(),
            false => Vec::new(),
        };
        return match is_hello {
            true => Introduction::Own(Incoming::new(plain)),
            false => Introduction::Known,
        };
    }
    match session.multi.is_some() || !session.authenticated {
        true => own(),
        false => Introduction::Upstream,
    }
}

/// The upstream's version instead of ours, for clients that look for features by it.
pub fn tell_version(pairs: &mut [(Reply, Reply)], version: &str) {
    for (name, value) in pairs {
        if *name == Reply::text("version") {
            *value = Reply::bulk(version.to_owned());
        }
    }
}
