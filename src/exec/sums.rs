//! A batch of nothing but increments: one sum per key out, one result per key back, a reply for each increment. Hot path.

use super::batch::Replies;
use super::work::Item;
use super::working_set::WorkingSet;
use crate::keyspace::number::parse_i64;
use crate::resp::Reply;
use crate::store::{Row, StoreError};

/// What a batch adds to each of its keys.
pub struct Sums {
    /// By place in the working set.
    pub totals: Vec<i64>,
}

impl Sums {
    pub fn of(set: &WorkingSet, works: &[&[Item]]) -> Sums {
        let mut totals = vec![0; set.keys.len()];
        for (increment, place) in increments(works).zip(set.places()) {
            totals[*place as usize] += increment;
        }
        Sums { totals }
    }

    /// The replies of all works, from the rows of the statement ADD.
    pub fn replies(self, set: &WorkingSet, works: &[&[Item]], rows: &[Row]) -> Result<Replies, StoreError> {
        // Where each key stood before: what it is now without all that this batch added.
        let mut counters = self.totals;
        for row in rows {
            let (position, result) = (set.position(row.get(0), row.get(1)), parse_i64(row.get(2)));
            // It is committed; whatever came back instead of a sum, the client must not think otherwise.
            let (position, result) = position.zip(result).ok_or(StoreError::Unknown)?;
            let counter = &mut counters[position as usize];
            *counter = result - *counter;
        }
        let mut replies = increments(works).zip(set.places()).map(|(increment, place)| {
            let counter = &mut counters[*place as usize];
            *counter += increment;
            Reply::Integer(*counter)
        });
        Ok(works.iter().map(|items| Some(replies.by_ref().take(items.len()).collect())).collect())
    }
}

/// What each item adds, in order.
fn increments(works: &[&[Item]]) -> impl Iterator<Item = i64> {
    works.iter().copied().flatten().flat_map(Item::ops).map(|op| op.increment)
}
