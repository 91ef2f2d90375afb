//! The follower fails, the client does not notice, and both sides become the same again.
