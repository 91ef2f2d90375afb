//! ```text
//! XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]
//! XGROUP SETID key group id|$ [ENTRIESREAD entries-read]
//! XGROUP DESTROY key group
//! XGROUP CREATECONSUMER key group consumer
//! XGROUP DELCONSUMER key group consumer
//! XGROUP HELP
//! ```
use super::named::{no_group_of_key, stream_key};
use crate::command::help::help as help_of;
use crate::command::prelude::*;
use crate::keyspace::stream::groups::Group as ConsumerGroup;
use crate::keyspace::stream::{Stream, StreamId};

pub(super) static XGROUP: Command = Command {
    name: "XGROUP",
    arity: AtLeast(2),
    subcommands: &[&DESTROY, &SETID, &CREATE, &HELP, &DELCONSUMER, &CREATECONSUMER],
    ..Command::in_group(Group::Stream, file!())
};
static CREATE: Command = Command {
    name: "XGROUP|CREATE",
    arity: AtLeast(5),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(2, &["RW", "INSERT"])],
    plan: create,
    ..Command::in_group(Group::Stream, file!())
};
static SETID: Command = Command {
    name: "XGROUP|SETID",
    arity: AtLeast(5),
    flags: Flags::WRITE,
    keys: &[KeySpec::at(2, &["RW", "UPDATE"])],
    plan: setid,
    ..Command::in_group(Group::Stream, file!())
};
static DESTROY: Command = Command {
    name: "XGROUP|DESTROY",
    arity: Exactly(4),
    flags: Flags::WRITE,
    keys: &[KeySpec::at(2, &["RW", "DELETE"])],
    plan: destroy,
    ..Command::in_group(Group::Stream, file!())
};
static CREATECONSUMER: Command = Command {
    name: "XGROUP|CREATECONSUMER",
    arity: Exactly(5),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(2, &["RW", "INSERT"])],
    plan: create_consumer,
    ..Command::in_group(Group::Stream, file!())
};
static DELCONSUMER: Command = Command {
    name: "XGROUP|DELCONSUMER",
    arity: Exactly(5),
    flags: Flags::WRITE,
    keys: &[KeySpec::at(2, &["RW", "DELETE"])],
    plan: delete_consumer,
    ..Command::in_group(Group::Stream, file!())
};
static HELP: Command = Command {
    name: "XGROUP|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: help,
    ..Command::in_group(Group::Stream, file!())
};

/// Where a group is to begin.
#[derive(Clone)]
struct Start {
    /// `None` for `$`; an error comes only when the key is known to be a stream.
    id: Option<Result<StreamId, CommandError>>,
    entries_read: Option<i64>,
    make: bool,
}

impl Start {
    fn parse(args: &mut Args, may_make: bool, syntax: &'static str) -> Result<Start, CommandError> {
        let id = match &args.bytes()?[..] {
            b"$" => None,
            // SETID knows - and +.
            word if may_make => Some(StreamId::parse(word, 0).ok_or(CommandError::INVALID_STREAM_ID)),
            word => Some(StreamId::parse_bound(word, 0).ok_or(CommandError::INVALID_STREAM_ID)),
        };
        let mut start = Start { id, entries_read: None, make: false };
        let words = args.argv().len();
        while !args.is_empty() {
            if may_make && args.take("MKSTREAM") {
                start.make = true;
            } else if args.left() > 1 && args.take("ENTRIESREAD") {
                let read = args.integer()?;
                if read < -1 {
                    return Err(CommandError::constant("ERR value for ENTRIESREAD must be positive or -1"));
                }
                start.entries_read = Some(read).filter(|read| *read >= 0);
            } else {
                return Err(CommandError::constant(syntax));
            }
        }
        let admitted = if may_make { words <= 8 } else { words == 5 || words == 7 };
        if admitted { Ok(start) } else { Err(CommandError::constant(syntax)) }
    }

    fn id(&self, stream: Option<&Stream>) -> Result<StreamId, CommandError> {
        match &self.id {
            None => Ok(stream.map_or(StreamId::MIN, |stream| stream.state.last_id)),
            Some(id) => id.clone(),
        }
    }
}

const CREATE_SYNTAX: &str =
    "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.";
const SETID_SYNTAX: &str =
    "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.";
const NO_KEY: CommandError = CommandError::constant(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const GROUP_EXISTS: CommandError = CommandError::constant("BUSYGROUP Consumer Group name already exists");

fn create(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name) = (args.bytes()?, args.bytes()?);
    let start = Start::parse(args, true, CREATE_SYNTAX)?;
    Ok(stream_key(context, key, move |view| {
        let stream = view.stream(0)?;
        if stream.is_none() && !start.make {
            return Err(NO_KEY);
        }
        let id = start.id(stream.as_deref())?;
        let made = match stream {
            Some(stream) => stream.create_group(&name, id, start.entries_read)?,
            None => view.stream_or_new(0)?.create_group(&name, id, start.entries_read)?,
        };
        if !made {
            return Err(GROUP_EXISTS);
        }
        view.note(0, Event::XGROUP_CREATE);
        Ok(Reply::status("OK"))
    }))
}

fn setid(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name) = (args.bytes()?, args.bytes()?);
    let start = Start::parse(args, false, SETID_SYNTAX)?;
    Ok(of_group(context, key, name, move |stream, name, group, _| {
        let id = start.id(Some(stream))?;
        stream.set_group(name, group, id, start.entries_read);
        Ok((Reply::status("OK"), Some(Event::XGROUP_SETID)))
    }))
}

fn destroy(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name) = (args.bytes()?, args.bytes()?);
    Ok(stream_key(context, key, move |view| {
        let stream = view.stream(0)?.ok_or(NO_KEY)?;
        let destroyed = stream.destroy_group(&name)?;
        if destroyed {
            view.note(0, Event::XGROUP_DESTROY);
        }
        Ok(destroyed.into())
    }))
}

fn create_consumer(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(of_group(context, key, name, move |stream, name, group, now| {
        let made = stream.create_consumer(name, group, &consumer, now)?;
        Ok((made.into(), made.then_some(Event::XGROUP_CREATECONSUMER)))
    }))
}

fn delete_consumer(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name, consumer) = (args.bytes()?, args.bytes()?, args.bytes()?);
    Ok(of_group(context, key, name, move |stream, name, group, _| {
        let pending = stream.delete_consumer(name, group, &consumer)?;
        let event = pending.map(|_| Event::XGROUP_DELCONSUMER);
        Ok((Reply::Integer(pending.unwrap_or(0)), event))
    }))
}

/// A change of a group that must be there, with the event it is; also gets the time.
fn of_group(
    context: &PlanContext,
    key: Bytes,
    name: Bytes,
    change: impl Fn(&mut Stream, &Bytes, ConsumerGroup, i64) -> Result<(Reply, Option<Event>), CommandError>
    + Send
    + Sync
    + 'static,
) -> Plan {
    stream_key(context, key.clone(), move |view| {
        let now = view.now();
        let stream = view.stream(0)?.ok_or(NO_KEY)?;
        let group = stream.group(&name)?.ok_or_else(|| no_group_of_key(&key, &name))?;
        let (reply, event) = change(stream, &name, group, now)?;
        if let Some(event) = event {
            view.note(0, event);
        }
        Ok(reply)
    })
}

fn help(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Ready(help_of(
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    )))
}
