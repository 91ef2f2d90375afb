//! Processors that do not sleep while clients are busy (`--cpu-dma-latency`).
//!
//! A request travels from the client to respg, on to Postgres and back, and each of them waits for the next one: where waking a processor takes long, as in
//! many virtual machines, that is most of the time of a lone client.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::state::Process;

/// Where a program says how long waking a processor may take, for as long as it keeps the file open (Linux, Documentation/power/pm_qos_interface.rst).
pub const DEVICE: &str = "/dev/cpu_dma_latency";

/// Between two counts of the commands.
const LOOK: Duration = Duration::from_millis(100);

/// So many commands between two looks are worth it.
const BUSY: u64 = 100;

/// More than any processor takes, so nothing is asked for.
const ANY: i32 = i32::MAX;

/// How long waking a processor may take while clients are busy.
pub struct Awake {
    device: File,
    microseconds: i32,
}

impl Awake {
    /// Fails if this process may not write to [`DEVICE`], which is root's by default, or if there is none.
    pub fn new(microseconds: i32) -> io::Result<Awake> {
        let device = OpenOptions::new().write(true).open(DEVICE)?;
        let awake = Awake { device, microseconds };
        awake.ask(ANY)?;
        Ok(awake)
    }

    /// Asks for it while clients are busy.
    pub async fn run(self, process: Arc<Process>) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut asked) = (0, ANY);
        loop {
            looks.tick().await;
            let commands = process.stats.commands_processed.load(Relaxed);
            // CONFIG RESETSTAT sets it to 0.
            let busy = commands.saturating_sub(seen) >= BUSY;
            seen = commands;
            let wanted = if busy { self.microseconds } else { ANY };
            if wanted != asked {
                asked = wanted;
                if let Err(error) = self.ask(wanted) {
                    tracing::warn!("{DEVICE}: {error}");
                }
            }
        }
    }

    fn ask(&self, microseconds: i32) -> io::Result<()> {
        (&self.device).write_all(&microseconds.to_ne_bytes())
    }
}
