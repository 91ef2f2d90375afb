//! LATENCY: spikes by event, and how long each command takes.

use crate::command::help::help;
use crate::command::prelude::*;
use crate::state::Spikes;

mod histogram;
mod report;

pub(super) static LATENCY: Command = Command {
    name: "LATENCY",
    arity: AtLeast(2),
    subcommands: &[&report::DOCTOR, &report::GRAPH, &HELP, &histogram::HISTOGRAM, &HISTORY, &LATEST, &RESET],
    ..Command::in_group(Group::Server, file!())
};

const FAMILY: Command = Command {
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Command::in_group(Group::Server, file!())
};

static LATEST: Command = Command { name: "LATENCY|LATEST", arity: Exactly(2), plan: latest, ..FAMILY };
static HISTORY: Command = Command { name: "LATENCY|HISTORY", arity: Exactly(3), plan: history, ..FAMILY };
static RESET: Command = Command {
    name: "LATENCY|RESET",
    arity: AtLeast(2),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    plan: reset,
    ..FAMILY
};
static HELP: Command = Command {
    name: "LATENCY|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    tips: &[],
    plan: |_, _| Ok(Plan::Ready(help("LATENCY", HELP_LINES))),
    ..FAMILY
};

fn latest(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let entry = |(event, spikes): (&'static str, Spikes)| {
        let last = *spikes.spikes.back()?;
        let numbers = [last.at, last.millis, spikes.worst].map(|number| Reply::Integer(number as i64));
        Some(Reply::Array(std::iter::once(Reply::text(event)).chain(numbers).collect()))
    };
    Ok(Plan::session(move |context| {
        Ok(Reply::Array(context.process().latency.events().into_iter().filter_map(entry).collect()))
    }))
}

fn history(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let event = args.bytes()?;
    Ok(Plan::session(move |context| {
        let spikes = context.process().latency.event(&event).unwrap_or_default().spikes;
        let pair = |numbers: [u64; 2]| Reply::Array(numbers.map(|n| Reply::Integer(n as i64)).to_vec());
        Ok(Reply::Array(spikes.into_iter().map(|spike| pair([spike.at, spike.millis])).collect()))
    }))
}

fn reset(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let events = args.rest().to_vec();
    Ok(Plan::session(move |context| {
        let wanted = |name: &[u8]| events.is_empty() || events.iter().any(|event| event == name);
        Ok(Reply::Integer(context.process().latency.reset(wanted) as i64))
    }))
}

const HELP_LINES: &[&str] = &[
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
];
