//! Counts calls, their time and their errors (INFO stats, commandstats, errorstats, latencystats). Hot path.

use std::sync::atomic::Ordering::Relaxed;

use super::observe::Call;
use crate::command::{self, Incoming};
use crate::state::{Process, Stats};

pub fn count(process: &Process, call: &Call<'_>) {
    if let Some(code) = call.reply.error_code() {
        Stats::add(&process.stats.error_replies, 1);
        process.commands.count_error(code);
    }
    match call.run() {
        Some(request) => {
            Stats::add(&process.stats.commands_processed, 1);
            process.commands.usage(request.command).count(call.time, call.reply.is_error());
        }
        None => {
            let refused = match call.incoming {
                Incoming::Known(request) => Some(request.command),
                // Known, but with a wrong number of words or an unknown sub-command.
                Incoming::Refused { argv, .. } => command::lookup(&argv[0]).map(|container| {
                    let sub = argv.get(1).and_then(|word| command::lookup_subcommand(container, word));
                    sub.unwrap_or(container)
                }),
            };
            if let Some(command) = refused {
                process.commands.usage(command).rejected.fetch_add(1, Relaxed);
            }
        }
    }
}
