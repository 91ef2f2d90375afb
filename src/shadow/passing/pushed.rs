//! What a client's own connection has brought takes its place before the replies that come later.

use std::collections::VecDeque;

use crate::resp::Reply;
use crate::session::Session;

/// Puts what was pushed before the replies at these places.
pub fn put_before(replies: &mut [Reply], pushed: impl IntoIterator<Item = (usize, VecDeque<Reply>)>) {
    for (place, pushed) in pushed {
        if let Some(reply) = replies.get_mut(place) {
            let own = std::mem::replace(reply, Reply::Nothing);
            *reply = Reply::Several(pushed.into_iter().chain([own]).collect());
        }
    }
}

/// Puts before a reply what the client's own connection has brought; if there is no reply yet, where it was.
pub fn put_first(session: &Session, replies: &mut [Reply], first: usize, pushed: VecDeque<Reply>) {
    if pushed.is_empty() {
        return;
    }
    match first < replies.len() {
        true => put_before(replies, [(first, pushed)]),
        false => session.client.outbox.put_back(pushed),
    }
}
