//! Notes which keys a client's requests may write, before and after. Hot path.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use smallvec::{SmallVec, smallvec};

use super::Reverse;
use super::changes::slot;
use crate::command::{Flags, Incoming, Request};
use crate::exec::{Executor, boxed};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::{Session, Wake};
use crate::shadow::effect::{Name, may_write, selects, written_in};
use crate::shadow::keeper::Keeper;
use crate::shadow::record::Touched;
use crate::shadow::target::{Outcome, store_failure};
use crate::state::{Process, Side};

/// The executor around the one that answers.
pub struct Noting<E> {
    inner: E,
    process: Arc<Process>,
    keeper: Arc<Keeper>,
}

/// What requests may write.
#[derive(Default)]
struct Writes {
    names: Vec<Name>,
    /// Whole databases.
    all: bool,
}

impl<E: Executor> Noting<E> {
    pub fn on(inner: E, process: Arc<Process>, keeper: Arc<Keeper>) -> Noting<E> {
        Noting { inner, process, keeper }
    }

    fn reverse(&self) -> Option<Arc<Reverse>> {
        match self.process.routing.is_followed_by(Side::Upstream) {
            true => self.keeper.reverse(),
            false => None,
        }
    }

    fn begin(&self, reverse: &Arc<Reverse>, mut writes: Writes) -> Noted {
        // Others are refused, and cannot be read.
        writes.names.retain(|(db, _)| db.0 < self.process.settings.config.databases);
        Noted::begin(reverse, writes)
    }
}

impl<E: Executor> Executor for Noting<E> {
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()> {
        let Some(reverse) = self.reverse() else {
            return self.inner.execute(session, requests, replies);
        };
        boxed(async move {
            let requests_known = requests.iter().filter_map(|incoming| match incoming {
                Incoming::Known(request) => Some(request),
                Incoming::Refused { .. } => None,
            });
            let noted = self.begin(&reverse, Writes::of(session, requests_known));
            let first = replies.len();
            self.inner.execute(session, requests, replies).await;
            noted.end(replies[first..].iter().all(is_certain));
        })
    }

    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>> {
        let Some((reverse, blocked)) = self.reverse().zip(session.blocked.as_ref()) else {
            return self.inner.resume(session, wake);
        };
        let noted = self.begin(&reverse, Writes::of(session, [&blocked.request]));
        Box::pin(async move {
            let reply = self.inner.resume(session, wake).await;
            noted.end(reply.iter().all(is_certain));
            reply
        })
    }
}

/// Whether a reply says that it is known what has happened. To a client that wants none (CLIENT REPLY OFF) nothing is said, and it is taken for certain.
fn is_certain(reply: &Reply) -> bool {
    !matches!(store_failure(reply), Some(Outcome::Unknown))
}

impl Writes {
    /// What is queued for EXEC counts already, and again when it is executed: to bring a key over too often does no harm.
    fn of<'r>(session: &Session, requests: impl IntoIterator<Item = &'r Request>) -> Writes {
        let mut writes = Writes::default();
        // With a SELECT among them keys are noted in all databases that they may be in.
        let mut dbs: SmallVec<[DbIndex; 2]> = smallvec![session.db];
        for request in requests {
            if request.command.flags.has(Flags::EXECUTES_QUEUE) {
                let queued = session.multi.iter().flat_map(|multi| &multi.queued);
                queued.for_each(|request| writes.note(request, &mut dbs));
            }
            writes.note(request, &mut dbs);
        }
        writes
    }

    fn note(&mut self, request: &Request, dbs: &mut SmallVec<[DbIndex; 2]>) {
        let flags = request.command.flags;
        if flags.has(Flags::SELECTS_DATABASE)
            && let Some(db) = selects(&request.argv)
            && !dbs.contains(&db)
        {
            dbs.push(db);
        }
        if !may_write(&request.argv) {
            return;
        }
        if flags.has(Flags::BARRIER) {
            self.all = true;
            return;
        }
        for &db in dbs.iter() {
            self.names.extend(written_in(request, db));
        }
    }
}

