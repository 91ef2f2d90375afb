//! `LATENCY HISTOGRAM [command ...]`
use super::FAMILY;
use crate::command::lookup;
use crate::command::prelude::*;
use crate::state::{Histogram, Usage};

pub(super) static HISTOGRAM: Command =
    Command { name: "LATENCY|HISTOGRAM", arity: AtLeast(2), plan: histogram, ..FAMILY };

/// The first bucket ends at 2^10 nanoseconds.
const LEAST_POWER: u32 = 10;

fn histogram(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let names = args.rest().to_vec();
    Ok(Plan::session(move |context| {
        let used = context.process().commands.used();
        Ok(Reply::Map(used.filter(|usage| is_wanted(usage.command, &names)).filter_map(entry).collect()))
    }))
}

/// Whether a command was named; a container stands for its sub-commands.
fn is_wanted(command: &'static Command, names: &[Bytes]) -> bool {
    let is_named = |name: &Bytes| {
        let container = lookup(name).filter(|found| !found.subcommands.is_empty());
        let within =
            container.is_some_and(|found| found.subcommands.iter().any(|sub| std::ptr::eq(*sub, command)));
        within || name.eq_ignore_ascii_case(command.name.as_bytes())
    };
    names.is_empty() || names.iter().any(is_named)
}

fn entry(usage: &Usage) -> Option<(Reply, Reply)> {
    let buckets = buckets(usage.latencies()?);
    let fields = vec![
        (Reply::text("calls"), Reply::Integer(usage.calls() as i64)),
        (Reply::text("histogram_usec"), Reply::Map(buckets)),
    ];
    Some((Reply::bulk(usage.command.lower_name()), Reply::Map(fields)))
}

/// Cumulative counts by powers of two, named by their largest value in Redis's histogram of two digits, in microseconds.
fn buckets(latencies: &Histogram) -> Vec<(Reply, Reply)> {
    let micros = |power: u32| ((1_i64 << power) + (1 << (power - 7)) - 1) / 1000;
    let powers = latencies.by_power(LEAST_POWER).into_iter();
    powers.map(|(power, count)| (Reply::Integer(micros(power)), Reply::Integer(count as i64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_as_in_redis() {
        let latencies = Histogram::default();
        for nanos in [900, 7_000, 15_000, 30_000, 60_000] {
            latencies.record(nanos, 1);
        }
        let pairs = [(1, 1), (8, 2), (16, 3), (33, 4), (66, 5)];
        assert_eq!(buckets(&latencies), pairs.map(|(n, m)| (Reply::Integer(n), Reply::Integer(m))));
    }
}
