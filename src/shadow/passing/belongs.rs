//! To which side a call belongs while keys are moved by pattern: by its keys, as respg declares them, or for commands that it does not know the upstream.

use bytes::Bytes;

use super::Passing;
use crate::command::connection::tracks;
use crate::command::{Flags, Group, Incoming, Request};
use crate::exec::Executor;
use crate::keyspace::DbIndex;
use crate::resp::{Protocol, Reply};
use crate::session::Session;
use crate::state::Patterns;
use crate::upstream::{UpstreamError, says_no_keys};

/// Where a call can be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// Wherever the client's other calls are: it is about the connection.
    Anywhere,
    /// By respg: all of its keys are moved.
    Here,
    /// By the upstream: none is. That has all keys, so calls about all of them belong there.
    There,
    /// Nowhere: it has keys of both.
    Both,
    /// Nowhere: it replaces whole databases.
    Whole,
    /// Nowhere: the upstream does not know which of the moved keys the client reads.
    Tracks,
}

impl Belongs {
    fn of_keys<'k>(keys: impl Iterator<Item = &'k Bytes>, moved: &Patterns) -> Option<Belongs> {
        let sides = keys.map(|key| match moved.has(key) {
            true => Belongs::Here,
            false => Belongs::There,
        });
        sides.reduce(Belongs::and)
    }

    /// Of a call that respg knows. Hot path.
    pub fn of(request: &Request, moved: &Patterns) -> Belongs {
        let command = request.command;
        if command.flags.has(Flags::BARRIER) {
            return Belongs::Whole;
        }
        let positions = request.key_positions();
        Belongs::of_keys(positions.iter().map(|at| &request.argv[*at]), moved).unwrap_or_else(
            || match command.group {
                Group::Connection if tracks(request) => Belongs::Tracks,
                Group::Connection | Group::Transactions => Belongs::Anywhere,
                _ => Belongs::There,
            },
        )
    }

    /// Of both together.
    pub fn and(self, other: Belongs) -> Belongs {
        match (self, other) {
            (Belongs::Whole, _) | (_, Belongs::Whole) => Belongs::Whole,
            (Belongs::Tracks, _) | (_, Belongs::Tracks) => Belongs::Tracks,
            (Belongs::Anywhere, one) | (one, Belongs::Anywhere) => one,
            (one, other) if one == other => one,
            _ => Belongs::Both,
        }
    }
}

impl<E: Executor> Passing<E> {
    pub(super) async fn belongs(
        &self,
        session: &Session,
        incoming: &Incoming,
        moved: &Patterns,
    ) -> Result<Belongs, UpstreamError> {
        let argv = match incoming {
            Incoming::Known(request) => return Ok(Belongs::of(request, moved)),
            Incoming::Refused { argv, .. } => argv,
        };
        // No word of it can be such a key.
        if !argv[1..].iter().any(|word| moved.has(word)) {
            return Ok(Belongs::There);
        }
        let greeting = self.upstream.pipe.greeting();
        let declared = greeting.as_deref().and_then(|greeting| greeting.command(&argv[0]));
        let positions = declared.filter(|foreign| !foreign.may_replicate);
        let positions = positions.map(|foreign| foreign.key_positions(argv.len())).unwrap_or_default();
        if !positions.is_empty() {
            let keys = positions.iter().map(|at| &argv[*at]);
            return Ok(Belongs::of_keys(keys, moved).unwrap_or(Belongs::There));
        }
        self.asked(session.db, argv, moved).await
    }

    /// Of a call whose keys only the upstream finds.
    async fn asked(&self, db: DbIndex, argv: &[Bytes], moved: &Patterns) -> Result<Belongs, UpstreamError> {
        let words = [Bytes::from_static(b"COMMAND"), Bytes::from_static(b"GETKEYS")];
        let call: Vec<Bytes> = words.into_iter().chain(argv.iter().cloned()).collect();
        let replies =
            self.upstream.pipe.call(db.0, Protocol::Resp2, std::iter::once(&call[..]), None).await?;
        Ok(match replies.last().map(|raw| raw.parse()) {
            Some(Ok(Reply::Array(keys))) => {
                let keys: Vec<Bytes> = keys.iter().filter_map(crate::command::follow::bytes).collect();
                Belongs::of_keys(keys.iter(), moved).unwrap_or(Belongs::There)
            }
            Some(Ok(Reply::Error(why))) if says_no_keys(why.as_bytes()) => Belongs::There,
            // It does not know the call either, or does not tell: it may be about such keys.
            _ => Belongs::Here,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Change, Mode, Rule};

    #[test]
    fn by_keys() {
        let words = vec![Bytes::from_static(b"m:*")];
        let moved = Rule::of(Mode::Shadow).after(&Change::Move(words)).unwrap().moved;
        let of = |line: &str| {
            let argv = line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
            let Incoming::Known(request) = Incoming::new(argv) else { panic!("{line}") };
            Belongs::of(&request, &moved)
        };
        for (line, expected) in [
            ("GET m:1", Belongs::Here),
            ("GET u", Belongs::There),
            ("SET u m:1", Belongs::There),
            ("MSET m:1 a m:2 b", Belongs::Here),
            ("MSET m:1 a u b", Belongs::Both),
            ("RENAME u m:1", Belongs::Both),
            ("COPY m:1 m:2 DB 3", Belongs::Here),
            ("XREAD COUNT 1 BLOCK 0 STREAMS m:1 u 0 0", Belongs::Both),
            ("XREAD STREAMS m:1 m:2 0 0", Belongs::Here),
            ("WATCH m:1 u", Belongs::Both),
            ("DBSIZE", Belongs::There),
            ("SCAN 0 MATCH m:*", Belongs::There),
            ("PUBLISH m:1 x", Belongs::There),
            ("SELECT 1", Belongs::Anywhere),
            ("PING m:1", Belongs::Anywhere),
            ("MULTI", Belongs::Anywhere),
            ("CLIENT TRACKING on OPTIN", Belongs::Tracks),
            ("CLIENT TRACKING ON BCAST", Belongs::Anywhere),
            ("CLIENT TRACKING OFF", Belongs::Anywhere),
            ("FLUSHDB", Belongs::Whole),
            ("SWAPDB 0 1", Belongs::Whole),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn together() {
        use Belongs::*;
        for (one, other, both) in [
            (Anywhere, Here, Here),
            (Here, Here, Here),
            (Here, There, Both),
            (Both, There, Both),
            (Anywhere, Anywhere, Anywhere),
            (Here, Whole, Whole),
        ] {
            assert_eq!((one.and(other), other.and(one)), (both, both));
        }
    }
}
