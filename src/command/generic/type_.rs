//! `TYPE key`
use crate::command::prelude::*;

pub(super) static TYPE: Command = Command {
    name: "TYPE",
    arity: Exactly(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO"])],
    plan: type_,
    ..Command::in_group(Group::Generic, file!())
};

fn type_(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::inspect(context, [args.bytes()?], |view| {
        Ok(Reply::status(view.entry(0).map_or("none", |entry| entry.kind.name())))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{keys, run};
    use crate::resp::Reply;

    #[test]
    fn names_the_type() {
        assert_eq!(run(&["TYPE", "a"], keys(&[("a", "1")])).0, Reply::status("string"));
        assert_eq!(run(&["TYPE", "b"], keys(&[("a", "1")])).0, Reply::status("none"));
    }
}
