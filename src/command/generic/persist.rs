//! `PERSIST key`
use crate::command::prelude::*;

pub(super) static PERSIST: Command = Command {
    name: "PERSIST",
    arity: Exactly(2),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    plan: persist,
    ..Command::in_group(Group::Generic, file!())
};

fn persist(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::alter(context, [args.bytes()?], |view| {
        let expires = view.entry(0).is_some_and(|entry| entry.expiry != Expiry::Never);
        if expires {
            view.set_expiry(0, Expiry::Never);
            view.note(0, Event::PERSIST);
        }
        Ok(expires.into())
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{NOW, expiring, int, run};

    #[test]
    fn removes_an_expiry() {
        let (reply, left) = run(&["PERSIST", "a"], expiring("a", "1", Some(NOW + 5)));
        assert_eq!((reply, left), (int(1), expiring("a", "1", None)));
        assert_eq!(run(&["PERSIST", "a"], expiring("a", "1", None)).0, int(0));
        assert_eq!(run(&["PERSIST", "b"], expiring("a", "1", None)).0, int(0));
    }
}
