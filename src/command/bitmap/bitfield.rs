//! `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment ...]`
//! and BITFIELD_RO key [GET type offset ...]
use super::within;
use crate::command::prelude::*;
use crate::keyspace::bitfield::{self, FieldType, Overflow};
use crate::keyspace::number::parse_i64;

pub(super) static BITFIELD: Command = Command {
    name: "BITFIELD",
    arity: AtLeast(2),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec {
        notes: "This command allows both access and modification of the key",
        variable: Some(|argv| {
            let changes = |word: &Bytes| {
                [&b"SET"[..], b"INCRBY"].iter().any(|change| word.eq_ignore_ascii_case(change))
            };
            match argv[2..].iter().any(changes) {
                true => &["RW", "ACCESS", "UPDATE"],
                false => &["RO", "ACCESS"],
            }
        }),
        ..KeySpec::at(1, &["RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"])
    }],
    plan: bitfield,
    ..Command::in_group(Group::Bitmap, file!())
};

pub(super) static BITFIELD_RO: Command = Command {
    name: "BITFIELD_RO",
    arity: AtLeast(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: bitfield_ro,
    ..Command::in_group(Group::Bitmap, file!())
};

fn bitfield(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let steps = steps(args, context)?;
    if steps.iter().any(|step| step.action != Action::Get) {
        let end = steps.iter().map(|step| step.offset / 8).max().unwrap_or(0);
        let plan = Plan::update(context, [key], move |view| {
            let mut changed = false;
            let replies = view.edit_string_if(0, |bytes| {
                let before = bytes.len();
                let (mut replies, mut written) = (Vec::with_capacity(steps.len()), false);
                for step in &steps {
                    let (reply, effect) = step.run(bytes);
                    replies.push(reply);
                    written |= effect.is_some();
                    changed |= effect == Some(Effect::Changed);
                }
                let grown = bytes.len() > before;
                changed |= grown && written;
                (replies, changed || grown)
            })?;
            // A value that has only grown, for a field that did not fit, is to Redis no change.
            if changed {
                view.note(0, Event::SETBIT);
            }
            Ok(Reply::Array(replies))
        });
        return Ok(plan.growing_by(end as usize));
    }
    Ok(read(context, key, steps))
}

fn bitfield_ro(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let steps = steps(args, context)?;
    if steps.iter().any(|step| step.action != Action::Get) {
        return Err(CommandError::text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    Ok(read(context, key, steps))
}

fn read(context: &PlanContext, key: Bytes, steps: Vec<Step>) -> Plan {
    Plan::read(context, [key], move |view| {
        let bytes = view.string(0)?.map_or(b"".as_slice(), |bytes| bytes);
        Ok(Reply::Array(steps.iter().map(|step| step.get(bytes)).collect()))
    })
}

struct Step {
    field: FieldType,
    offset: u64,
    action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

/// What storing a value has made of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Same,
    Changed,
}

impl Step {
    fn get(&self, bytes: &[u8]) -> Reply {
        Reply::Integer(bitfield::get(bytes, self.field, self.offset))
    }

    /// `None` if nothing was stored.
    fn run(&self, bytes: &mut Vec<u8>) -> (Reply, Option<Effect>) {
        let (field, offset) = (self.field, self.offset);
        let before = bitfield::get(bytes, field, offset);
        let stored = match self.action {
            Action::Get => return (Reply::Integer(before), None),
            Action::Set(value, overflow) => bitfield::set(bytes, field, offset, value, overflow),
            Action::Increment(by, overflow) => bitfield::increment(bytes, field, offset, by, overflow),
        };
        let Some(reply) = stored else { return (Reply::Null, None) };
        let same = bitfield::get(bytes, field, offset) == before;
        (Reply::Integer(reply), Some(if same { Effect::Same } else { Effect::Changed }))
    }
}

fn steps(args: &mut Args, context: &PlanContext) -> Result<Vec<Step>, CommandError> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::default();
    while !args.is_empty() {
        // A word with too little behind it is as unknown as any other.
        let behind = args.left() - 1;
        let action: Option<fn(i64, Overflow) -> Action> = match () {
            _ if behind >= 1 && args.take("OVERFLOW") => {
                overflow = overflow_type(args)?;
                continue;
            }
            _ if behind >= 2 && args.take("GET") => None,
            _ if behind >= 3 && args.take("SET") => Some(Action::Set),
            _ if behind >= 3 && args.take("INCRBY") => Some(Action::Increment),
            _ => return Err(CommandError::SYNTAX),
        };
        let field = FieldType::parse(args.word()?).ok_or_else(invalid_type)?;
        let offset = offset(args.word()?, field, context.max_string).ok_or(CommandError::BIT_OFFSET)?;
        let action = match action {
            Some(action) => action(args.integer()?, overflow),
            None => Action::Get,
        };
        steps.push(Step { field, offset, action });
    }
    Ok(steps)
}

/// Counted in bits, or after `#` in fields (Redis's product wraps).
fn offset(word: &[u8], field: FieldType, max: usize) -> Option<u64> {
    match word {
        [b'#', number @ ..] => within(parse_i64(number)?.wrapping_mul(i64::from(field.bits)), max),
        number => within(parse_i64(number)?, max),
    }
}

fn overflow_type(args: &mut Args) -> Result<Overflow, CommandError> {
    match () {
        _ if args.take("WRAP") => Ok(Overflow::Wrap),
        _ if args.take("SAT") => Ok(Overflow::Saturate),
        _ if args.take("FAIL") => Ok(Overflow::Fail),
        _ => Err(CommandError::text("ERR Invalid OVERFLOW type specified")),
    }
}

fn invalid_type() -> CommandError {
    CommandError::text(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::*;

    fn refused(steps: &str) -> CommandError {
        let words: Vec<&str> = "BITFIELD k".split(' ').chain(steps.split(' ')).collect();
        plan(&words).err().unwrap()
    }

    #[test]
    fn errors() {
        for steps in ["FOO", "GET", "GET u8", "INCRBY u8 0", "OVERFLOW", "GET u8 0 GET"] {
            assert_eq!(refused(steps), CommandError::SYNTAX, "{steps}");
        }
        for offset in ["-1", "abc", "#-1", "#536870912", "4294967296", "#9223372036854775807", "#"] {
            assert_eq!(refused(&format!("SET u8 {offset} abc")), CommandError::BIT_OFFSET, "{offset}");
        }
        assert_eq!(refused("GET u64 abc"), invalid_type());
        assert_eq!(refused("SET u8 0 abc"), CommandError::NOT_AN_INTEGER);
        assert_eq!(refused("OVERFLOW NO SET"), CommandError::text("ERR Invalid OVERFLOW type specified"));
    }

    #[test]
    fn only_writes_make_a_key() {
        let (reply, state) = run(&["BITFIELD", "k", "GET", "u8", "#3", "OVERFLOW", "SAT"], keys(&[]));
        assert_eq!((reply, state), (Reply::Array(vec![int(0)]), keys(&[])));
        let words = ["BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u2", "14", "4", "GET", "u8", "0"];
        let (reply, state) = run(&words, keys(&[]));
        assert_eq!((reply, state), (Reply::Array(vec![Reply::Null, int(0)]), keys(&[("k", "\0\0")])));
    }
}
