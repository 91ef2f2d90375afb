//! MULTI and EXEC around calls.

use bytes::Bytes;

use crate::command::copy::{Call, CopyError};
use crate::resp::Reply;

/// The calls as one transaction.
pub fn in_multi(calls: impl IntoIterator<Item = Call>) -> Vec<Call> {
    let word = |text: &'static str| vec![Bytes::from_static(text.as_bytes())];
    std::iter::once(word("MULTI")).chain(calls).chain([word("EXEC")]).collect()
}

/// The replies in EXEC's, by the replies to all of [`in_multi`].
pub fn exec_replies(mut replies: Vec<Reply>) -> Result<Vec<Reply>, CopyError> {
    match replies.pop() {
        Some(Reply::Array(replies)) => Ok(replies),
        last => {
            // Why it was refused is said by the call that was, not by EXEC.
            let errors = replies.iter().chain(&last).find_map(|reply| match reply {
                Reply::Error(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
                _ => None,
            });
            Err(errors.map_or(CopyError::Unexpected, CopyError::Refused))
        }
    }
}
