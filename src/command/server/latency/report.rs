//! `LATENCY DOCTOR | LATENCY GRAPH event`
use std::time::{SystemTime, UNIX_EPOCH};

use super::FAMILY;
use crate::command::prelude::*;
use crate::state::Spikes;

pub(super) static DOCTOR: Command =
    Command { name: "LATENCY|DOCTOR", arity: Exactly(2), plan: doctor, ..FAMILY };
pub(super) static GRAPH: Command =
    Command { name: "LATENCY|GRAPH", arity: Exactly(3), plan: graph, ..FAMILY };

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";
const HEALTHY: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";
const OBSERVED: &str = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n";

fn doctor(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let process = context.process();
        let events = process.latency.events();
        let text = match events.is_empty() {
            true if process.settings.latency_threshold().is_zero() => DISABLED.to_owned(),
            true => HEALTHY.to_owned(),
            false => {
                let lines =
                    events.iter().enumerate().map(|(i, (event, spikes))| diagnosis(i + 1, event, spikes));
                OBSERVED.to_owned() + &lines.collect::<String>()
            }
        };
        Ok(Reply::Verbatim(text.into()))
    }))
}

fn diagnosis(number: usize, event: &str, spikes: &Spikes) -> String {
    let count = spikes.spikes.len() as u64;
    let average = spikes.spikes.iter().map(|spike| spike.millis).sum::<u64>() / count.max(1);
    let deviation =
        spikes.spikes.iter().map(|spike| spike.millis.abs_diff(average)).sum::<u64>() / count.max(1);
    let span = spikes.spikes.back().zip(spikes.spikes.front()).map_or(0, |(last, first)| last.at - first.at);
    let period = span as f64 / count.max(1) as f64;
    format!(
        "{number}. {event}: {count} latency spikes (average {average}ms, mean deviation {deviation}ms, period {period:.2} sec). \
         Worst all time event {}ms.\n",
        spikes.worst
    )
}

fn graph(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let event = args.bytes()?;
    Ok(Plan::session(move |context| {
        let Some(spikes) = context.process().latency.event(&event) else {
            let text = [b"ERR No samples available for event '", &event[..], b"'"].concat();
            return Err(CommandError::text(text));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let event = String::from_utf8(event.to_vec()).unwrap_or_default();
        Ok(Reply::Verbatim(draw(&event, &spikes, now).into()))
    }))
}

/// Redis's sparkline: four rows of at most 80 columns, with the spikes' ages below, top to bottom.
fn draw(event: &str, spikes: &Spikes, now: u64) -> String {
    const COLUMNS: usize = 80;
    let values: Vec<(u64, String)> =
        spikes.spikes.iter().map(|spike| (spike.millis, age(now.saturating_sub(spike.at)))).collect();
    let high = values.iter().map(|(millis, _)| *millis).max().unwrap_or(0);
    let low = values.iter().map(|(millis, _)| *millis).min().unwrap_or(0);
    let mut text =
        format!("{event} - high {high} ms, low {low} ms (all time high {} ms)\n{:-<80}\n", spikes.worst, "");
    let parts: Vec<String> = values.chunks(COLUMNS).map(|part| sparkline(part, low, high)).collect();
    text.push_str(&parts.join("\n"));
    text
}

fn sparkline(values: &[(u64, String)], low: u64, high: u64) -> String {
    const ROWS: usize = 4;
    const STEPS: [char; 3] = ['_', 'o', '#'];
    let range = (high - low).max(1);
    let most = ROWS * STEPS.len();
    let step = |millis: u64| (((millis - low) * most as u64 / range) as usize).min(most - 1);
    let bar = |row: usize| {
        let below = (ROWS - row - 1) * STEPS.len();
        move |(millis, _): &(u64, String)| match step(*millis).checked_sub(below) {
            Some(i) => STEPS.get(i).copied().unwrap_or('|'),
            None => ' ',
        }
    };
    let longest = values.iter().map(|(_, age)| age.len()).max().unwrap_or(0);
    let letter =
        |i: usize| move |(_, age): &(u64, String)| age.as_bytes().get(i).map_or(' ', |b| char::from(*b));
    let bars = (0..ROWS).map(|row| values.iter().map(bar(row)).collect::<String>());
    let blank = std::iter::once(" ".repeat(values.len()));
    let labels = (0..longest).map(|i| values.iter().map(letter(i)).collect::<String>());
    bars.chain(blank).chain(labels).map(|line| line + "\n").collect()
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Spike;

    #[test]
    fn graph() {
        let spikes = [(1000, 100), (1050, 500), (1059, 300)].map(|(at, millis)| Spike { at, millis });
        let drawn = draw("command", &Spikes { spikes: spikes.into(), worst: 500 }, 1060);
        let expected = format!(
            "command - high 500 ms, low 100 ms (all time high 500 ms)\n{}\n # \n |_\n ||\n_||\n   \n111\nm0s\n s \n",
            "-".repeat(80)
        );
        assert_eq!(drawn, expected);
    }
}
