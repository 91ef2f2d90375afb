//! What a client did wrong. Every text is Redis's own; it never closes the connection.

use bytes::Bytes;

use crate::keyspace::stream::NotLoaded;
use crate::resp::Reply;
use crate::store::StoreError;

/// An error reply: its text begins with the code (`ERR ...`, `WRONGTYPE ...`), without the leading `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError(Bytes);

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl CommandError {
            $($(#[$doc])* pub const $name: CommandError = CommandError(Bytes::from_static($text.as_bytes()));)*
        }
    };
}

texts! {
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    SYNTAX = "ERR syntax error";
    NOT_AN_INTEGER = "ERR value is not an integer or out of range";
    NOT_32_BIT = "ERR value is out of range, value must between -2147483648 and 2147483647";
    NOT_A_FLOAT = "ERR value is not a valid float";
    OUT_OF_RANGE = "ERR value is out of range";
    MUST_BE_POSITIVE = "ERR value is out of range, must be positive";
    OVERFLOW = "ERR increment or decrement would overflow";
    NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity";
    NO_SUCH_KEY = "ERR no such key";
    SAME_OBJECT = "ERR source and destination objects are the same";
    DB_OUT_OF_RANGE = "ERR DB index is out of range";
    INVALID_CURSOR = "ERR invalid cursor";
    INVALID_STREAM_ID = "ERR Invalid stream ID specified as stream command argument";
    OFFSET_OUT_OF_RANGE = "ERR offset is out of range";
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    BIT_OFFSET = "ERR bit offset is not an integer or out of range";
    BIT_VALUE = "ERR bit is not an integer or out of range";
    BUSY_KEY = "BUSYKEY Target key name already exists.";
    EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors.";
    EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI";
    NOT_FOR_MONITORS = "ERR Replica can't interact with the keyspace";
    NO_AUTH = "NOAUTH Authentication required.";
    WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
    LOADING = "LOADING respg is waiting for PostgreSQL";
    NOT_IN_MULTI = "ERR Command not allowed inside a transaction";
    UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    NO_PROTO = "NOPROTO unsupported protocol version";
}

impl CommandError {
    /// An error of one text.
    pub const fn constant(text: &'static str) -> CommandError {
        CommandError(Bytes::from_static(text.as_bytes()))
    }

    /// An error of any text, e.g. one that repeats an argument's bytes.
    pub fn text(text: impl Into<Bytes>) -> CommandError {
        CommandError(text.into())
    }

    /// `ERR wrong number of arguments for 'get' command`.
    pub fn wrong_arity(lower_name: &str) -> CommandError {
        CommandError(format!("ERR wrong number of arguments for '{lower_name}' command").into())
    }

    /// `ERR invalid expire time in 'set' command`.
    pub fn invalid_expire(lower_name: &str) -> CommandError {
        CommandError(format!("ERR invalid expire time in '{lower_name}' command").into())
    }

    /// What a subscriber that speaks RESP2 may not do.
    pub fn not_for_subscribers(lower_name: &str) -> CommandError {
        let allowed = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET";
        CommandError(
            format!("ERR Can't execute '{lower_name}': only {allowed} are allowed in this context").into(),
        )
    }

    /// EXEC itself was refused with this error.
    pub fn exec_abort(&self) -> CommandError {
        let why = self.0.strip_prefix(b"ERR ").unwrap_or(&self.0);
        CommandError([b"EXECABORT Transaction discarded because of: ", why].concat().into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<NotLoaded> for CommandError {
    /// Never reaches a client: the command runs again when what it needs is there.
    fn from(_: NotLoaded) -> CommandError {
        CommandError(Bytes::from_static(b"ERR a bug in respg: something was not loaded"))
    }
}

impl From<CommandError> for Reply {
    fn from(error: CommandError) -> Reply {
        Reply::error(error.0)
    }
}

impl From<StoreError> for CommandError {
    /// Not the client's mistake, but it gets it in the same form.
    fn from(error: StoreError) -> CommandError {
        CommandError(error.to_string().into())
    }
}
