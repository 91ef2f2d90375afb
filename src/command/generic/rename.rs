//! `RENAME key newkey | RENAMENX key newkey`
use crate::command::prelude::*;

pub(super) static RENAME: Command = Command {
    name: "RENAME",
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "DELETE"]), KeySpec::at(2, &["OW", "UPDATE"])],
    plan: rename,
    ..FAMILY
};
pub(super) static RENAMENX: Command = Command {
    name: "RENAMENX",
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "DELETE"]), KeySpec::at(2, &["OW", "INSERT"])],
    plan: renamenx,
    ..FAMILY
};

const FAMILY: Command = Command { arity: Exactly(3), ..Command::in_group(Group::Generic, file!()) };

fn rename(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    moving(args, context, true)
}

fn renamenx(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    moving(args, context, false)
}

fn moving(args: &mut Args, context: &PlanContext, replace: bool) -> Result<Plan, CommandError> {
    let from = KeyUse::value(context.db, args.bytes()?);
    let to = KeyUse::presence(context.db, args.bytes()?);
    Ok(Plan::Keys(KeyOp::new(Access::Update, [from, to], move |view| {
        if !view.exists(0) {
            return Err(CommandError::NO_SUCH_KEY);
        }
        let moves = !view.same(0, 1) && (replace || !view.exists(1));
        if moves && let Some(entry) = view.remove(0) {
            // As in Redis the key is new even if there was one of this name.
            view.remove(1);
            view.put(1, entry);
            view.note(0, Event::RENAME_FROM);
            view.note(1, Event::RENAME_TO);
        }
        Ok(if replace { Reply::Ok } else { moves.into() })
    })))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{NOW, error, expiring, int, keys, run};
    use crate::resp::Reply;

    #[test]
    fn takes_the_expiry_along() {
        let (reply, left) = run(&["RENAME", "a", "b"], expiring("a", "1", Some(NOW + 5)));
        assert_eq!((reply, left), (Reply::Ok, expiring("b", "1", Some(NOW + 5))));
    }

    #[test]
    fn same_key_and_taken_name() {
        let both = || keys(&[("a", "1"), ("b", "2")]);
        assert_eq!(run(&["RENAME", "a", "a"], both()), (Reply::Ok, both()));
        assert_eq!(run(&["RENAMENX", "a", "a"], both()), (int(0), both()));
        assert_eq!(run(&["RENAMENX", "a", "b"], both()), (int(0), both()));
        assert_eq!(run(&["RENAME", "a", "b"], both()), (Reply::Ok, keys(&[("b", "1")])));
        assert_eq!(run(&["RENAME", "none", "none"], both()).0, error("ERR no such key"));
    }
}
