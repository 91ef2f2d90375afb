//! `INFO [section ...]`
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::command::prelude::*;
use crate::exec::Context;
use crate::state::{Keyspace, KeyspaceCount, Process};
use crate::store::Call;
use crate::store::statements::server::KEYSPACE;

mod commands;
mod own;
mod sections;

pub(super) static INFO: Command = Command {
    name: "INFO",
    arity: AtLeast(1),
    flags: Flags::LOADING.and(Flags::STALE),
    acl: &["@dangerous"],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    plan: info,
    passing: Passing::Own(|argv| {
        let own = ["respg", "shadow"];
        argv[1..].iter().any(|word| own.iter().any(|own| word.eq_ignore_ascii_case(own.as_bytes())))
    }),
    ..Command::in_group(Group::Server, file!())
};

/// What sections are written from.
struct Facts {
    process: Arc<Process>,
    keyspace: Option<Arc<KeyspaceCount>>,
}

struct Section {
    name: &'static str,
    title: &'static str,
    /// Whether it is shown without being asked for.
    default: bool,
    /// Whether it needs an answer of Postgres.
    counts: bool,
    write: fn(&Facts, &mut String),
}

const fn section(name: &'static str, title: &'static str, write: fn(&Facts, &mut String)) -> Section {
    Section { name, title, default: true, counts: false, write }
}

/// In Redis's order; ours last.
static SECTIONS: [Section; 15] = [
    section("server", "Server", sections::server),
    section("clients", "Clients", sections::clients),
    section("memory", "Memory", sections::memory),
    Section { counts: true, ..section("persistence", "Persistence", sections::persistence) },
    section("stats", "Stats", sections::stats),
    section("replication", "Replication", sections::replication),
    section("cpu", "CPU", sections::cpu),
    section("modules", "Modules", |_, _| ()),
    Section { default: false, ..section("commandstats", "Commandstats", commands::calls) },
    section("errorstats", "Errorstats", commands::errors),
    Section { default: false, ..section("latencystats", "Latencystats", commands::latencies) },
    section("cluster", "Cluster", |_, out| out.push_str("cluster_enabled:0\r\n")),
    Section { counts: true, ..section("keyspace", "Keyspace", sections::keyspace) },
    Section { counts: true, default: false, ..section("respg", "Respg", own::respg) },
    Section { default: false, ..section("shadow", "Shadow", own::shadow) },
];

/// The sections that the words ask for.
fn wanted(words: &[Bytes]) -> Vec<&'static Section> {
    let said = |word: &str| words.iter().any(|said| said.eq_ignore_ascii_case(word.as_bytes()));
    let all = said("all") || said("everything");
    let default = words.is_empty() || said("default");
    SECTIONS.iter().filter(|section| all || said(section.name) || (default && section.default)).collect()
}

fn info(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Steps(Box::new(Info(wanted(args.rest())))))
}

struct Info(Vec<&'static Section>);

impl Steps for Info {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process().clone();
            let counts = self.0.iter().any(|section| section.counts);
            let keyspace = match counts {
                true if context.in_exec() => Some(Arc::new(in_exec(context).await?)),
                true => Keyspace::count(&process).await,
                false => None,
            };
            Ok(Reply::Verbatim(text(&self.0, &Facts { process, keyspace }).into()))
        })
    }
}

/// Counts what EXEC has made of the keys so far.
async fn in_exec(context: &Context<'_>) -> Result<KeyspaceCount, CommandError> {
    let asked = Instant::now();
    let rows = context.rows(&Call::read(&KEYSPACE, Vec::new(), |_| Reply::Nothing)).await?;
    Ok(KeyspaceCount::new(&rows, asked))
}

fn text(sections: &[&Section], facts: &Facts) -> String {
    let mut text = String::new();
    for section in sections {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {}\r\n", section.title));
        (section.write)(facts, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&'static str]) -> Vec<&'static str> {
        let words: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        wanted(&words).into_iter().map(|section| section.name).collect()
    }

    #[test]
    fn sections() {
        assert_eq!(names(&["KEYSPACE", "server", "nosuch", "server"]), ["server", "keyspace"]);
        assert_eq!(names(&["nosuch"]), Vec::<&str>::new());
        assert_eq!(names(&[]).len(), SECTIONS.len() - 4);
        assert_eq!(names(&["default", "commandstats"]).len(), SECTIONS.len() - 3);
        assert_eq!(names(&["everything"]).len(), SECTIONS.len());
    }
}
