//! XCLAIM and XAUTOCLAIM: pending entries get another owner.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::deliver::{Delivered, packed};
use super::loaded::{LoadedEntry, consumer_part};
use super::{Group, GroupPart, Nack};
use crate::keyspace::stream::{NotLoaded, Stream, StreamId};

/// What XCLAIM is asked for; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    pub min_idle: i64,
    /// When the entries count as delivered, if it is not now.
    pub time: Option<i64>,
    /// How long ago they count as delivered.
    pub idle: Option<i64>,
    pub retry_count: Option<i64>,
    /// Whether entries that are not pending become so.
    pub force: bool,
    pub just_id: bool,
    pub last_id: Option<StreamId>,
}

/// What was claimed, in the order of the request.
pub type Claimed = Vec<Delivered>;

/// What XAUTOCLAIM found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Where to go on; 0-0 at the end.
    pub next: StreamId,
    pub claimed: Claimed,
    /// Pending ones whose entries are gone; they are not pending any more.
    pub deleted: Vec<StreamId>,
}

/// XAUTOCLAIM looks at so many pending entries for each that it may claim.
const ATTEMPTS: i64 = 10;

impl Stream {
    pub fn claim(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        ids: &[StreamId],
        claim: &Claim,
        now: i64,
    ) -> Result<Claimed, NotLoaded> {
        // Asked for together.
        let known = self.groups.know_nacks(name, &group, ids);
        let entries = self.entries(ids, !claim.just_id);
        if self.groups.consumer(name, &group, consumer).and(known).is_err() {
            return Err(NotLoaded);
        }
        let entries = entries?;
        if let Some(last_id) = claim.last_id.filter(|last_id| *last_id > group.cursor.last_id) {
            group.cursor.last_id = last_id;
            self.groups.put_group(name, group);
        }
        let delivered_at = claim.idle.map(|idle| now.wrapping_sub(idle)).or(claim.time);
        let delivered_at = delivered_at.filter(|at| (0..=now).contains(at)).unwrap_or(now);
        let mut seen = self.groups.see(name, &mut group, consumer, now)?;
        let mut claimed = Vec::new();
        for (&id, entry) in ids.iter().zip(entries) {
            let nack = self.groups.nack(name, &group, id)?;
            if entry == LoadedEntry::Absent {
                if nack.is_some() {
                    self.groups.remove_nack(&group, id);
                }
                continue;
            }
            let deliveries = match nack {
                Some(nack) if too_fresh(&nack, claim.min_idle, now) => continue,
                Some(nack) if !claim.just_id && self.buries(&group, id, &nack) => continue,
                Some(nack) => nack.deliveries,
                None if claim.force => 1,
                None => continue,
            };
            let deliveries = match claim.retry_count {
                Some(count) => count,
                None => deliveries.saturating_add(i64::from(!claim.just_id)),
            };
            self.groups.put_nack(&mut group, id, Nack { consumer: seen.id, delivered_at, deliveries });
            claimed.push((id, packed(entry)));
        }
        if !claimed.is_empty() {
            seen.active_at = Some(now);
            self.groups.put_consumer(&group, consumer, seen);
            self.keep_bound(name, group)?;
        }
        Ok(claimed)
    }

    pub fn claim_idle(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        from: StreamId,
        claim: (i64, i64, bool),
        now: i64,
    ) -> Result<Swept, NotLoaded> {
        let (min_idle, count, just_id) = claim;
        let mut attempts = count.saturating_mul(ATTEMPTS);
        let known = self.groups.consumer(name, &group, consumer);
        let listed = self.groups.listed(name, &group, None, from, attempts.saturating_add(1));
        let (_, ids) = (known?, listed?);
        let present = self.entries(&ids, false)?;
        let mut left = count;
        let (mut taken, mut deleted) = (Vec::new(), Vec::new());
        let mut next = StreamId::MIN;
        for (id, entry) in ids.into_iter().zip(present) {
            if attempts == 0 || left == 0 {
                next = id;
                break;
            }
            attempts -= 1;
            if entry == LoadedEntry::Absent {
                deleted.push(id);
                left -= 1;
                continue;
            }
            let Some(nack) = self.groups.nack(name, &group, id)? else { continue };
            if !too_fresh(&nack, min_idle, now) && (just_id || !self.buries(&group, id, &nack)) {
                taken.push((id, nack));
                left -= 1;
            }
        }
        let ids: Vec<StreamId> = taken.iter().map(|(id, _)| *id).collect();
        let entries = self.entries(&ids, !just_id)?;
        let mut seen = self.groups.see(name, &mut group, consumer, now)?;
        for &id in &deleted {
            self.groups.remove_nack(&group, id);
        }
        for (id, nack) in &taken {
            let deliveries = nack.deliveries.saturating_add(i64::from(!just_id));
            let nack = Nack { consumer: seen.id, delivered_at: now, deliveries };
            self.groups.put_nack(&mut group, *id, nack);
        }
        if !taken.is_empty() {
            seen.active_at = Some(now);
            self.groups.put_consumer(&group, consumer, seen);
        }
        // A scan from the beginning has found where pending entries begin.
        self.groups.put_group(name, group);
        let claimed = ids.into_iter().zip(entries.into_iter().map(packed)).collect();
        Ok(Swept { next, claimed, deleted })
    }

    /// Notes all that [`Stream::claim`] will need.
    pub fn foresee_claim(&mut self, name: &Bytes, consumer: &Bytes, ids: &[StreamId], just_id: bool) {
        if self.source.is_some() && !self.groups.loaded.groups.contains_key(name) {
            let ids: BTreeSet<StreamId> = ids.iter().copied().collect();
            self.groups.note(GroupPart::Group { name: name.clone(), bounds: false });
            self.groups.note(consumer_part(name.clone(), consumer.clone()));
            self.groups.note(GroupPart::Pending(name.clone(), ids.clone()));
            self.groups.note(GroupPart::Entries { ids, fields: !just_id });
        }
    }

    /// Notes all that [`Stream::claim_idle`] will need first.
    pub fn foresee_claim_idle(&mut self, name: &Bytes, consumer: &Bytes, from: StreamId, count: i64) {
        if self.source.is_some() && !self.groups.loaded.groups.contains_key(name) {
            let limit = count.saturating_mul(ATTEMPTS).saturating_add(1);
            self.groups.note(GroupPart::Group { name: name.clone(), bounds: true });
            self.groups.note(consumer_part(name.clone(), consumer.clone()));
            self.groups.note(GroupPart::Scan { group: name.clone(), from, limit });
        }
    }

    /// The group's bound on what is pending may have moved down.
    fn keep_bound(&mut self, name: &Bytes, group: Group) -> Result<(), NotLoaded> {
        if self.group(name)?.is_some_and(|known| known.cursor != group.cursor) {
            self.groups.put_group(name, group);
        }
        Ok(())
    }
}

fn too_fresh(nack: &Nack, min_idle: i64, now: i64) -> bool {
    min_idle > 0 && now.saturating_sub(nack.delivered_at) < min_idle
}
