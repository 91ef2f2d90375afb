//! Walking through a side's keys.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Speaker;
use crate::command::copy::CopyError;
use crate::resp::Reply;
use crate::upstream::{UpstreamError, away, info_field, words};

/// How the names begin under which large values are made before they take their keys' places.
pub const LEFT_OVER: &str = "respg:copy:";

/// A walk through one database. Each key that is there all the time is seen, some perhaps twice.
#[derive(Debug, Clone)]
pub struct Scan {
    cursor: Bytes,
    count: Bytes,
    pattern: Option<Bytes>,
    over: bool,
}

impl Scan {
    /// From a cursor on that [`Scan::cursor`] gave, else from the beginning.
    pub fn new(cursor: Option<&str>, count: u32, pattern: Option<&str>) -> Scan {
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Scan {
            cursor: text(cursor.unwrap_or("0")),
            count: Bytes::from(count.to_string()),
            pattern: pattern.map(text),
            over: false,
        }
    }

    /// Where the next step begins.
    pub fn cursor(&self) -> String {
        self.cursor.escape_ascii().to_string()
    }

    /// Some keys, perhaps none; `None` at the end.
    pub async fn next(
        &mut self,
        speaker: &mut impl Speaker,
    ) -> Result<Result<Option<Vec<Bytes>>, CopyError>, UpstreamError> {
        if self.over {
            return Ok(Ok(None));
        }
        let mut call = words(["SCAN"]);
        call.extend([self.cursor.clone(), Bytes::from_static(b"COUNT"), self.count.clone()]);
        if let Some(pattern) = &self.pattern {
            call.extend([Bytes::from_static(b"MATCH"), pattern.clone()]);
        }
        let reply = speaker.speak(vec![call]).await?.pop();
        Ok(self.take(reply))
    }

    fn take(&mut self, reply: Option<Reply>) -> Result<Option<Vec<Bytes>>, CopyError> {
        let parts = match reply {
            Some(Reply::Array(parts)) => parts,
            Some(Reply::Error(text)) => {
                return Err(CopyError::Refused(Bytes::copy_from_slice(text.as_bytes())));
            }
            _ => return Err(CopyError::Unexpected),
        };
        let [Reply::Bulk(cursor), Reply::Array(keys)] = parts.as_slice() else {
            return Err(CopyError::Unexpected);
        };
        self.cursor = cursor.clone();
        self.over = cursor == "0";
        let keys = keys.iter().filter_map(|key| match key {
            Reply::Bulk(key) if !key.starts_with(LEFT_OVER.as_bytes()) => Some(key.clone()),
            _ => None,
        });
        let mut keys: Vec<Bytes> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(Some(keys))
    }
}

/// The databases that are not empty, with the number of their keys, by INFO; `None` if that is not to be had. Who is loading tells by INFO of what it has
/// loaded so far, and says that it is loading only to commands on keys, as SCAN is. A replica says by INFO alone that it has not got its master's data yet.
pub async fn databases(speaker: &mut impl Speaker) -> Result<Option<BTreeMap<u32, u64>>, UpstreamError> {
    let calls =
        vec![words(["SCAN", "0", "COUNT", "1"]), words(["INFO", "replication"]), words(["INFO", "keyspace"])];
    let replies = speaker.speak(calls).await?;
    if let Some(why) = replies.iter().find_map(away).or_else(|| replies.get(1).and_then(not_yet_synced)) {
        return Err(UpstreamError::Away(why));
    }
    let Some(Reply::Bulk(text) | Reply::Verbatim(text)) = replies.last() else { return Ok(None) };
    let Ok(text) = std::str::from_utf8(text) else { return Ok(None) };
    let line = |line: &str| {
        let (db, counts) = line.trim().strip_prefix("db")?.split_once(':')?;
        let keys = counts.split(',').find_map(|count| count.strip_prefix("keys="))?;
        Some((db.parse().ok()?, keys.parse().ok()?))
    };
    Ok(Some(text.lines().filter_map(line).collect()))
}

fn not_yet_synced(replication: &Reply) -> Option<String> {
    let says = |field, value| info_field(replication, field).as_deref() == Some(value);
    let waits = says("master_sync_in_progress:", "1") || says("master_link_down_since_seconds:", "-1");
    waits.then(|| "it is a replica that has not got its master's data yet".to_owned())
}
