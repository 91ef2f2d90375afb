//! INFO commandstats, errorstats, latencystats.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::Facts;

pub fn calls(facts: &Facts, out: &mut String) {
    for usage in facts.process.commands.used() {
        let calls = usage.calls();
        let micros = usage.nanos.load(Relaxed) / 1000;
        let each = if calls == 0 { 0.0 } else { micros as f64 / calls as f64 };
        let (rejected, failed) = (usage.rejected.load(Relaxed), usage.failed.load(Relaxed));
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "cmdstat_{}:calls={calls},usec={micros},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}\r\n",
            usage.command.lower_name()
        );
    }
}

pub fn errors(facts: &Facts, out: &mut String) {
    for (code, count) in facts.process.commands.errors() {
        let _ = write!(out, "errorstat_{}:count={count}\r\n", code.escape_ascii());
    }
}

pub fn latencies(facts: &Facts, out: &mut String) {
    for usage in facts.process.commands.used() {
        let Some(latencies) = usage.latencies() else { continue };
        let [half, most, nearly_all] =
            latencies.quantiles([0.5, 0.99, 0.999]).map(|nanos| nanos as f64 / 1000.0);
        let _ = write!(
            out,
            "latency_percentiles_usec_{}:p50={half:.3},p99={most:.3},p99.9={nearly_all:.3}\r\n",
            usage.command.lower_name()
        );
    }
}
