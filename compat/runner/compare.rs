//! When two replies count as the same.

use super::case::Matcher;
use super::resp::{Event, Reply};

pub fn same(matcher: &Matcher, ours: &Event, theirs: &Event) -> bool {
    match (ours, theirs) {
        (Event::Reply(a), Event::Reply(b)) => a.raw == b.raw || same_reply(matcher, a, b),
        (Event::Lost(_), _) | (_, Event::Lost(_)) => false,
        (a, b) => matches!(matcher, Matcher::Any) || a == b,
    }
}

fn same_reply(matcher: &Matcher, a: &Reply, b: &Reply) -> bool {
    match matcher {
        Matcher::Exact => false,
        Matcher::Int => a.kind == b':' && b.kind == b':',
        Matcher::Near(distance) => near(a, b, *distance),
        Matcher::NearAt(places, distance) => near_at(a, b, places, *distance),
        Matcher::Sorted => a.kind == b.kind && a.items.len() == b.items.len() && sorted(a) == sorted(b),
        Matcher::Regex(regex) => a.kind == b.kind && regex.is_match(&a.text) && regex.is_match(&b.text),
        Matcher::Shape => shape(a, b),
        Matcher::Type => a.kind == b.kind && a.null == b.null,
        Matcher::Error => a.is_error() && b.is_error() && first_word(a) == first_word(b),
        Matcher::Keys => a.kind == b.kind && keys(a) == keys(b),
        Matcher::Dump => match (a.text.split_last_chunk::<10>(), b.text.split_last_chunk::<10>()) {
            (Some((x, _)), Some((y, _))) => a.kind == b.kind && x == y,
            _ => false,
        },
        Matcher::Cursor => match (&a.items[..], &b.items[..]) {
            ([x, xs], [y, ys]) => number(x).is_some() && number(y).is_some() && sorted(xs) == sorted(ys),
            _ => false,
        },
        Matcher::Any => true,
        Matcher::All(matchers) => matchers.iter().all(|matcher| a.raw == b.raw || same_reply(matcher, a, b)),
    }
}

fn near(a: &Reply, b: &Reply, distance: f64) -> bool {
    match (number(a), number(b)) {
        // Negative numbers say something (no key, no expiry) and are no measurements.
        (Some(x), Some(y)) if x < 0.0 || y < 0.0 => a.kind == b.kind && x == y,
        (Some(x), Some(y)) => a.kind == b.kind && (x - y).abs() <= distance,
        _ => false,
    }
}

fn near_at(a: &Reply, b: &Reply, places: &[usize], distance: f64) -> bool {
    let same = |(place, (a, b)): (usize, (&Reply, &Reply))| {
        a.raw == b.raw || near_at(a, b, places, distance) || (places.contains(&place) && near(a, b, distance))
    };
    let alike = a.kind == b.kind && a.null == b.null && a.items.len() == b.items.len();
    alike && !a.items.is_empty() && a.items.iter().zip(&b.items).enumerate().all(same)
}

fn number(reply: &Reply) -> Option<f64> {
    std::str::from_utf8(&reply.text).ok()?.parse().ok()
}

fn sorted(reply: &Reply) -> Vec<Vec<u8>> {
    let step = if reply.kind == b'%' { 2 } else { 1 };
    let raw = |chunk: &[Reply]| chunk.iter().flat_map(|item| item.raw.clone()).collect();
    let mut elements: Vec<Vec<u8>> = reply.items.chunks(step).map(raw).collect();
    elements.sort();
    elements
}

fn keys(reply: &Reply) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = reply.items.chunks(2).map(|pair| pair[0].raw.clone()).collect();
    keys.sort();
    keys
}

fn shape(a: &Reply, b: &Reply) -> bool {
    a.kind == b.kind
        && a.null == b.null
        && a.items.len() == b.items.len()
        && a.items.iter().zip(&b.items).all(|(a, b)| shape(a, b))
}

fn first_word(reply: &Reply) -> &[u8] {
    reply.text.split(|&byte| byte == b' ').next().unwrap_or_default()
}
