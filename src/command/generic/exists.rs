//! `EXISTS key [key ...] | TOUCH key [key ...]`
use crate::command::prelude::*;

pub(super) static EXISTS: Command = Command { name: "EXISTS", ..FAMILY };
/// Counts as EXISTS does; access times, which it would change, are not kept.
pub(super) static TOUCH: Command = Command { name: "TOUCH", ..FAMILY };

const FAMILY: Command = Command {
    arity: AtLeast(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::from(1, 1, &["RO"])],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    plan: exists,
    ..Command::in_group(Group::Generic, file!())
};

fn exists(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::inspect(context, args.rest().iter().cloned(), |view| {
        Ok(Reply::Integer((0..view.len()).filter(|i| view.exists(*i)).count() as i64))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{int, keys, run};

    #[test]
    fn counts_a_key_as_often_as_it_is_named() {
        assert_eq!(run(&["EXISTS", "a", "a", "none"], keys(&[("a", "1")])).0, int(2));
    }
}
