//! `MOVE key db`
use crate::command::prelude::*;

pub(super) static MOVE: Command = Command {
    name: "MOVE",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])],
    plan: move_,
    ..Command::in_group(Group::Generic, file!())
};

fn move_(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let db = options::database(args, context)?;
    if db == context.db {
        return Err(CommandError::SAME_OBJECT);
    }
    let uses = [KeyUse::value(context.db, key.clone()), KeyUse::presence(db, key)];
    Ok(Plan::Keys(KeyOp::new(Access::Update, uses, |view| {
        if view.exists(1) {
            return Ok(Reply::ZERO);
        }
        let Some(entry) = view.handed_over(0, 1)? else { return Ok(Reply::ZERO) };
        view.remove(0);
        view.put(1, entry);
        view.note(0, Event::MOVE_FROM);
        view.note(1, Event::MOVE_TO);
        Ok(Reply::ONE)
    })))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, in_db, int, keys, run};

    #[test]
    fn moves_unless_the_key_is_there() {
        assert_eq!(run(&["MOVE", "a", "3"], keys(&[("a", "1")])), (int(1), in_db(3, &[("a", "1")])));
        let mut both = keys(&[("a", "1")]);
        both.extend(in_db(3, &[("a", "2")]));
        assert_eq!(run(&["MOVE", "a", "3"], both.clone()), (int(0), both));
        assert_eq!(run(&["MOVE", "none", "3"], keys(&[])), (int(0), keys(&[])));
    }

    #[test]
    fn errors() {
        for (db, text) in [
            ("0", "ERR source and destination objects are the same"),
            ("16", "ERR DB index is out of range"),
            ("x", "ERR value is not an integer or out of range"),
        ] {
            assert_eq!(run(&["MOVE", "a", db], keys(&[])).0, error(text));
        }
    }
}
