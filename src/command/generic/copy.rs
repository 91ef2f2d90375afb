//! `COPY source destination [DB destination-db] [REPLACE]`
use crate::command::prelude::*;

pub(super) static COPY: Command = Command {
    name: "COPY",
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, &["RO", "ACCESS"]), KeySpec::at(2, &["OW", "UPDATE"])],
    plan: copy,
    ..Command::in_group(Group::Generic, file!())
};

fn copy(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let from = KeyUse::value(context.db, args.bytes()?);
    let mut to = KeyUse::presence(context.db, args.bytes()?);
    let mut replace = false;
    while !args.is_empty() {
        if args.take("REPLACE") {
            replace = true;
        } else if args.left() > 1 && args.take("DB") {
            to.db = options::database(args, context)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    if (from.db, &from.key) == (to.db, &to.key) {
        return Err(CommandError::SAME_OBJECT);
    }
    Ok(Plan::Keys(KeyOp::new(Access::Update, [from, to], move |view| {
        view.note_miss(0);
        if view.exists(1) && !replace {
            return Ok(Reply::ZERO);
        }
        let Some(entry) = view.copied(0, 1)? else { return Ok(Reply::ZERO) };
        // As in Redis the key is new even if there was one of this name.
        view.remove(1);
        view.put(1, entry);
        view.note(1, Event::COPY_TO);
        Ok(Reply::ONE)
    })))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, int, keys, run};

    #[test]
    fn copies() {
        let both = || keys(&[("a", "1"), ("b", "2")]);
        assert_eq!(run(&["COPY", "a", "b"], both()), (int(0), both()));
        assert_eq!(run(&["COPY", "none", "c"], both()), (int(0), both()));
        let (reply, left) = run(&["COPY", "a", "b", "replace"], both());
        assert_eq!((reply, left), (int(1), keys(&[("a", "1"), ("b", "1")])));
        let (reply, left) = run(&["COPY", "a", "a", "DB", "1"], keys(&[("a", "1")]));
        assert_eq!((reply, left.len()), (int(1), 2));
    }

    #[test]
    fn errors() {
        for (words, text) in [
            (&["COPY", "a", "a"][..], "ERR source and destination objects are the same"),
            (&["COPY", "a", "b", "DB"], "ERR syntax error"),
            (&["COPY", "a", "b", "DB", "99", "x"], "ERR DB index is out of range"),
            (&["COPY", "a", "b", "DB", "x"], "ERR value is not an integer or out of range"),
            (
                &["COPY", "a", "b", "DB", "99999999999"],
                "ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
        ] {
            assert_eq!(run(words, keys(&[])).0, error(text), "{words:?}");
        }
    }
}
