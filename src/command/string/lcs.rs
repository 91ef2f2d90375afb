//! `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]`
use crate::command::Find;
use crate::command::prelude::*;
use crate::keyspace::lcs::{Lcs, LcsError, Match};
use crate::keyspace::number::parse_i64;

pub(super) static LCS: Command = Command {
    name: "LCS",
    arity: AtLeast(3),
    flags: Flags::READONLY,
    keys: &[KeySpec {
        find: Find::Range { last: 1, step: 1, limit: 0 },
        ..KeySpec::at(1, &["RO", "ACCESS"])
    }],
    plan: lcs,
    ..Command::in_group(Group::String, file!())
};

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Options {
    length: bool,
    indexes: bool,
    shortest: i64,
    match_lengths: bool,
}

impl Options {
    fn parse(args: &mut Args) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while !args.is_empty() {
            match () {
                _ if args.take("IDX") => options.indexes = true,
                _ if args.take("LEN") => options.length = true,
                _ if args.take("WITHMATCHLEN") => options.match_lengths = true,
                _ if args.take("MINMATCHLEN") => {
                    options.shortest = parse_i64(args.word()?).ok_or(CommandError::NOT_AN_INTEGER)?;
                }
                _ => return Err(CommandError::SYNTAX),
            }
        }
        if options.indexes && options.length {
            return Err(CommandError::text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }

    fn reply(&self, lcs: &Lcs<'_>) -> Reply {
        let length = Reply::Integer(lcs.length() as i64);
        if self.length {
            return length;
        }
        if !self.indexes {
            return Reply::bulk(lcs.text());
        }
        let matches = lcs.matches().into_iter().filter(|run| run.length() as i64 >= self.shortest);
        let matches = Reply::Array(matches.map(|run| self.run(&run)).collect());
        Reply::Map(vec![(Reply::text("matches"), matches), (Reply::text("len"), length)])
    }

    fn run(&self, run: &Match) -> Reply {
        let range = |range: &std::ops::RangeInclusive<usize>| {
            Reply::Array([range.start(), range.end()].map(|place| Reply::Integer(*place as i64)).into())
        };
        let mut parts = vec![range(&run.a), range(&run.b)];
        parts.extend(self.match_lengths.then_some(Reply::Integer(run.length() as i64)));
        Reply::Array(parts)
    }
}

fn lcs(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let keys = [args.bytes()?, args.bytes()?];
    // Redis looks at the keys first.
    let options = Options::parse(args);
    let max_table = context.max_string;
    Ok(Plan::read(context, keys, move |view| {
        let string = |i| {
            let no_string = |_| CommandError::text("ERR The specified keys must contain string values");
            view.string_or_empty(i).map_err(no_string)
        };
        let (a, b) = (string(0)?, string(1)?);
        let options = options.as_ref().map_err(CommandError::clone)?;
        let lcs = Lcs::new(&a, &b, max_table).map_err(|error| {
            CommandError::text(match error {
                LcsError::StringTooLong => "ERR String too long for LCS",
                LcsError::TableTooLarge => {
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
                }
            })
        })?;
        Ok(options.reply(&lcs))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::*;

    #[test]
    fn errors() {
        for (options, text) in [
            ("LEN IDX", "ERR If you want both the length and indexes, please just use IDX."),
            ("LEN IDX FOO", "ERR syntax error"),
            ("MINMATCHLEN", "ERR syntax error"),
            ("MINMATCHLEN abc FOO", "ERR value is not an integer or out of range"),
        ] {
            let words: Vec<&str> = "LCS a b".split(' ').chain(options.split(' ')).collect();
            assert_eq!(run(&words, keys(&[])).0, error(text), "{options}");
        }
    }
}
