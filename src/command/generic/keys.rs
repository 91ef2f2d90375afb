//! `KEYS pattern`
use crate::command::prelude::*;
use crate::keyspace::glob::{self, Case};
use crate::keyspace::{LONGEST_RAW, StoredKey};
use crate::store::statements::generic;
use crate::store::{Call, Param, Row};

pub(super) static KEYS: Command = Command {
    name: "KEYS",
    arity: Exactly(2),
    flags: Flags::READONLY,
    acl: &["@dangerous"],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    plan: keys,
    ..Command::in_group(Group::Generic, file!())
};

fn keys(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let pattern = Pattern::new(args.bytes()?);
    let (lower, upper) = pattern.range();
    let params = vec![
        Param::Int4(context.db.0 as i32),
        Param::Bytes(lower),
        Param::Bytes(upper),
        Param::Bytes(pattern.like()),
    ];
    Ok(Plan::Call(Call::read(&generic::KEYS, params, move |rows: &[Row]| {
        let keys = rows.iter().map(|row| row.get::<_, &[u8]>(0)).filter(|key| pattern.matches(key));
        Reply::bulks(keys.map(Bytes::copy_from_slice))
    })))
}

/// A glob pattern over keys: Postgres passes what may match, the rest is decided here.
pub(super) struct Pattern(Bytes);

impl Pattern {
    pub(super) fn new(glob: Bytes) -> Pattern {
        Pattern(glob)
    }

    /// The star alone is every key, also the empty one.
    pub(super) fn matches(&self, key: &[u8]) -> bool {
        self.0 == "*" || glob::matches(&self.0, key, Case::Sensitive)
    }

    pub(super) fn like(&self) -> Bytes {
        glob::superset_like(&self.0).into()
    }

    /// Matching keys stand in the column `key` from the first value up to but not including the second.
    fn range(&self) -> (Bytes, Bytes) {
        let mut lower = glob::literal_prefix(&self.0);
        // Of a long key the column holds only so much.
        lower.truncate(StoredKey::PREFIX);
        let mut upper = lower.clone();
        while upper.pop_if(|last| *last == u8::MAX).is_some() {}
        match upper.last_mut() {
            Some(last) => *last += 1,
            None => upper = vec![u8::MAX; LONGEST_RAW + 2],
        }
        (lower.into(), upper.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_of_a_prefix() {
        let range = |glob: &'static [u8]| Pattern::new(glob.into()).range();
        assert_eq!(range(b"user:*"), (Bytes::from("user:"), Bytes::from("user;")));
        assert_eq!(range(b"a\xff*").1, Bytes::from("b"));
        assert_eq!(range(b"*").0, Bytes::new());
        assert_eq!(range(b"*").1, vec![0xff; 1025]);
    }
}
