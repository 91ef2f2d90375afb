//! The token of a change of the rule: who has begun it, and what is said of it.

use bytes::Bytes;

use super::random_hex;

pub(super) const READY: &[u8] = b"respg:mode:ready:";
/// Before a token, a blank and the reason.
pub(super) const REFUSED: &[u8] = b"respg:mode:refused:";
/// Ends the token of a change that is made although the side that follows is behind.
const FORCED: &str = "!";

/// Of a change that this process begins.
pub(super) fn new(process: i32, force: bool) -> String {
    format!("{process}-{}{}", random_hex(16), if force { FORCED } else { "" })
}

pub(super) fn is_forced(token: &str) -> bool {
    token.ends_with(FORCED)
}

/// The process that has begun the change; none: an older version of respg.
pub(super) fn initiator(token: &str) -> Option<i32> {
    token.split_once('-')?.0.parse().ok()
}

/// What is said for a change when one goes by its outcome.
pub(super) fn done(token: &str) -> String {
    format!("{token}/done")
}

pub(super) fn ready_topic(token: &str, process: i32) -> Bytes {
    [READY, format!("{token}:{process}").as_bytes()].concat().into()
}

/// What somebody says who cannot go along.
pub(super) fn refusal(token: &str, why: &str) -> Bytes {
    [REFUSED, token.as_bytes(), b" ", why.as_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_begun_it() {
        let (plain, forced) = (new(17, false), new(18, true));
        assert_eq!((initiator(&plain), is_forced(&plain)), (Some(17), false));
        assert_eq!((initiator(&forced), is_forced(&forced)), (Some(18), true));
        assert_eq!(initiator("0123abc!"), None);
    }
}
