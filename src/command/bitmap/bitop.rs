//! `BITOP AND | OR | XOR | NOT destkey key [key ...]`
use crate::command::prelude::*;
use crate::keyspace::bits::{self, Operation};

pub(super) static BITOP: Command = Command {
    name: "BITOP",
    arity: AtLeast(4),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(2, &["OW", "UPDATE"]), KeySpec::from(3, 1, &["RO", "ACCESS"])],
    plan: bitop,
    ..Command::in_group(Group::Bitmap, file!())
};

fn bitop(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let operation = match () {
        _ if args.take("AND") => Operation::And,
        _ if args.take("OR") => Operation::Or,
        _ if args.take("XOR") => Operation::Xor,
        _ if args.take("NOT") => Operation::Not,
        _ => return Err(CommandError::SYNTAX),
    };
    let destination = KeyUse::presence(context.db, args.bytes()?);
    if operation == Operation::Not && args.left() != 1 {
        return Err(CommandError::text("ERR BITOP NOT must be called with a single source key."));
    }
    let sources = args.rest().iter().map(|key| KeyUse::value(context.db, key.clone()));
    let keys = std::iter::once(destination).chain(sources);
    Ok(Plan::Keys(KeyOp::new(Access::Update, keys, move |view| {
        (1..view.len()).for_each(|i| view.note_miss(i));
        let sources = (1..view.len()).map(|i| view.string_or_empty(i)).collect::<Result<Vec<_>, _>>()?;
        let sources: Vec<&[u8]> = sources.iter().map(|bytes| bytes.as_ref()).collect();
        let result = bits::combine(operation, &sources);
        let length = result.len() as i64;
        match length {
            0 if view.remove(0).is_some() => view.note(0, Event::DEL),
            0 => {}
            _ => {
                view.put_string(0, result.into(), Expiry::Never);
                view.note(0, Event::SET);
            }
        }
        Ok(Reply::Integer(length))
    })))
}
