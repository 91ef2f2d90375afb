//! `EXPIRE key seconds [NX | XX | GT | LT]`, with PEXPIRE in milliseconds, EXPIREAT and PEXPIREAT for a point in time
use crate::command::prelude::*;

pub(super) static EXPIRE: Command =
    Command { name: "EXPIRE", plan: expire, follow: Follow::Effect(|done| effect(done, SECONDS)), ..FAMILY };
pub(super) static PEXPIRE: Command = Command {
    name: "PEXPIRE",
    plan: pexpire,
    follow: Follow::Effect(|done| effect(done, MILLISECONDS)),
    ..FAMILY
};
pub(super) static EXPIREAT: Command = Command {
    name: "EXPIREAT",
    plan: expireat,
    follow: Follow::Effect(|done| effect(done, UNIX_SECONDS)),
    ..FAMILY
};
pub(super) static PEXPIREAT: Command = Command {
    name: "PEXPIREAT",
    plan: pexpireat,
    follow: Follow::Effect(|done| effect(done, UNIX_MILLISECONDS)),
    ..FAMILY
};

const FAMILY: Command = Command {
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    ..Command::in_group(Group::Generic, file!())
};

/// What the number counts.
#[derive(Clone, Copy)]
struct Unit {
    milliseconds: i64,
    /// From now, or from 1970.
    relative: bool,
}

const SECONDS: Unit = Unit { milliseconds: 1000, relative: true };
const MILLISECONDS: Unit = Unit { milliseconds: 1, relative: true };
const UNIX_SECONDS: Unit = Unit { milliseconds: 1000, relative: false };
const UNIX_MILLISECONDS: Unit = Unit { milliseconds: 1, relative: false };

/// The point in time, if the condition has held.
fn effect(done: &Done<'_>, unit: Unit) -> Effect {
    match done.time(2, unit.milliseconds, unit.relative) {
        _ if done.is_zero() => Effect::Nothing,
        Some(at) => Effect::expires(at, done.word(1)),
        None => Effect::Keys,
    }
}

fn expire(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_expiry(args, context, SECONDS)
}

fn pexpire(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_expiry(args, context, MILLISECONDS)
}

fn expireat(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_expiry(args, context, UNIX_SECONDS)
}

fn pexpireat(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_expiry(args, context, UNIX_MILLISECONDS)
}

/// On what the key's present expiry has to be.
#[derive(Default, Clone, Copy)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(args: &mut Args) -> Result<Condition, CommandError> {
        let mut condition = Condition::default();
        while let Some(word) = args.peek() {
            match () {
                _ if args.take("NX") => condition.nx = true,
                _ if args.take("XX") => condition.xx = true,
                _ if args.take("GT") => condition.gt = true,
                _ if args.take("LT") => condition.lt = true,
                _ => return Err(CommandError::text([b"ERR Unsupported option ", &word[..]].concat())),
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if gt && lt {
            return Err(CommandError::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// A key without expiry counts as one that expires after all others.
    fn admits(self, old: Expiry, new: i64) -> bool {
        match old {
            Expiry::At(old) => !(self.nx || (self.gt && new <= old) || (self.lt && new >= old)),
            Expiry::Never | Expiry::After(_) => !self.xx && !self.gt,
        }
    }
}

fn set_expiry(args: &mut Args, context: &PlanContext, unit: Unit) -> Result<Plan, CommandError> {
    let name = args.command_name();
    let (key, number) = (args.bytes()?, args.word()?);
    let condition = Condition::parse(args)?;
    let number = crate::keyspace::number::parse_i64(number).ok_or(CommandError::NOT_AN_INTEGER)?;
    let ms = number.checked_mul(unit.milliseconds).ok_or_else(|| CommandError::invalid_expire(&name))?;
    Ok(Plan::alter(context, [key], move |view| {
        let start = if unit.relative { view.now() } else { 0 };
        let at = ms.checked_add(start).ok_or_else(|| CommandError::invalid_expire(&name))?;
        let Some(old) = view.entry(0).map(|entry| entry.expiry) else { return Ok(Reply::ZERO) };
        if !condition.admits(old, at) {
            return Ok(Reply::ZERO);
        }
        if at <= view.now() {
            view.remove(0);
            view.note(0, Event::DEL);
        } else {
            view.set_expiry(0, Expiry::At(at));
            view.note(0, Event::EXPIRE);
        }
        Ok(Reply::ONE)
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{NOW, error, expiring, int, keys, run};

    #[test]
    fn conditions() {
        let now = NOW.to_string();
        for (words, old, expected) in [
            (&["EXPIRE", "a", "10"][..], None, Some(NOW + 10_000)),
            (&["PEXPIRE", "a", "10", "nx"], None, Some(NOW + 10)),
            (&["EXPIRE", "a", "10", "NX"], Some(NOW + 5), None),
            (&["EXPIRE", "a", "10", "XX"], None, None),
            (&["EXPIRE", "a", "10", "GT"], None, None),
            (&["EXPIRE", "a", "10", "GT"], Some(NOW + 5), Some(NOW + 10_000)),
            (&["EXPIRE", "a", "10", "LT"], Some(NOW + 5), None),
            (&["EXPIRE", "a", "10", "LT"], None, Some(NOW + 10_000)),
            (&["PEXPIREAT", "a", "9223372036854775807"], None, Some(i64::MAX)),
            (&["PEXPIREAT", "a", &now, "LT"], None, Some(0)),
        ] {
            let (reply, left) = run(words, expiring("a", "1", old));
            match expected {
                None => assert_eq!((reply, left), (int(0), expiring("a", "1", old)), "{words:?}"),
                Some(0) => assert_eq!((reply, left), (int(1), keys(&[])), "{words:?}"),
                Some(at) => {
                    assert_eq!((reply, left), (int(1), expiring("a", "1", Some(at))), "{words:?}")
                }
            }
        }
    }

    #[test]
    fn errors() {
        for (words, text) in [
            (&["EXPIRE", "a", "x", "zz"][..], "ERR Unsupported option zz"),
            (&["EXPIRE", "a", "x"], "ERR value is not an integer or out of range"),
            (&["EXPIRE", "a", "9223372036854775807"], "ERR invalid expire time in 'expire' command"),
            (&["PEXPIRE", "none", "9223372036854775807"], "ERR invalid expire time in 'pexpire' command"),
            (&["EXPIRE", "a", "-9223372036854776"], "ERR invalid expire time in 'expire' command"),
        ] {
            assert_eq!(run(words, keys(&[])).0, error(text), "{words:?}");
        }
    }
}
