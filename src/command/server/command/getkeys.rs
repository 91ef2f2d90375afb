//! `COMMAND GETKEYS command [arg ...] | COMMAND GETKEYSANDFLAGS command [arg ...]`
use super::{FAMILY, info};
use crate::command::prelude::*;
use crate::command::{lookup, lookup_subcommand};

pub(super) static GETKEYS: Command = Command {
    name: "COMMAND|GETKEYS",
    arity: AtLeast(3),
    plan: |args, _| {
        let keys = keys(args.rest())?.into_iter().map(|(key, _)| Reply::Bulk(key));
        Ok(Plan::Ready(Reply::Array(keys.collect())))
    },
    ..FAMILY
};

pub(super) static GETKEYSANDFLAGS: Command = Command {
    name: "COMMAND|GETKEYSANDFLAGS",
    arity: AtLeast(3),
    plan: |args, _| {
        let keys = keys(args.rest())?.into_iter();
        let pairs = keys.map(|(key, flags)| Reply::Array(vec![Reply::Bulk(key), info::flags(flags)]));
        Ok(Plan::Ready(Reply::Array(pairs.collect())))
    },
    ..FAMILY
};

/// The keys of a call, and what it does to each.
fn keys(argv: &[Bytes]) -> Result<Vec<(Bytes, &'static [&'static str])>, CommandError> {
    let invalid = || CommandError::text("ERR Invalid command specified");
    let mut command = lookup(&argv[0]).ok_or_else(invalid)?;
    if !command.subcommands.is_empty() && argv.len() > 1 {
        command = lookup_subcommand(command, &argv[1]).ok_or_else(invalid)?;
    }
    if command.keys.is_empty() {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !command.arity.admits(argv.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    let mut keys = Vec::new();
    for spec in command.keys {
        let flags = spec.flags_of(argv);
        keys.extend(spec.positions(argv).into_iter().map(|position| (argv[position].clone(), flags)));
    }
    if keys.is_empty() && !command.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err(CommandError::text("ERR Invalid arguments specified for command"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &str) -> Result<Vec<(Bytes, &'static [&'static str])>, CommandError> {
        let argv: Vec<Bytes> = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        keys(&argv)
    }

    #[test]
    fn keys_and_flags() {
        assert_eq!(found("rename a b").unwrap().len(), 2);
        assert_eq!(found("del a b a").unwrap().len(), 3);
        assert_eq!(found("set k v ex 1").unwrap(), [("k".into(), &["OW", "UPDATE"][..])]);
        assert_eq!(found("set k v get").unwrap(), [("k".into(), &["RW", "ACCESS", "UPDATE"][..])]);
        for (words, error) in [
            ("nosuch k", "ERR Invalid command specified"),
            ("ping k", "ERR The command has no key arguments"),
            ("get", "ERR Invalid number of arguments specified for command"),
        ] {
            assert_eq!(found(words).unwrap_err(), CommandError::text(error));
        }
    }
}
