//! The upstream as the side that answers.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::following::{Foreign, Leader};
use crate::command::copy::Dialect;
use crate::keyspace::DbIndex;
use crate::upstream::{Calls, Pipe};

/// Asks through the pipe that all clients use.
pub struct Upstream(pub Arc<Pipe>);

impl Leader for Upstream {
    fn ask(&self, calls: Calls) -> bool {
        let (pipe, asked) = (self.0.clone(), calls.clone());
        let mut call = Box::pin(async move {
            let Calls { db, protocol, ref calls, .. } = asked;
            pipe.call(db, protocol, calls.iter().map(Vec::as_slice), Some(asked.clone())).await.map(drop)
        });
        // At once: what clients send from now on stands behind it.
        match (&mut call).now_or_never() {
            Some(Ok(())) => {}
            Some(Err(_)) => return false,
            None => {
                let pipe = self.0.clone();
                tokio::spawn(async move {
                    if let Err(error) = call.await {
                        pipe.tap().inspect(|tap| tap.lost(calls, &error));
                    }
                });
            }
        }
        true
    }

    fn dialect(&self) -> Dialect {
        let version = self.0.greeting().map(|greeting| format!("redis_version:{}", greeting.version));
        version.and_then(|version| Dialect::from_info(version.as_bytes())).unwrap_or(Dialect::OLDEST)
    }

    fn db(&self) -> DbIndex {
        DbIndex(self.0.url().db)
    }

    fn keys_of(&self, argv: &[Bytes]) -> Foreign {
        let command = self.0.greeting().and_then(|greeting| greeting.command(argv.first()?));
        match command {
            Some(command) if command.only_reads() => Foreign::Reads,
            Some(command) if !command.movable_keys && !command.may_replicate => {
                Foreign::Keys(command.key_positions(argv.len()).iter().map(|at| argv[*at].clone()).collect())
            }
            _ => Foreign::Ask,
        }
    }
}
