//! `XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]`
use crate::command::prelude::*;
use crate::keyspace::stream::StreamId;

pub(super) static XSETID: Command = Command {
    name: "XSETID",
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    plan: xsetid,
    ..Command::in_group(Group::Stream, file!())
};

fn xsetid(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = KeyUse::object(context.db, args.bytes()?, Kind::Stream);
    let id = |args: &mut Args| StreamId::parse(args.word()?, 0).ok_or(CommandError::INVALID_STREAM_ID);
    let last = id(args)?;
    let (mut entries_added, mut max_deleted) = (None, None);
    while !args.is_empty() {
        if args.left() > 1 && args.take("ENTRIESADDED") {
            let added = args.integer()?;
            if added < 0 {
                return Err(CommandError::constant("ERR entries_added must be positive"));
            }
            entries_added = Some(added);
        } else if args.left() > 1 && args.take("MAXDELETEDID") {
            let deleted = id(args)?;
            if last < deleted {
                return Err(CommandError::constant(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            // 0-0 changes nothing.
            max_deleted = Some(deleted).filter(|id| *id > StreamId::MIN);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(Plan::Keys(KeyOp::new(Access::Update, [key], move |view| {
        let stream = view.stream(0)?.ok_or(CommandError::NO_SUCH_KEY)?;
        if last < stream.state.max_deleted_id {
            return Err(CommandError::constant(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if stream.top()?.is_some_and(|top| last < top) {
            return Err(CommandError::constant(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        let length = stream.state.length;
        if length > 0 && entries_added.is_some_and(|added| added < length) {
            return Err(CommandError::constant(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        stream.set_id(last, entries_added, max_deleted);
        view.note(0, Event::XSETID);
        Ok(Reply::Ok)
    })))
}
