//! Wrappers around [`Executor`]: what concerns all commands and none in particular. They see requests before and replies after,
//! and know nothing of how commands are executed.

mod gate;
mod log;
mod monitor;
mod observe;
mod stats;

use std::sync::Arc;

use crate::exec::Executor;
use crate::state::Process;

/// The executor that connections use; the first layer to see a request stands outermost.
pub fn around(inner: impl Executor + 'static, process: &Arc<Process>) -> Arc<dyn Executor> {
    let observed = observe::Observe::new(inner, process.clone());
    Arc::new(gate::Gate::new(observed, process.clone()))
}
