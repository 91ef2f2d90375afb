//! `respg.conf`: settings that suit this machine and respg's load. It is included from `postgresql.conf` and written
//! anew at every start, so the user's own settings belong into `postgresql.conf`, where they win.

use std::fs;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Appended to `postgresql.conf` once, when the cluster is made.
pub(super) const INCLUDE: &str = "
# respg's settings; what stands below this line wins over them.
include_if_exists = 'respg.conf'
";

pub(super) fn render(memory: Option<u64>) -> String {
    let memory = memory.unwrap_or(GIB);
    let shared_buffers = (memory / 4).clamp(32 * MIB, GIB) / MIB;
    let cache = (memory / 2).max(64 * MIB) / MIB;
    format!(
        "# Written by respg at every start: edit postgresql.conf instead.

# Only the private socket. Its directory is on the command line.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200

shared_buffers = {shared_buffers}MB
effective_cache_size = {cache}MB

# Many small writes: rare checkpoints mean fewer full-page images. wal_level stays at its default, so that
# pg_basebackup and replicas work, and so do fsync, full_page_writes and synchronous_commit.
max_wal_size = 4GB
checkpoint_timeout = 15min

# Locks are taken in key order, but a script may touch keys it did not declare: it is retried after a deadlock.
deadlock_timeout = 100ms

# Rows churn: vacuum often, in small portions. Tables of respg have their own thresholds.
autovacuum_naptime = 10s
autovacuum_vacuum_cost_limit = 2000

# Short statements over indexes.
random_page_cost = 1.1
jit = off

# One file per weekday, each overwritten after a week.
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_line_prefix = '%m [%p] '
"
    )
}

/// Bytes of memory this process may use: the machine's, or less in a container.
pub(super) fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo(&text));
    let container =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (machine, container) {
        (Some(machine), Some(container)) => Some(u64::min(machine, container)),
        (machine, container) => machine.or(container),
    }
}

fn meminfo(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(memory: Option<u64>) -> String {
        let text = render(memory);
        text.lines().find(|line| line.starts_with("shared_buffers")).unwrap().to_owned()
    }

    #[test]
    fn a_quarter_of_memory_within_limits() {
        assert_eq!(buffers(Some(2 * GIB)), "shared_buffers = 512MB");
        assert_eq!(buffers(Some(64 * GIB)), "shared_buffers = 1024MB");
        assert_eq!(buffers(Some(64 * MIB)), "shared_buffers = 32MB");
        assert_eq!(buffers(None), "shared_buffers = 256MB");
    }

    #[test]
    fn memory_of_the_machine() {
        assert_eq!(meminfo("MemTotal:       24689012 kB\nMemFree: 1 kB\n"), Some(24_689_012 * 1024));
        assert_eq!(meminfo("nothing"), None);
    }
}
