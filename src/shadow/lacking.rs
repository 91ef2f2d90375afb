//! Whether there are keys on the upstream that Postgres cannot answer for.

use std::collections::BTreeSet;

use super::keeper::Keeper;
use super::runs;
use crate::copy::{Redis, Scan, Speaker, databases, words};
use crate::resp::Reply;
use crate::state::{Patterns, Process};
use crate::upstream::{UpstreamError, Url};

const STEP: u32 = 1000;

/// Why these keys would be lost.
pub fn lost<'a>(types: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let types: Vec<&str> = types.into_iter().collect();
    (!types.is_empty()).then(|| {
        let types = types.join(", ");
        format!("the upstream has keys of types that respg does not have and that would be lost ({types}; RESPG.SHADOW REPORT)")
    })
}

impl Keeper {
    /// Whether some are among these keys. Looks for types that were met, so if none was at no key.
    pub(super) async fn lacks(&self, process: &Process, patterns: &Patterns) -> Result<(), String> {
        let mut met: BTreeSet<String> = self.report.unsupported_types().into_keys().collect();
        let others = runs::unsupported_types(&process.store).await;
        met.extend(others.map_err(|error| error.reason().to_owned())?);
        if met.is_empty() {
            return Ok(());
        }
        let most = process.settings.config.databases;
        let found = found(self.pipe.url(), most, patterns, &met).await.map_err(|error| error.to_string())?;
        lost(found.iter().map(String::as_str)).map_or(Ok(()), Err)
    }
}

/// The types among these of keys like these.
async fn found(
    url: &Url,
    most: u32,
    patterns: &Patterns,
    types: &BTreeSet<String>,
) -> Result<BTreeSet<String>, UpstreamError> {
    let mut redis = Redis::open(url).await?;
    let sizes = databases(&mut redis).await?;
    let dbs: Vec<u32> = sizes.map_or_else(|| (0..most).collect(), |sizes| sizes.into_keys().collect());
    let mut found = BTreeSet::new();
    // Several would be several walks.
    let only = patterns.iter().next().filter(|_| patterns.len() == 1);
    let only = only.and_then(|pattern| std::str::from_utf8(pattern).ok());
    for db in dbs {
        redis.select(db).await?;
        let mut scan = Scan::new(None, STEP, only);
        loop {
            let keys = match scan.next(&mut redis).await? {
                Ok(Some(keys)) => keys,
                Ok(None) => break,
                Err(error) => return Err(UpstreamError::Lost(error.to_string())),
            };
            let meant = keys.into_iter().filter(|key| patterns.has(key));
            let calls = meant.map(|key| words(["TYPE"]).into_iter().chain([key]).collect());
            for reply in redis.speak(calls.collect()).await? {
                if let Reply::Status(kind) | Reply::Bulk(kind) = reply {
                    found.extend(types.get(&kind.escape_ascii().to_string()).cloned());
                }
            }
        }
    }
    Ok(found)
}
