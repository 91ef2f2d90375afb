//! `TTL key | PTTL key | EXPIRETIME key | PEXPIRETIME key`
use crate::command::prelude::*;

pub(super) static TTL: Command =
    Command { name: "TTL", tips: &["nondeterministic_output"], plan: ttl, ..FAMILY };
pub(super) static PTTL: Command =
    Command { name: "PTTL", tips: &["nondeterministic_output"], plan: pttl, ..FAMILY };
pub(super) static EXPIRETIME: Command = Command { name: "EXPIRETIME", plan: expiretime, ..FAMILY };
pub(super) static PEXPIRETIME: Command = Command { name: "PEXPIRETIME", plan: pexpiretime, ..FAMILY };

const FAMILY: Command = Command {
    arity: Exactly(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    ..Command::in_group(Group::Generic, file!())
};

fn ttl(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    expiry(args, context, |at, now| seconds(at.saturating_sub(now).max(0)))
}

fn pttl(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    expiry(args, context, |at, now| at.saturating_sub(now).max(0))
}

fn expiretime(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    expiry(args, context, |at, _| seconds(at))
}

fn pexpiretime(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    expiry(args, context, |at, _| at)
}

/// Rounded to the nearest second.
fn seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

/// -2 for no key, -1 for no expiry, else what `answer` makes of the expiry and the clock.
fn expiry(args: &mut Args, context: &PlanContext, answer: fn(i64, i64) -> i64) -> Result<Plan, CommandError> {
    Ok(Plan::inspect(context, [args.bytes()?], move |view| {
        Ok(Reply::Integer(match view.entry(0).map(|entry| entry.expiry) {
            None => -2,
            Some(Expiry::At(at)) => answer(at, view.now()),
            Some(Expiry::Never | Expiry::After(_)) => -1,
        }))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{NOW, expiring, int, run};

    #[test]
    fn answers() {
        for (word, expiry, expected) in [
            ("TTL", Some(NOW + 1499), 1),
            ("TTL", Some(NOW + 1500), 2),
            ("TTL", None, -1),
            ("PTTL", Some(NOW + 1499), 1499),
            ("EXPIRETIME", Some(i64::MAX), 9223372036854776),
            ("PEXPIRETIME", Some(i64::MAX), i64::MAX),
        ] {
            assert_eq!(run(&[word, "a"], expiring("a", "1", expiry)).0, int(expected), "{word} {expiry:?}");
        }
        assert_eq!(run(&["TTL", "none"], expiring("a", "1", None)).0, int(-2));
    }
}
