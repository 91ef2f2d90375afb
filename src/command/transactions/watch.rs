//! `WATCH key [key ...] | UNWATCH`
use futures_util::future::BoxFuture;

use crate::command::prelude::*;
use crate::exec::{Context, Watched};
use crate::keyspace::{StoredKey, long_key};
use crate::store::statements::transactions;
use crate::store::{Call, Param, Xid};

pub(super) static WATCH: Command = Command {
    name: "WATCH",
    arity: AtLeast(2),
    flags: FLAGS.and(Flags::NOT_QUEUED),
    keys: &[KeySpec::from(1, 1, &["RO"])],
    plan: watch,
    passing: Passing::Watches,
    ..Command::in_group(Group::Transactions, file!())
};
pub(super) static UNWATCH: Command = Command {
    name: "UNWATCH",
    arity: Exactly(1),
    flags: FLAGS,
    plan: unwatch,
    passing: Passing::Unwatches,
    ..Command::in_group(Group::Transactions, file!())
};

const FLAGS: Flags =
    Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY);

fn watch(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Steps(Box::new(Watch { db: context.db, keys: args.rest().to_vec() })))
}

fn unwatch(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        context.unwatch();
        Ok(Reply::Ok)
    }))
}

struct Watch {
    db: DbIndex,
    keys: Vec<Bytes>,
}

impl Steps for Watch {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            if context.session.multi.is_some() {
                return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
            }
            let watched = self.versions(context).await?;
            context.watch(watched);
            Ok(Reply::Ok)
        })
    }
}

impl Watch {
    /// The present versions of those keys that are not watched yet: the first look counts.
    async fn versions(mut self, context: &Context<'_>) -> Result<Vec<Watched>, CommandError> {
        let db = self.db;
        let known = |key: &Bytes| context.session.watched.iter().any(|w| w.db == db && w.key == key);
        self.keys.sort_unstable();
        self.keys.dedup();
        self.keys.retain(|key| !known(key));
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let params = vec![
            Param::Int4s(vec![db.0 as i32; self.keys.len()]),
            Param::BytesArray(self.keys.iter().map(|key| StoredKey::new(key).into_bytes()).collect()),
            Param::NullableBytesArray(self.keys.iter().map(|key| long_key(key).cloned()).collect()),
        ];
        let call = Call::write(&transactions::WATCH, params, |_| Reply::Ok);
        // A key without a row was removed in this very moment: no version fits, and EXEC will not be done.
        let changed = |key| Watched { db, key, xmin: 0, live: true, object_version: None, space: 0 };
        let mut watched: Vec<Watched> = self.keys.into_iter().map(changed).collect();
        for row in context.rows(&call).await? {
            let place = row.get::<_, i32>(0) as usize - 1;
            let seen = &mut watched[place];
            (seen.xmin, seen.live, seen.space) = (row.get::<_, Xid>(1).0, row.get(2), row.get(3));
            seen.object_version = row.get(4);
        }
        Ok(watched)
    }
}
