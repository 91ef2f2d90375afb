//! `CONFIG GET parameter [parameter ...] | CONFIG SET parameter value [parameter value ...] | CONFIG RESETSTAT | CONFIG REWRITE`
use futures_util::future::BoxFuture;

use crate::command::help::help;
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::glob::{self, Case};
use crate::state::{NOTIFY_KEYSPACE_EVENTS, PARAMETERS, Parameter};
use crate::store::statements::server::CHANGE_SETTING;
use crate::store::{Call, Param};

pub(super) static CONFIG: Command = Command {
    name: "CONFIG",
    arity: AtLeast(2),
    subcommands: &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET],
    ..Command::in_group(Group::Server, file!())
};

const FAMILY: Command = Command {
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    ..Command::in_group(Group::Server, file!())
};
const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

static GET: Command = Command { name: "CONFIG|GET", arity: AtLeast(3), plan: get, ..FAMILY };
static SET: Command = Command {
    name: "CONFIG|SET",
    arity: AtLeast(4),
    tips: TO_ALL,
    plan: set,
    secret: |argv, position| {
        position > 2 && position % 2 == 1 && parameter(&argv[position - 1]).is_some_and(|found| found.secret)
    },
    ..FAMILY
};
static RESETSTAT: Command =
    Command { name: "CONFIG|RESETSTAT", arity: Exactly(2), plan: reset_stat, ..FAMILY };
static REWRITE: Command = Command {
    name: "CONFIG|REWRITE",
    arity: Exactly(2),
    plan: |_, _| Err(CommandError::text("ERR The server is running without a config file")),
    ..FAMILY
};
static HELP: Command = Command {
    name: "CONFIG|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("CONFIG", HELP_LINES))),
    ..FAMILY
};

fn get(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let patterns = args.rest().to_vec();
    Ok(Plan::session(move |context| {
        let settings = &context.process().settings;
        let found = matching(&patterns).into_iter();
        Ok(Reply::Map(
            found
                .map(|(name, parameter)| (Reply::Bulk(name), Reply::Bulk((parameter.get)(settings))))
                .collect(),
        ))
    }))
}

/// The parameters with the names under which they are shown: a name that was asked for exactly is shown as it was written.
fn matching(patterns: &[Bytes]) -> Vec<(Bytes, &'static Parameter)> {
    let mut found: Vec<(Bytes, &'static Parameter)> = Vec::new();
    for pattern in patterns {
        let exact = !pattern.iter().any(|byte| b"[*?".contains(byte));
        for parameter in PARAMETERS {
            for name in std::iter::once(parameter.name).chain(parameter.alias) {
                let fits = match exact {
                    true => pattern.eq_ignore_ascii_case(name.as_bytes()),
                    false => glob::matches(pattern, name.as_bytes(), Case::Insensitive),
                };
                if fits && !found.iter().any(|(shown, _)| shown.eq_ignore_ascii_case(name.as_bytes())) {
                    let shown = if exact { pattern.clone() } else { Bytes::from_static(name.as_bytes()) };
                    found.push((shown, parameter));
                }
            }
        }
    }
    found
}

fn parameter(name: &[u8]) -> Option<&'static Parameter> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    PARAMETERS.iter().find(|parameter| is(parameter.name) || parameter.alias.is_some_and(is))
}

fn set(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() % 2 == 1 {
        return Err(CommandError::SYNTAX);
    }
    let pairs: Vec<(Bytes, Bytes)> =
        args.rest().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    Ok(Plan::Steps(Box::new(SetAll(pairs))))
}

struct SetAll(Vec<(Bytes, Bytes)>);

impl Steps for SetAll {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process().clone();
            let _lock = context.lock_settings().await;
            let before = process.settings.notify_keyspace_events();
            let reply = set_all(context, &self.0)?;
            // Also what is so already, as far as this process has heard.
            if self.0.iter().any(|(name, _)| name.eq_ignore_ascii_case(NOTIFY_KEYSPACE_EVENTS.as_bytes())) {
                let classes = process.settings.notify_keyspace_events();
                let name = Bytes::from_static(NOTIFY_KEYSPACE_EVENTS.as_bytes());
                let value = Bytes::from(classes.letters());
                let params = vec![Param::Bytes(name), Param::Bytes(value)];
                let changed = Call::write(&CHANGE_SETTING, params, |_| Reply::Ok);
                if let Err(error) = context.rows(&changed).await {
                    process.settings.set_notify_keyspace_events(before);
                    return Err(error);
                }
            }
            Ok(reply)
        })
    }
}

/// All or nothing: every value is checked before the first is changed.
fn set_all(context: &mut Context<'_>, pairs: &[(Bytes, Bytes)]) -> Result<Reply, CommandError> {
    let settings = &context.process().settings;
    let mut known: Vec<&'static Parameter> = Vec::new();
    for (name, _) in pairs {
        let unknown = || {
            let text = b"ERR Unknown option or number of arguments for CONFIG SET - '";
            CommandError::text([&text[..], name, b"'"].concat())
        };
        let parameter = parameter(name).ok_or_else(unknown)?;
        if known.iter().any(|other| std::ptr::eq(*other, parameter)) {
            return Err(failed(name, "duplicate parameter"));
        }
        known.push(parameter);
    }
    let checked = known.iter().zip(pairs);
    let changes = checked
        .map(|(parameter, (name, value))| parameter.set(settings, value).map_err(|why| failed(name, &why)))
        .collect::<Result<Vec<_>, _>>()?;
    changes.into_iter().for_each(|change| change(settings));
    Ok(Reply::Ok)
}

fn failed(name: &[u8], why: &str) -> CommandError {
    let text = b"ERR CONFIG SET failed (possibly related to argument '";
    CommandError::text([&text[..], name, b"') - ", why.as_bytes()].concat())
}

fn reset_stat(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let process = context.process();
        process.stats.reset();
        process.store.lookups.reset();
        process.commands.reset();
        Ok(Reply::Ok)
    }))
}

const HELP_LINES: &[&str] = &[
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let shown = |patterns: &[&'static str]| -> Vec<Bytes> {
            let patterns: Vec<Bytes> = patterns.iter().map(|pattern| Bytes::from(*pattern)).collect();
            matching(&patterns).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(shown(&["TimeOut", "timeout", "nosuch"]), ["TimeOut"]);
        assert_eq!(shown(&["*-READ-only"]), ["replica-read-only", "slave-read-only"]);
        assert_eq!(
            shown(&["slave-read-only", "slow*"]),
            ["slave-read-only", "slowlog-log-slower-than", "slowlog-max-len"]
        );
        assert_eq!(
            shown(&["*"]).len(),
            PARAMETERS.len() + PARAMETERS.iter().filter(|p| p.alias.is_some()).count()
        );
    }

    #[test]
    fn passwords_are_secret() {
        let argv = ["config", "set", "timeout", "1", "REQUIREPASS", "x"].map(Bytes::from);
        let hidden: Vec<usize> = (0..argv.len()).filter(|i| (SET.secret)(&argv, *i)).collect();
        assert_eq!(hidden, [5]);
    }
}
