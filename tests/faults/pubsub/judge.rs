//! Compares what was heard with what was said.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::minutes::{Outcome, Pages, Seat, Speech};

/// A client notices within this time that its process is gone, and a message has left Postgres.
const NOTICES: Duration = Duration::from_millis(500);

pub fn judge(pages: &Pages, bound: Duration) -> Result<String, String> {
    if let Some(text) = &pages.complaint {
        return Err(text.clone());
    }
    let said: HashMap<(usize, &str), &Speech> =
        pages.speeches.iter().map(|speech| ((speech.channel, speech.text.as_str()), speech)).collect();
    let (mut heard, mut excused) = (0, 0);
    let mut delays = Vec::new();
    for seat in &pages.seats {
        stayed(seat, pages)?;
        excused += complete(seat, pages, &said, bound).map_err(|text| format!("{}: {text}", seat.who))?;
        in_time(seat, &said)?;
        heard += seat.heard.len();
        for one in &seat.heard {
            let speech = said[&(one.channel, one.text.as_str())];
            if !disturbed(pages, speech.sent, one.at) {
                delays.push(one.at.saturating_duration_since(speech.ended));
            }
        }
    }
    same_order(&pages.seats)?;
    if pages.outages.is_empty() && pages.kills.is_empty() {
        counted(pages)?;
    }
    delays.sort();
    let part = |share: usize| delays.get(delays.len() * share / 100).copied().unwrap_or_default();
    let said = pages.speeches.iter().filter(|speech| matches!(speech.outcome, Outcome::Said(_))).count();
    let unknown = pages.speeches.iter().filter(|speech| speech.outcome == Outcome::Unknown).count();
    match said.min(heard) {
        0 => Err("nothing was said or heard".into()),
        _ => Ok(format!(
            "{said} said, {unknown} unknown, {heard} heard on {} connections, {excused} lost in outages; \
             after {:.1?} (median), {:.1?} (p99)",
            pages.seats.len(),
            part(50),
            part(99),
        )),
    }
}

/// Only the end of its process breaks a subscriber's connection.
fn stayed(seat: &Seat, pages: &Pages) -> Result<(), String> {
    let (true, Some(to)) = (seat.broken, seat.to) else { return Ok(()) };
    let killed =
        pages.kills.iter().any(|(server, at)| *server == seat.server && *at <= to && to < *at + NOTICES);
    // Whoever comes to a process that is about to end, or to begin, may be turned away.
    match killed || seat.from.is_none() && !pages.kills.is_empty() {
        true => Ok(()),
        false => Err(format!("the connection of {} broke after {:?}", seat.who, to - seat.asked)),
    }
}

/// All that was said is heard as often as it was said, and nothing else. Returns how much an outage swallowed.
fn complete(
    seat: &Seat,
    pages: &Pages,
    said: &HashMap<(usize, &str), &Speech>,
    bound: Duration,
) -> Result<usize, String> {
    let mut times: HashMap<(usize, &str), usize> = HashMap::new();
    for one in &seat.heard {
        let key = (one.channel, one.text.as_str());
        let text = &one.text;
        let speech = said.get(&key).ok_or_else(|| format!("nobody said {text} on {}", one.channel))?;
        if !seat.channels.contains(&one.channel) {
            return Err(format!("{text} came on {}", one.channel));
        }
        let count = times.entry(key).or_default();
        *count += 1;
        if *count > speech.times || speech.outcome == Outcome::Unsaid {
            let outcome = &speech.outcome;
            return Err(format!("{text} came {count} times; said {} times, {outcome:?}", speech.times));
        }
        if one.at > speech.ended + bound && !disturbed(pages, speech.sent, one.at) {
            return Err(format!("{text} came after {:?}", one.at - speech.ended));
        }
    }
    let (Some(from), Some(to)) = (seat.from, seat.to) else { return Ok(0) };
    let mut excused = 0;
    for speech in &pages.speeches {
        if !seat.channels.contains(&speech.channel) {
            continue;
        }
        let count = times.get(&(speech.channel, speech.text.as_str())).copied().unwrap_or_default();
        let text = &speech.text;
        let was_there = from <= speech.sent && speech.ended + bound <= to;
        // Of what is said twice a fire may swallow one.
        let lacks = match count {
            0 => matches!(speech.outcome, Outcome::Said(_)),
            _ => count < speech.times,
        };
        if was_there && lacks {
            if !disturbed(pages, speech.sent, speech.ended + NOTICES) {
                let (channel, times) = (speech.channel, speech.times);
                return Err(match count {
                    0 => format!("{text} on {channel} was not heard"),
                    _ => format!("{text} came {count} times instead of {times}"),
                });
            }
            excused += 1;
        }
    }
    Ok(excused)
}

/// What was said after another had been answered is heard after it, on each channel.
fn in_time(seat: &Seat, said: &HashMap<(usize, &str), &Speech>) -> Result<(), String> {
    let mut newest: HashMap<usize, Instant> = HashMap::new();
    for one in &seat.heard {
        let speech = said[&(one.channel, one.text.as_str())];
        let answered = matches!(speech.outcome, Outcome::Said(_));
        let newest = newest.entry(one.channel).or_insert(speech.sent);
        if answered && speech.ended < *newest {
            let text = &one.text;
            return Err(format!("{}: {text} came after what was said later", seat.who));
        }
        *newest = speech.sent.max(*newest);
    }
    Ok(())
}

/// Any two subscribers heard what both heard in the same order.
fn same_order(seats: &[Seat]) -> Result<(), String> {
    let places: Vec<HashMap<(usize, &str), usize>> = seats
        .iter()
        .map(|seat| {
            let heard = seat.heard.iter().enumerate();
            heard.map(|(at, one)| ((one.channel, one.text.as_str()), at)).collect()
        })
        .collect();
    for seat in seats {
        for (other, places) in seats.iter().zip(&places) {
            let mut last: HashMap<usize, usize> = HashMap::new();
            for one in &seat.heard {
                let Some(&place) = places.get(&(one.channel, one.text.as_str())) else { continue };
                let last = last.entry(one.channel).or_insert(place);
                if place < *last {
                    let text = &one.text;
                    return Err(format!("{} and {} disagree about {text}", seat.who, other.who));
                }
                *last = place;
            }
        }
    }
    Ok(())
}

/// A PUBLISH counts all who are subscribed in the whole database, and no others.
fn counted(pages: &Pages) -> Result<(), String> {
    for speech in &pages.speeches {
        let Outcome::Said(counts) = &speech.outcome else { continue };
        let seats = pages.seats.iter().filter(|seat| seat.channels.contains(&speech.channel));
        let (mut least, mut most) = (0, 0);
        for seat in seats {
            let surely = seat.from.is_some_and(|from| from < speech.sent)
                && seat.to.is_none_or(|to| to > speech.ended);
            let perhaps = seat.asked < speech.ended && seat.to.is_none_or(|to| to + NOTICES > speech.sent);
            least += i64::from(surely);
            most += i64::from(perhaps);
        }
        if let Some(count) = counts.iter().find(|count| !(least..=most).contains(count)) {
            return Err(format!("PUBLISH counted {count} receivers, there were {least} to {most}"));
        }
    }
    Ok(())
}

fn disturbed(pages: &Pages, from: Instant, to: Instant) -> bool {
    pages.outages.iter().any(|outage| outage.from < to && from < outage.to)
}
