//! Who answers when a process begins, and who follows.

use std::sync::Arc;

use super::StartError;
use crate::config::Config;
use crate::postgres;
use crate::shadow::{Bounds, Keeper, Options};
use crate::state::{Mode, Process, Rule};
use crate::store::StoreError;

/// Decides who answers, and has somebody follow if need be.
pub async fn begin_mode(process: &Arc<Process>) -> Result<Option<Arc<Keeper>>, StartError> {
    let config = &process.settings.config;
    let mut keeper = None;
    if let Some(upstream) = &process.upstream {
        let options = options(config);
        let options = options.map_err(|why| StartError::new("no place for --shadow-dir", why))?;
        keeper = Some(Keeper::new(process, &upstream.pipe, options));
    }
    // Before it is remembered as the mode.
    needs_upstream(process, config.mode)?;
    let unusable = |error: StoreError| StartError::new("cannot use the database", error.reason());
    let rule = process.first_rule().await.map_err(unusable)?;
    let rule = rule.map_err(|why| StartError::new("cannot begin in this mode", why))?;
    let mode = rule.mode;
    needs_upstream(process, Some(mode))?;
    let rule = Arc::new(rule);
    process.routing.release(rule.clone());
    if process.upstream.is_some() {
        // Until it is known to others that this process is there.
        process.routing.hold();
    }
    let begun = process.change_followers(&Rule::of(Mode::Postgres), &rule).await;
    begun.map_err(|why| StartError::new(format!("cannot follow in mode {}", mode.name()), why))?;
    Ok(keeper)
}

fn needs_upstream(process: &Process, mode: Option<Mode>) -> Result<(), StartError> {
    match mode.filter(|mode| *mode != Mode::Postgres && process.upstream.is_none()) {
        Some(mode) => {
            let remedy = "name it (--upstream redis://host:port)";
            Err(StartError::new(format!("mode {} needs another server", mode.name()), remedy))
        }
        None => Ok(()),
    }
}

/// What the follower of a process with these settings may use.
fn options(config: &Config) -> Result<Options, String> {
    let own = || format!("shadow-{}", config.port);
    let folder = match (&config.shadow_dir, config.data_dir.as_ref().and_then(|data| data.parent())) {
        (Some(folder), _) => folder.clone(),
        (None, Some(beside)) => beside.join(own()),
        (None, None) => {
            let data = postgres::default_directory().map_err(|error| error.to_string())?;
            data.with_file_name(own())
        }
    };
    let bounds = Bounds { memory: config.shadow_memory << 20, disk: config.shadow_spool << 20 };
    Ok(Options { folder, bounds })
}
