//! The real Redis behind shadow mode and `import`: where it is, connections to it, its replies. Knows the protocol; knows nothing of
//! commands, sessions and Postgres.

mod connection;
mod error;
mod greeting;
mod pipe;
mod reply;
mod socket;
mod tap;
mod url;

pub use connection::{Connection, in_time, words, write_call};
pub use error::{UpstreamError, away};
pub use greeting::{Foreign, Greeting, info_field, says_no_keys};
pub use pipe::{LEASE, Pipe};
pub use reply::{BadReply, Raw, ReplyDecoder};
pub use tap::{Calls, Followed, FollowedAside, Tap};
pub use url::{Place, Url, UrlError};