/// Writes that are marked and under way.
struct Noted {
    reverse: Arc<Reverse>,
    writes: Writes,
}

impl Noted {
    fn begin(reverse: &Arc<Reverse>, mut writes: Writes) -> Noted {
        // Of a transaction it may not be decided yet who executes it.
        writes.names.retain(|(_, key)| reverse.share.has(key));
        writes.names.iter().for_each(|name| reverse.dirty.mark(&slot(name)));
        if writes.all {
            reverse.dirty.mark(&Touched::All);
        }
        Noted { reverse: reverse.clone(), writes }
    }

    /// They are over, and it is known or not whether they have happened.
    fn end(mut self, certain: bool) {
        let Writes { names, all } = std::mem::take(&mut self.writes);
        if all {
            // Walking through all keys finds what has become of them, in whatever order others have written since.
            self.reverse.dirty.give_up(&Touched::All);
            if !certain {
                self.reverse.compare_later();
            }
        }
        if names.is_empty() {
            return;
        }
        match certain {
            true => self.reverse.changes.add(names),
            false => self.reverse.changed_perhaps(names),
        }
    }
}

impl Drop for Noted {
    /// Cut off in the middle, as when the process ends.
    fn drop(&mut self) {
        self.writes.names.iter().for_each(|name| self.reverse.dirty.give_up(&slot(name)));
        if self.writes.all {
            self.reverse.dirty.give_up(&Touched::All);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Multi;
    use crate::state::ClientHandle;

    fn requests(lines: &str) -> Vec<Request> {
        let request = |line: &str| match Incoming::new(
            line.split_whitespace().map(|word| word.to_owned().into()).collect(),
        ) {
            Incoming::Known(request) => request,
            refused => panic!("{refused:?}"),
        };
        lines.split(';').map(request).collect()
    }

    fn written(session: &Session, lines: &str) -> (Vec<String>, bool) {
        let Writes { names, all } = Writes::of(session, &requests(lines));
        let text = |(db, key): &Name| format!("{}:{}", db.0, key.escape_ascii());
        (names.iter().map(text).collect(), all)
    }

    #[test]
    fn what_may_be_written() {
        let client = ClientHandle::new(1, String::new(), String::new());
        let mut session = Session::new(Arc::new(client), true);
        for (lines, names, all) in [
            ("GET a; XRANGE s - +; PUBLISH c m", "", false),
            ("SET a 1; GET b; MSET c 1 d 2", "0:a 0:c 0:d", false),
            ("COPY a b DB 3; RENAME a b", "0:b 3:b 0:a 0:b", false),
            ("MOVE a 5", "0:a 5:a", false),
            ("XREADGROUP GROUP g c STREAMS s t > >", "0:s 0:t", false),
            ("MULTI; SET a 1; EXEC", "0:a", false),
            ("SET a 1; SELECT 2; SET b 1", "0:a 0:b 2:b", false),
            ("FLUSHDB", "", true),
            ("SET a 1; SWAPDB 0 1", "0:a", true),
        ] {
            let expected = names.split_whitespace().map(str::to_owned).collect();
            assert_eq!(written(&session, lines), (expected, all), "{lines}");
        }
        let mut multi = Multi::default();
        requests("SET a 1; SELECT 1; INCR b").into_iter().for_each(|request| multi.push(request));
        session.multi = Some(multi);
        assert_eq!(written(&session, "GET x"), (Vec::new(), false));
        let names: Vec<String> = ["0:a", "0:b", "1:b"].map(str::to_owned).into();
        assert_eq!(written(&session, "EXEC"), (names, false));
    }

    #[test]
    fn replies_without_certainty() {
        let unknown = crate::store::StoreError::Unknown.to_string();
        assert!(is_certain(&Reply::Ok) && is_certain(&Reply::error("ERR no")));
        assert!(!is_certain(&Reply::error(unknown)));
    }
}
