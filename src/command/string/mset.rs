//! `MSET key value [key value ...] | MSETNX key value [key value ...]`
use super::set::put;
use crate::command::prelude::*;

pub(super) static MSET: Command = Command {
    name: "MSET",
    keys: &[KeySpec::from(1, 2, &["OW", "UPDATE"])],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    plan: mset,
    ..FAMILY
};

pub(super) static MSETNX: Command = Command {
    name: "MSETNX",
    keys: &[KeySpec::from(1, 2, &["OW", "INSERT"])],
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    plan: msetnx,
    follow: Follow::Effect(|done| match done.is_zero() {
        true => Effect::Nothing,
        false => Effect::call(std::iter::once("MSET".into()).chain(done.argv()[1..].iter().cloned())),
    }),
    ..FAMILY
};

const FAMILY: Command = Command {
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    ..Command::in_group(Group::String, file!())
};

fn mset(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (keys, values) = pairs(args)?;
    Ok(Plan::overwrite(context, keys, move |view| {
        put_all(view, &values);
        Ok(Reply::Ok)
    }))
}

fn msetnx(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (keys, values) = pairs(args)?;
    Ok(Plan::alter(context, keys, move |view| {
        if (0..view.len()).any(|i| view.exists(i)) {
            return Ok(Reply::ZERO);
        }
        put_all(view, &values);
        Ok(Reply::ONE)
    }))
}

fn pairs(args: &Args) -> Result<(Vec<Bytes>, Vec<Bytes>), CommandError> {
    if !args.left().is_multiple_of(2) {
        return Err(CommandError::wrong_arity(&args.command_name()));
    }
    Ok(args.rest().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).unzip())
}

/// In order: of a key that is named twice the last value stays.
fn put_all(view: &mut View<'_>, values: &[Bytes]) {
    for (i, value) in values.iter().enumerate() {
        put(view, i, value.clone(), Expiry::Never);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::*;

    #[test]
    fn the_last_value_of_a_key_stays() {
        let both = keys(&[("a", "3"), ("b", "2")]);
        assert_eq!(run(&["MSET", "a", "1", "b", "2", "a", "3"], keys(&[])), (Reply::Ok, both.clone()));
        assert_eq!(run(&["MSETNX", "a", "1", "b", "2", "a", "3"], keys(&[])), (Reply::ONE, both.clone()));
        assert_eq!(run(&["MSETNX", "c", "1", "b", "4"], both.clone()), (Reply::ZERO, both));
    }
}
