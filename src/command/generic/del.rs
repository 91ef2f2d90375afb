//! `DEL key [key ...] | UNLINK key [key ...]`
use crate::command::prelude::*;

pub(super) static DEL: Command = Command { name: "DEL", flags: Flags::WRITE, ..FAMILY };
pub(super) static UNLINK: Command =
    Command { name: "UNLINK", flags: Flags::WRITE.and(Flags::FAST), ..FAMILY };

const FAMILY: Command = Command {
    arity: AtLeast(2),
    keys: &[KeySpec::from(1, 1, &["RM", "DELETE"])],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    plan: del,
    ..Command::in_group(Group::Generic, file!())
};

fn del(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::alter(context, args.rest().iter().cloned(), |view| {
        let mut removed = 0;
        for i in 0..view.len() {
            if view.remove(i).is_some() {
                view.note(i, Event::DEL);
                removed += 1;
            }
        }
        Ok(Reply::Integer(removed))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{int, keys, run};

    #[test]
    fn counts_each_key_once() {
        let (reply, left) = run(&["DEL", "a", "none", "a", "b"], keys(&[("a", "1"), ("b", "2"), ("c", "3")]));
        assert_eq!(reply, int(2));
        assert_eq!(left, keys(&[("c", "3")]));
    }
}
