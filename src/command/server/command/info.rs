//! `COMMAND INFO [command-name ...]`
use super::{FAMILY, ORDER_VARIES, by_full_name};
use crate::command::all;
use crate::command::prelude::*;
use crate::command::{Begin, Find};

pub(super) static INFO: Command =
    Command { name: "COMMAND|INFO", arity: AtLeast(2), tips: ORDER_VARIES, plan: info, ..FAMILY };

fn info(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let replies = match args.rest() {
        [] => all().map(describe).collect(),
        names => names.iter().map(|name| by_full_name(name).map_or(Reply::Null, describe)).collect(),
    };
    Ok(Plan::Ready(Reply::Array(replies)))
}

/// COMMAND INFO's ten elements.
pub fn describe(command: &'static Command) -> Reply {
    let (first, last, step) = legacy_range(command.keys);
    Reply::Array(vec![
        Reply::bulk(command.lower_name()),
        Reply::Integer(command.arity.number()),
        Reply::Set(command.flags.names().map(Reply::status).collect()),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(command.acl_categories().into_iter().map(Reply::status).collect()),
        Reply::Set(command.tips.iter().copied().map(Reply::text).collect()),
        Reply::Set(command.keys.iter().map(key_spec).collect()),
        Reply::Set(command.subcommands.iter().copied().map(describe).collect()),
    ])
}

fn key_spec(spec: &KeySpec) -> Reply {
    let begin = match spec.begin {
        Begin::Index(index) => search("index", vec![("index", Reply::Integer(index))]),
        Begin::Keyword(word, from) => {
            search("keyword", vec![("keyword", Reply::text(word)), ("startfrom", Reply::Integer(from))])
        }
        Begin::Unknown => search("unknown", Vec::new()),
    };
    let numbers = |pairs: [(&'static str, i64); 3]| pairs.map(|(name, n)| (name, Reply::Integer(n))).to_vec();
    let find = match spec.find {
        Find::Range { last, step, limit } => {
            search("range", numbers([("lastkey", last), ("keystep", step), ("limit", limit)]))
        }
        Find::KeyNum { at, first, step } => {
            search("keynum", numbers([("keynumidx", at), ("firstkey", first), ("keystep", step)]))
        }
        Find::Unknown => search("unknown", Vec::new()),
    };
    let notes = (!spec.notes.is_empty()).then(|| ("notes", Reply::text(spec.notes)));
    let rest = [("flags", flags(spec.flags)), ("begin_search", begin), ("find_keys", find)];
    map(notes.into_iter().chain(rest))
}

/// Key flags: what is done to the key as a whole in capitals, the rest small.
pub fn flags(flags: &[&'static str]) -> Reply {
    let shown = |flag: &&'static str| match *flag {
        whole @ ("RO" | "RW" | "OW" | "RM") => Reply::status(whole),
        detail => Reply::Status(detail.to_ascii_lowercase().into()),
    };
    Reply::Set(flags.iter().map(shown).collect())
}

fn search(kind: &'static str, spec: Vec<(&'static str, Reply)>) -> Reply {
    map([("type", Reply::text(kind)), ("spec", map(spec))])
}

fn map(pairs: impl IntoIterator<Item = (&'static str, Reply)>) -> Reply {
    Reply::Map(pairs.into_iter().map(|(name, value)| (Reply::text(name), value)).collect())
}

/// First key, last key and step, as they were told before there were key specifications (populateCommandLegacyRangeSpec).
fn legacy_range(specs: &[KeySpec]) -> (i64, i64, i64) {
    let absolute = |index: i64, last: i64| if last >= 0 { index + last } else { last };
    if let [KeySpec { begin: Begin::Index(index), find: Find::Range { last, step, .. }, .. }] = *specs {
        return (index, absolute(index, last), step);
    }
    let mut range: Option<(i64, i64)> = None;
    for spec in specs {
        let (Begin::Index(index), Find::Range { last, step: 1, .. }) = (spec.begin, spec.find) else {
            continue;
        };
        let last = absolute(index, last);
        range = match range {
            None => Some((index, last)),
            // A negative last counts from the end, so it is further back than any other.
            Some((first, before)) if before == index - 1 => Some((
                first.min(index),
                if last < 0 || before < 0 { last.min(before) } else { last.max(before) },
            )),
            kept => kept,
        };
    }
    range.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_ranges() {
        let mset = [KeySpec::from(1, 2, &["OW"])];
        let rename = [KeySpec::at(1, &["RW"]), KeySpec::at(2, &["OW"])];
        let bitop = [KeySpec::at(2, &["OW"]), KeySpec::from(3, 1, &["RO"])];
        assert_eq!(legacy_range(&mset), (1, -1, 2));
        assert_eq!(legacy_range(&rename), (1, 2, 1));
        assert_eq!(legacy_range(&bitop), (2, -1, 1));
        assert_eq!(legacy_range(&[]), (0, 0, 0));
    }
}
