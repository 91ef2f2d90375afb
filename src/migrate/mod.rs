//! Moving data between a live Redis and us as commands of the program: `import`, `verify`, `export`. Everything that is done to keys is in `copy`;
//! this is who goes where in what order, and what people see of it.

mod base;
mod export;
mod follower;
mod import;
mod options;
mod patient;
mod pattern;
mod progress;
mod report;
mod side;
mod transfer;
mod verify;

use std::io::Write;
use std::process::ExitCode;

pub use options::{ExportOptions, ImportOptions, Task, VerifyOptions};

use crate::command::copy::CopyError;
use crate::config::Config;
use crate::server::StartError;
use crate::store::StoreError;
use crate::upstream::UpstreamError;

/// Why a task could not be finished: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot use the database: {}", .0.reason())]
    Database(#[from] StoreError),
    #[error(transparent)]
    Redis(#[from] UpstreamError),
    #[error("keys cannot be listed: {0}")]
    Copy(#[from] CopyError),
    #[error("{0}")]
    Other(String),
}

/// Says a line to whoever reads the result. Whoever closes the pipe has read enough.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// How a finished task ends: all is well, or there is something to look at.
const ATTENTION: u8 = 2;

impl Task {
    /// The options that it has in common with the server.
    pub fn config(&self) -> &Config {
        match self {
            Task::Import(options) => &options.config,
            Task::Verify(options) => &options.config,
            Task::Export(options) => &options.config,
        }
    }

    pub async fn run(self) -> Result<ExitCode, MigrateError> {
        let good = match self {
            Task::Import(options) => import::run(*options).await?,
            Task::Verify(options) => verify::run(*options).await?,
            Task::Export(options) => export::run(*options).await?,
        };
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(ATTENTION) })
    }
}
