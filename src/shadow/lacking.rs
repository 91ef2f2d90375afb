//! Whether there are keys on the upstream that Postgres cannot answer for.

use std::collections::BTreeSet;

use super::keeper::Keeper;
use super::runs;
use crate::copy::{Redis, Scan, Speaker, databases};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::state::{Patterns, Process};
use crate::upstream::{UpstreamError, Url, words};

const STEP: u32 = 1000;

const DATABASE: &str = "database ";

/// What a database that respg does not have is called among types that it does not have.
pub fn name_of(db: DbIndex) -> String {
    format!("{DATABASE}{}", db.0)
}

pub fn database_of(name: &str) -> Option<u32> {
    name.strip_prefix(DATABASE)?.parse().ok()
}

/// Why keys of these types and in these databases would be lost.
pub fn lost<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (databases, types): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| database_of(name).is_some());
    let of_types = (!types.is_empty()).then(|| {
        let types = types.join(", ");
        format!("the upstream has keys of types that respg does not have and that would be lost ({types}; RESPG.SHADOW REPORT)")
    });
    let databases: BTreeSet<u32> = databases.into_iter().filter_map(database_of).collect();
    let in_databases = databases.last().map(|last| {
        let all: Vec<String> = databases.iter().map(u32::to_string).collect();
        let (all, wanted) = (all.join(", "), u64::from(*last) + 1);
        format!("the upstream has keys in databases that respg does not have and that would be lost ({all}; --databases {wanted})")
    });
    let all: Vec<String> = of_types.into_iter().chain(in_databases).collect();
    (!all.is_empty()).then(|| all.join("; "))
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

/// The types among these of keys like these, and the databases with such keys that we do not have.
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
            let mut meant = keys.into_iter().filter(|key| patterns.has(key)).peekable();
            if db >= most {
                found.extend(meant.peek().map(|_| name_of(DbIndex(db))));
                continue;
            }
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
