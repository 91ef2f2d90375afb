//! RESPG.STREAM: options of streams that are queues, and delayed entries.

use crate::command::help::help;
use crate::command::prelude::*;
use crate::store::statements::queues;
use crate::store::{Call, Param, Row};

pub(super) static STREAM: Command = Command {
    name: "RESPG.STREAM",
    arity: AtLeast(2),
    flags: Flags::MODULE,
    subcommands: &[&ADD, &CANCEL, &GET, &HELP, &SET],
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

/// `RESPG.STREAM SET key [DEADLETTER key AFTER deliveries] [ARCHIVE milliseconds] [MAXAGE milliseconds] [MAXLEN entries]`
static SET: Command = Command {
    name: "RESPG.STREAM|SET",
    arity: AtLeast(3),
    flags: Flags::MODULE.and(Flags::WRITE),
    keys: &[KeySpec::at(2, &["RW", "UPDATE"])],
    plan: set,
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

/// `RESPG.STREAM GET key`
static GET: Command = Command {
    name: "RESPG.STREAM|GET",
    arity: Exactly(3),
    flags: Flags::MODULE.and(Flags::READONLY),
    keys: &[KeySpec::at(2, &["RO", "ACCESS"])],
    plan: get,
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

/// `RESPG.STREAM ADD key <DELAY milliseconds | AT unix-time-milliseconds> field value [field value ...]`
static ADD: Command = Command {
    name: "RESPG.STREAM|ADD",
    arity: AtLeast(7),
    flags: Flags::MODULE.and(Flags::WRITE).and(Flags::DENYOOM),
    keys: &[KeySpec::at(2, &["RW", "UPDATE"])],
    plan: add,
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

/// `RESPG.STREAM CANCEL number`
static CANCEL: Command = Command {
    name: "RESPG.STREAM|CANCEL",
    arity: Exactly(3),
    flags: Flags::MODULE.and(Flags::WRITE),
    plan: cancel,
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

static HELP: Command = Command {
    name: "RESPG.STREAM|HELP",
    arity: Exactly(2),
    flags: Flags::MODULE.and(Flags::LOADING).and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("RESPG.STREAM", HELP_LINES))),
    passing: Passing::OWN,
    ..Command::in_group(Group::Stream, file!())
};

const HELP_LINES: &[&str] = &[
    "ADD <key> <DELAY <milliseconds> | AT <unix-time-milliseconds>> <field> <value> [...]",
    "    Add an entry to a stream at a later time. Return a number for CANCEL.",
    "CANCEL <number>",
    "    Take a delayed entry back. Return 0 if it is not waiting any more.",
    "GET <key>",
    "    Return the options of a stream.",
    "SET <key> [<option> <value> ...]",
    "    Replace the options of a stream; what is not named is off. Options are:",
    "    * DEADLETTER <key> AFTER <deliveries>",
    "      What would be delivered once more goes to this stream instead.",
    "    * ARCHIVE <milliseconds>",
    "      Keep acknowledged entries for so long (0: for ever) in respg.acknowledged.",
    "    * MAXAGE <milliseconds>",
    "      Trim older entries.",
    "    * MAXLEN <entries>",
    "      Trim the oldest entries when there are more.",
];

fn set(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let (mut dead_letter, mut after, mut archive) = (Param::Null, Param::Null, Param::Null);
    let (mut max_age, mut max_length) = (Param::Null, Param::Null);
    while !args.is_empty() {
        if args.take("DEADLETTER") {
            let target = args.bytes()?;
            if target == key {
                return Err(CommandError::text("ERR a stream cannot be its own dead-letter stream"));
            }
            dead_letter = Param::Bytes(target);
            if !args.take("AFTER") {
                return Err(CommandError::SYNTAX);
            }
            after = at_least(1, args)?;
        } else if args.take("ARCHIVE") {
            archive = at_least(0, args)?;
        } else if args.take("MAXAGE") {
            max_age = at_least(1, args)?;
        } else if args.take("MAXLEN") {
            max_length = at_least(0, args)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let db = Param::Int4(context.db.0 as i32);
    let params = vec![db, Param::Bytes(key), dead_letter, after, archive, max_age, max_length];
    Ok(Plan::Call(Call::write(&queues::SET_OPTIONS, params, |rows: &[Row]| {
        match rows.first().map(|row| row.get::<_, i32>(0)) {
            Some(SET_DONE) => Reply::Ok,
            Some(WRONG_TYPE) => CommandError::WRONG_TYPE.into(),
            _ => CommandError::NO_SUCH_KEY.into(),
        }
    })))
}

/// What `respg.try_set_stream_options` and `respg.try_xadd_at` answer.
const SET_DONE: i32 = 1;
const WRONG_TYPE: i32 = -1;

fn at_least(lowest: i64, args: &mut Args) -> Result<Param, CommandError> {
    match args.integer()? {
        number if number >= lowest => Ok(Param::Int8(number)),
        _ => Err(CommandError::text(format!("ERR value must be at least {lowest}"))),
    }
}

/// The names that SET takes, in its order.
const OPTIONS: [&str; 5] = ["deadletter", "after", "archive", "maxage", "maxlen"];

fn get(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let params = vec![Param::Int4(context.db.0 as i32), Param::Bytes(args.bytes()?)];
    Ok(Plan::Call(Call::read(&queues::GET_OPTIONS, params, |rows: &[Row]| {
        let Some(row) = rows.first() else { return Reply::Null };
        if row.get::<_, i16>(0) != Kind::Stream as i16 {
            return CommandError::WRONG_TYPE.into();
        }
        let dead_letter = row.get::<_, Option<Vec<u8>>>(1).map(|key| Reply::Bulk(key.into()));
        let numbers = (2..6).map(|column| row.get::<_, Option<i64>>(column).map(Reply::Integer));
        let values = std::iter::once(dead_letter).chain(numbers);
        let pairs = OPTIONS.into_iter().zip(values);
        Reply::Map(pairs.filter_map(|(name, value)| Some((Reply::text(name), value?))).collect())
    })))
}

fn add(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let (at, delay) = if args.take("DELAY") {
        (Param::Null, at_least(0, args)?)
    } else if args.take("AT") {
        (at_least(0, args)?, Param::Null)
    } else {
        return Err(CommandError::SYNTAX);
    };
    let fields = args.rest().to_vec();
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(CommandError::wrong_arity(&args.command_name()));
    }
    let db = Param::Int4(context.db.0 as i32);
    let params = vec![db, Param::Bytes(key), Param::BytesArray(fields), at, delay];
    Ok(Plan::Call(Call::write(&queues::ADD_LATER, params, |rows: &[Row]| {
        match rows.first().map_or(0, |row| row.get::<_, i64>(0)) {
            number if number == i64::from(WRONG_TYPE) => CommandError::WRONG_TYPE.into(),
            number => Reply::Integer(number),
        }
    })))
}

fn cancel(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let params = vec![Param::Int8(args.integer()?)];
    Ok(Plan::Call(Call::write(&queues::CANCEL, params, |rows: &[Row]| {
        Reply::Integer(rows.first().map_or(0, |row| i64::from(row.get::<_, bool>(0))))
    })))
}

#[cfg(test)]
mod tests {
    use crate::command::Plan;
    use crate::command::testing::{error, plan};
    use crate::resp::Reply;

    #[test]
    fn mistakes() {
        for (call, text) in [
            ("SET q DEADLETTER d", "ERR syntax error"),
            ("SET q DEADLETTER d AFTER", "ERR syntax error"),
            ("SET q DEADLETTER d AFTER 0", "ERR value must be at least 1"),
            ("SET q DEADLETTER q AFTER 1", "ERR a stream cannot be its own dead-letter stream"),
            ("SET q MAXAGE x", "ERR value is not an integer or out of range"),
            ("SET q MAXLEN -1", "ERR value must be at least 0"),
            ("SET q OTHER 1", "ERR syntax error"),
            ("ADD q SOON 1 f v", "ERR syntax error"),
            ("ADD q DELAY -1 f v", "ERR value must be at least 0"),
            ("ADD q DELAY 1 f v g", "ERR wrong number of arguments for 'respg.stream|add' command"),
        ] {
            let words: Vec<&str> = std::iter::once("RESPG.STREAM").chain(call.split(' ')).collect();
            assert_eq!(plan(&words).err().map(Reply::from), Some(error(text)), "{call}");
        }
        assert!(matches!(plan(&["RESPG.STREAM", "SET", "q"]), Ok(Plan::Call(_))));
    }
}
