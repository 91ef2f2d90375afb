//! What holds for each entry of a group.

use std::collections::HashMap;
use std::time::Duration;

use super::estate::GroupEstate;
use super::journal::{Event, How, Id, Outcome};
use super::judge::{Delivery, ROUNDING};

/// What becomes of an entry: acknowledged, pending or new, and only as far as the clients know.
pub fn accounted_for(
    id: Id,
    group: &GroupEstate,
    given: &[&Delivery],
    tried: &[&Event],
) -> Result<(), String> {
    let pending = group.pending.get(&id);
    if id > group.last_delivered {
        return match given.is_empty() && pending.is_none() {
            true => Ok(()),
            false => Err(format!("{id} was given and is new")),
        };
    }
    let Some(&times) = pending else {
        return match tried.is_empty() {
            true if given.is_empty() => Err(format!("{id} was never given to anybody, and is not pending")),
            true => Err(format!("{id} was never acknowledged, and is not pending")),
            false => Ok(()),
        };
    };
    if tried.iter().any(|event| matches!(event.outcome, Outcome::Acked(_))) {
        return Err(format!("{id} was acknowledged and is pending"));
    }
    if times < given.len().max(1) as i64 {
        return Err(format!("{id} was given {} times, XPENDING says {times}", given.len()));
    }
    Ok(())
}

pub fn once_new(id: Id, given: &[&Delivery]) -> Result<(), String> {
    let mut new = given.iter().filter(|delivery| delivery.read.how == How::New);
    match (new.next(), new.next()) {
        (Some(one), Some(two)) => {
            Err(format!("{id} was new to \"{}\" and to \"{}\"", one.read.who, two.read.who))
        }
        _ => Ok(()),
    }
}

/// XAUTOCLAIM leaves alone what has been delivered a short while ago.
pub fn not_too_soon(id: Id, given: &[&Delivery]) -> Result<(), String> {
    for claim in given {
        let How::Claim(idle) = claim.read.how else { continue };
        let before = given.iter().filter(|other| other.event.ended < claim.event.sent);
        if let Some(last) = before.map(|other| other.event.sent).max() {
            let longest = claim.event.ended - last;
            if longest + ROUNDING < Duration::from_millis(idle) {
                return Err(format!("{id} was claimed as idle for {idle} ms after {longest:?}"));
            }
        }
    }
    Ok(())
}

/// Whatever XACK counted: what it named is no longer pending when it answers.
pub fn not_after_ack(id: Id, given: &[&Delivery], tried: &[&Event]) -> Result<(), String> {
    let answered = tried.iter().filter(|event| matches!(event.outcome, Outcome::Acked(_)));
    let Some(done) = answered.map(|event| event.ended).min() else { return Ok(()) };
    match given.iter().find(|delivery| delivery.event.sent > done) {
        Some(delivery) => Err(format!("{id} was acknowledged, and then given to \"{}\"", delivery.read.who)),
        None => Ok(()),
    }
}

/// XACK counts what nobody has acknowledged before. Returns the sum.
pub fn acks_count(
    acks: &[&(&Event, &str, &[Id])],
    attempts: &HashMap<Id, Vec<&Event>>,
) -> Result<usize, String> {
    let mut sum = 0;
    for (event, _, ids) in acks {
        let Outcome::Acked(count) = event.outcome else { continue };
        let others = |id: &Id| attempts[id].iter().filter(|other| !std::ptr::eq(**other, *event));
        let alone = |id: &&Id| others(id).all(|other| other.sent > event.ended);
        let before = |other: &&&Event| other.ended < event.sent && matches!(other.outcome, Outcome::Acked(_));
        let least = ids.iter().filter(alone).count();
        let most = ids.iter().filter(|id| !others(id).any(|other| before(&other))).count();
        if !(least..=most).contains(&(count as usize)) {
            return Err(format!("XACK of {} entries says {count}, and not {least} to {most}", ids.len()));
        }
        sum += count as usize;
    }
    match sum > attempts.len() {
        true => Err(format!("{} entries were acknowledged {sum} times", attempts.len())),
        false => Ok(sum),
    }
}
