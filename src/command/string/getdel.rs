//! `GETDEL key`
use crate::command::prelude::*;

pub(super) static GETDEL: Command = Command {
    name: "GETDEL",
    arity: Exactly(2),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "DELETE"])],
    plan: getdel,
    ..Command::in_group(Group::String, file!())
};

fn getdel(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::update(context, [args.bytes()?], |view| {
        let value = view.string(0)?.cloned();
        view.note_miss(0);
        if view.remove(0).is_some() {
            view.note(0, Event::DEL);
        }
        Ok(value.into())
    }))
}
