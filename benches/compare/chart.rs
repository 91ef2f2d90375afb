//! The results as an SVG bar chart: per load one bar for each server, as long as its rate beside that of
//! redis-server with appendfsync always. No background and middle tones only, so that it reads on white and on black.

use std::fmt::Write;

use crate::load::{Load, Work};
use crate::report::short;
use crate::result::{Results, Row};
use crate::server::Kind;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 170.0;
/// Room for the label behind the longest bar.
const RIGHT: f64 = 130.0;
const TOP: f64 = 64.0;
/// A label this wide does not fit before the dashed line and moves behind it.
const LABEL: f64 = 60.0;
const BAR: f64 = 10.0;
const STEP: f64 = 12.5;
const GROUP_GAP: f64 = 16.0;
const INK: &str = "#767676";
/// A bar longer than this many times the reference is cut; its label has the number.
const LONGEST: f64 = 3.0;

struct Series {
    kind: Kind,
    name: &'static str,
    style: &'static str,
}

const SERIES: [Series; 5] = [
    Series { kind: Kind::Respg, name: "respg, durable", style: "fill=\"#2f81f7\"" },
    Series { kind: Kind::RedisAof, name: "Redis, appendfsync always", style: "fill=\"#d9480f\"" },
    Series { kind: Kind::RedisMem, name: "Redis, in memory", style: "fill=\"#e59866\"" },
    Series { kind: Kind::Pgbench, name: "pgbench, a key per statement", style: "fill=\"#2da44e\"" },
    Series { kind: Kind::Pgmq, name: "pgmq", style: "fill=\"#8250df\"" },
];

pub fn draw(results: &Results) -> String {
    let reference =
        |row: &Row| row.rate(Kind::RedisAof).or_else(|| row.rate(Kind::Respg)).map(|rate| rate.median);
    let relative = |row: &Row, kind| Some(row.rate(kind)?.median / reference(row)?);
    let longest = results
        .rows
        .iter()
        .flat_map(|row| SERIES.iter().filter_map(move |series| relative(row, series.kind)))
        .fold(1.0, f64::max)
        .min(LONGEST);
    let scale = (WIDTH - LEFT - RIGHT) / longest;

    let mark = LEFT + scale;
    let mut body = String::new();
    let mut y = TOP;
    for row in &results.rows {
        let group = y;
        for series in &SERIES {
            if let (Some(rate), Some(part)) = (row.rate(series.kind), relative(row, series.kind)) {
                bar(
                    &mut body,
                    y,
                    part.min(LONGEST) * scale,
                    mark,
                    series,
                    &label(row, series.kind, rate.median, part),
                );
                y += STEP;
            }
        }
        title(&mut body, (group + y - STEP + BAR) / 2.0, row.load);
        y += GROUP_GAP;
    }
    let _ = writeln!(
        body,
        "<line x1=\"{mark:.1}\" y1=\"{:.1}\" x2=\"{mark:.1}\" y2=\"{:.1}\" stroke=\"{INK}\" stroke-dasharray=\"2 3\"/>",
        TOP - 6.0,
        y - GROUP_GAP + 4.0
    );
    frame(&body, y)
}

fn label(row: &Row, kind: Kind, rate: f64, part: f64) -> String {
    let cut = if part > LONGEST { "… " } else { "" };
    let rate = format!("{cut}{}/s", short(rate));
    match row.ratio(Kind::RedisAof) {
        Some(ratio) if kind == Kind::Respg => format!("{rate}  ×{:.2}", ratio.median),
        _ => rate,
    }
}

fn bar(body: &mut String, y: f64, length: f64, mark: f64, series: &Series, label: &str) {
    let end = LEFT + length;
    let weight = if series.kind == Kind::Respg { " font-weight=\"bold\"" } else { "" };
    let _ = writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" {}/>\
         <text x=\"{:.1}\" y=\"{:.1}\"{weight}>{label}</text>",
        series.style,
        6.0 + if (mark - LABEL..mark).contains(&end) { mark } else { end },
        y + BAR - 1.0
    );
}

fn title(body: &mut String, middle: f64, load: &Load) {
    let work = match load.work {
        Work::Publish { subscribers: 1 } => "PUBLISH, 1 subscriber".to_owned(),
        Work::Publish { subscribers } => format!("PUBLISH, {subscribers} subscribers"),
        Work::Queue { count } => format!("queue, {} a call ({})", count.redis, count.pgmq),
        Work::Xadd => "XADD".to_owned(),
        Work::Set => "SET".to_owned(),
        Work::Get => "GET".to_owned(),
        Work::Incr => "INCR, random keys".to_owned(),
        Work::IncrHot => "INCR, one hot key".to_owned(),
        Work::Mixed => "7 GET, 2 SET, 1 INCR".to_owned(),
    };
    let clients = if load.clients == 1 { "1 client".to_owned() } else { format!("{} clients", load.clients) };
    let pipeline = if load.pipeline == 1 { String::new() } else { format!(", pipeline {}", load.pipeline) };
    let x = LEFT - 10.0;
    let _ = writeln!(
        body,
        "<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"bold\">{work}</text>\
         <text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{clients}{pipeline}</text>",
        middle - 2.0,
        middle + 11.0
    );
}

/// The document around the bars, with the legend.
fn frame(body: &str, height: f64) -> String {
    let mut legend = String::new();
    let mut x = 10.0;
    for series in &SERIES {
        let _ = writeln!(
            legend,
            "<rect x=\"{x:.0}\" y=\"31\" width=\"10\" height=\"10\" {}/><text x=\"{:.0}\" y=\"40\">{}</text>",
            series.style,
            x + 15.0,
            series.name
        );
        x += 40.0 + 6.4 * series.name.len() as f64;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"{INK}\">\n\
         <text x=\"10\" y=\"18\" font-size=\"13\" font-weight=\"bold\">Requests per second beside Redis with appendfsync \
         always (dashed line); 64-byte values, 100,000 keys</text>\n{legend}{body}</svg>\n"
    )
}
