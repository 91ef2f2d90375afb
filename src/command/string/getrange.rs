//! `GETRANGE key start end | SUBSTR key start end`
use std::ops::Range;

use crate::command::prelude::*;

pub(super) static GETRANGE: Command = Command { name: "GETRANGE", ..FAMILY };
pub(super) static SUBSTR: Command = Command { name: "SUBSTR", ..FAMILY };

const FAMILY: Command = Command {
    arity: Exactly(4),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: getrange,
    ..Command::in_group(Group::String, file!())
};

fn getrange(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let (start, end) = (args.integer()?, args.integer()?);
    Ok(Plan::read(context, [key], move |view| {
        let value = view.string_or_empty(0)?;
        Ok(Reply::Bulk(value.slice(range(value.len(), start, end))))
    }))
}

/// The bytes from `start` to `end`, both included; negative indexes count from the end.
fn range(length: usize, start: i64, end: i64) -> Range<usize> {
    let place = |index: i64| match index {
        0.. => index as usize,
        _ => length.saturating_sub(index.unsigned_abs() as usize),
    };
    // Before an index far below 0 becomes 0.
    let backwards = start < 0 && end < 0 && start > end;
    let (start, end) = (place(start), place(end).saturating_add(1).min(length));
    if backwards || start >= end { 0..0 } else { start..end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (start, end, expected) in [
            (0, -1, 0..6),
            (-3, -1, 3..6),
            (2, 100, 2..6),
            (-100, 2, 0..3),
            (-100, -50, 0..1),
            (-1, -5, 0..0),
            (6, 6, 0..0),
            (4, 2, 0..0),
            (i64::MAX, -1, 0..0),
            (i64::MIN, i64::MAX, 0..6),
        ] {
            assert_eq!(range(6, start, end), expected, "{start} {end}");
        }
        assert_eq!(range(0, 0, -1), 0..0);
    }
}
