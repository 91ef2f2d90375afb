//! The results as tables for a terminal and as JSON.

use std::fmt::Write;

use clap::ValueEnum;

use crate::machine::Machine;
use crate::result::{Results, Row};
use crate::server::Kind;
use crate::stats::Spread;

/// Rates and ratios, then latencies; a column for every server that was measured.
pub fn table(results: &Results) -> String {
    let measured = |kind: &Kind| results.rows.iter().any(|row| row.rate(*kind).is_some());
    let kinds: Vec<Kind> = COLUMNS.into_iter().filter(measured).collect();
    let others: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::Respg).collect();

    let names = |of: &[Kind], before: &str| of.iter().map(|k| format!("{before}{}", k.name())).collect();
    let line = |parts: [Vec<String>; 4]| parts.concat();
    let end = vec!["target".to_owned(), String::new()];
    let mut rates = vec![line([vec!["load".to_owned()], names(&kinds, ""), names(&others, ":"), end])];
    for row in &results.rows {
        let rate = |kind: &Kind| row.rate(*kind).map_or_else(missing, |rate| rate_text(&rate));
        let ratio = |kind: &Kind| row.ratio(*kind).map_or_else(missing, |ratio| ratio_text(&ratio));
        let verdict = match results.verdict(row) {
            Some(verdict) => {
                [format!("{:.2}", verdict.target), if verdict.is_ok() { "ok" } else { "below" }.to_owned()]
            }
            None => [missing(), String::new()],
        };
        rates.push(line([
            vec![row.load.name.to_owned()],
            kinds.iter().map(rate).collect(),
            others.iter().map(ratio).collect(),
            verdict.to_vec(),
        ]));
    }
    let mut latencies = vec![[vec!["p50 / p99 in ms".to_owned()], names(&kinds, "")].concat()];
    for row in &results.rows {
        let cells = kinds.iter().map(|kind| latency(row, *kind)).collect();
        latencies.push([vec![row.load.name.to_owned()], cells].concat());
    }
    format!(
        "Requests per second (median, half the range); respg : others (median, smallest and largest round).\n\
         Targets are parts of redis-aof; for the hot counter, of respg's own random keys; for the queue, of pgmq.\n\
         Latencies of publish and queue are those of the delivery.\n\n{}\n{}",
        align(&rates),
        align(&latencies)
    )
}

const COLUMNS: [Kind; 5] = [Kind::RedisAof, Kind::RedisMem, Kind::Respg, Kind::Pgbench, Kind::Pgmq];

fn missing() -> String {
    "-".to_owned()
}

/// `59.1k`, `1.25M`
pub fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.2}M", n / 1e6),
        n if n >= 1e5 => format!("{:.0}k", n / 1e3),
        n if n >= 1e3 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

fn rate_text(rate: &Spread) -> String {
    format!("{} ±{:.0}%", short(rate.median), (rate.high - rate.low) / 2.0 / rate.median * 100.0)
}

fn ratio_text(ratio: &Spread) -> String {
    format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.low, ratio.high)
}

fn latency(row: &Row, kind: Kind) -> String {
    match (row.spread(kind, |s| s.p50_ms), row.spread(kind, |s| s.p99_ms)) {
        (Some(p50), Some(p99)) => format!("{:.2} / {:.2}", p50.median, p99.median),
        _ => missing(),
    }
}

/// Columns as wide as their widest cell: the first to the left, the others to the right.
fn align(lines: &[Vec<String>]) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut out = String::new();
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if at == 0 { write!(out, "{cell:width$}") } else { write!(out, "  {cell:>width$}") };
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

/// All samples with their medians and ratios. Every name in it is ours and needs no escaping.
pub fn json(machine: &Machine, results: &Results) -> String {
    let rows: Vec<String> = results.rows.iter().map(|row| json_row(results, row)).collect();
    format!("{{\n \"machine\": {},\n \"loads\": [\n{}\n ]\n}}\n", machine.json(), rows.join(",\n"))
}

fn json_row(results: &Results, row: &Row) -> String {
    let servers = Kind::value_variants().iter().filter_map(|kind| {
        let list = |of: fn(&crate::stats::Sample) -> f64| {
            row.samples(*kind).iter().map(|s| format!("{:.3}", of(s))).collect::<Vec<_>>().join(", ")
        };
        Some(format!(
            "    \"{}\": {{\"median\": {:.3}, \"per_second\": [{}], \"p50_ms\": [{}], \"p99_ms\": [{}]}}",
            kind.name(),
            row.rate(*kind)?.median,
            list(|s| s.per_second),
            list(|s| s.p50_ms),
            list(|s| s.p99_ms)
        ))
    });
    let ratios = [Kind::RedisAof, Kind::RedisMem, Kind::Pgbench, Kind::Pgmq].into_iter().filter_map(|kind| {
        let ratio = row.ratio(kind)?;
        let Spread { median, low, high } = ratio;
        Some(format!(
            "    \"{}\": {{\"median\": {median:.4}, \"low\": {low:.4}, \"high\": {high:.4}}}",
            kind.name()
        ))
    });
    let verdict = results.verdict(row).map_or_else(String::new, |verdict| {
        format!(
            ",\n   \"target\": {}, \"reached\": {:.4}, \"ok\": {}",
            verdict.target,
            verdict.reached.median,
            verdict.is_ok()
        )
    });
    format!(
        "  {{\"name\": \"{}\", \"clients\": {}, \"pipeline\": {},\n   \"servers\": {{\n{}\n   }},\n   \"respg_to\": {{\n{}\n   }}{}}}",
        row.load.name,
        row.load.clients,
        row.load.pipeline,
        servers.collect::<Vec<_>>().join(",\n"),
        ratios.collect::<Vec<_>>().join(",\n"),
        verdict
    )
}
