//! INFO's sections about the process and its data. Fields that clients and monitors read; what respg has no equivalent of has the value
//! of a Redis that does not use it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Facts;
use crate::state::system;
use crate::store::bus::Kind as Subscribed;

/// Appends `name:value` lines.
macro_rules! fields {
    ($out:expr, $($name:ident: $value:expr),* $(,)?) => {
        $($out.push_str(&format!(concat!(stringify!($name), ":{}\r\n"), $value));)*
    };
}

pub(super) use fields;

pub fn server(facts: &Facts, out: &mut String) {
    let process = &facts.process;
    let uptime = process.started.elapsed().as_secs();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    fields!(
        out,
        redis_version: process.settings.config.redis_version,
        redis_git_sha1: "00000000",
        redis_git_dirty: 0,
        redis_build_id: "0",
        redis_mode: "standalone",
        os: system::os(),
        arch_bits: usize::BITS,
        monotonic_clock: "POSIX clock_gettime",
        multiplexing_api: "epoll",
        atomicvar_api: "c11-builtin",
        gcc_version: "0.0.0",
        process_id: std::process::id(),
        process_supervised: "no",
        run_id: process.run_id,
        tcp_port: process.settings.config.port,
        server_time_usec: since_1970.as_micros(),
        uptime_in_seconds: uptime,
        uptime_in_days: uptime / 86400,
        hz: 10,
        configured_hz: 10,
        lru_clock: since_1970.as_secs() & 0xff_ffff,
        executable: executable,
        config_file: "",
        io_threads_active: 0,
    );
}

pub fn clients(facts: &Facts, out: &mut String) {
    let process = &facts.process;
    fields!(
        out,
        connected_clients: process.clients.len(),
        cluster_connections: 0,
        maxclients: process.settings.maxclients.load(Relaxed),
        client_recent_max_input_buffer: 0,
        client_recent_max_output_buffer: 0,
        blocked_clients: process.clients.blocked(),
        tracking_clients: 0,
        clients_in_timeout_table: 0,
    );
}

pub fn memory(_: &Facts, out: &mut String) {
    let memory = system::memory();
    let total = system::total_memory();
    let peak = memory.peak.max(memory.resident);
    let percent = if peak == 0 { 0.0 } else { memory.resident as f64 * 100.0 / peak as f64 };
    fields!(
        out,
        used_memory: memory.resident,
        used_memory_human: human(memory.resident),
        used_memory_rss: memory.resident,
        used_memory_rss_human: human(memory.resident),
        used_memory_peak: peak,
        used_memory_peak_human: human(peak),
        used_memory_peak_perc: format!("{percent:.2}%"),
        used_memory_overhead: memory.resident,
        used_memory_startup: 0,
        used_memory_dataset: 0,
        used_memory_dataset_perc: "0.00%",
        total_system_memory: total,
        total_system_memory_human: human(total),
        used_memory_lua: 0,
        used_memory_lua_human: human(0),
        used_memory_scripts: 0,
        used_memory_scripts_human: human(0),
        number_of_cached_scripts: 0,
        number_of_functions: 0,
        number_of_libraries: 0,
        maxmemory: 0,
        maxmemory_human: human(0),
        maxmemory_policy: "noeviction",
        mem_fragmentation_ratio: "1.00",
        mem_fragmentation_bytes: 0,
        mem_not_counted_for_evict: 0,
        mem_replication_backlog: 0,
        mem_clients_slaves: 0,
        mem_clients_normal: 0,
        mem_aof_buffer: 0,
        mem_allocator: "libc",
        active_defrag_running: 0,
        lazyfree_pending_objects: 0,
        lazyfreed_objects: 0,
    );
}

/// What is acknowledged is in Postgres: there is nothing to save, and an append-only file is the nearest equivalent.
pub fn persistence(facts: &Facts, out: &mut String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    fields!(
        out,
        loading: i32::from(!facts.process.keyspace.is_reachable()),
        async_loading: 0,
        rdb_changes_since_last_save: 0,
        rdb_bgsave_in_progress: 0,
        rdb_last_save_time: now,
        rdb_last_bgsave_status: "ok",
        rdb_last_bgsave_time_sec: -1,
        rdb_current_bgsave_time_sec: -1,
        rdb_saves: 0,
        rdb_last_cow_size: 0,
        aof_enabled: 1,
        aof_rewrite_in_progress: 0,
        aof_rewrite_scheduled: 0,
        aof_last_rewrite_time_sec: -1,
        aof_current_rewrite_time_sec: -1,
        aof_last_bgrewrite_status: "ok",
        aof_last_write_status: "ok",
        aof_last_cow_size: 0,
        module_fork_in_progress: 0,
        module_fork_last_cow_size: 0,
    );
}

pub fn stats(facts: &Facts, out: &mut String) {
    let (stats, lookups) = (&facts.process.stats, &facts.process.store.lookups);
    let read = |counter: &AtomicU64| counter.load(Relaxed);
    let (commands, input, output) =
        (read(&stats.commands_processed), read(&stats.input_bytes), read(&stats.output_bytes));
    fields!(
        out,
        total_connections_received: read(&stats.connections_received),
        total_commands_processed: commands,
        instantaneous_ops_per_sec: stats.commands_rate.per_second(commands).round(),
        total_net_input_bytes: input,
        total_net_output_bytes: output,
        total_net_repl_input_bytes: 0,
        total_net_repl_output_bytes: 0,
        instantaneous_input_kbps: format!("{:.2}", stats.input_rate.per_second(input) / 1024.0),
        instantaneous_output_kbps: format!("{:.2}", stats.output_rate.per_second(output) / 1024.0),
        instantaneous_input_repl_kbps: "0.00",
        instantaneous_output_repl_kbps: "0.00",
        rejected_connections: read(&stats.connections_rejected),
        sync_full: 0,
        sync_partial_ok: 0,
        sync_partial_err: 0,
        expired_keys: read(&stats.expired_keys),
        expired_stale_perc: "0.00",
        expired_time_cap_reached_count: 0,
        evicted_keys: 0,
        evicted_clients: 0,
        keyspace_hits: read(&lookups.hits),
        keyspace_misses: read(&lookups.misses),
        pubsub_channels: facts.process.pubsub.names(Subscribed::Channel).len(),
        pubsub_patterns: facts.process.pubsub.names(Subscribed::Pattern).len(),
        pubsubshard_channels: facts.process.pubsub.names(Subscribed::Shard).len(),
        latest_fork_usec: 0,
        total_forks: 0,
        migrate_cached_sockets: 0,
        slave_expires_tracked_keys: 0,
        tracking_total_keys: 0,
        tracking_total_items: 0,
        tracking_total_prefixes: 0,
        unexpected_error_replies: 0,
        total_error_replies: read(&stats.error_replies),
    );
}

pub fn replication(facts: &Facts, out: &mut String) {
    fields!(
        out,
        role: "master",
        connected_slaves: 0,
        master_failover_state: "no-failover",
        master_replid: facts.process.run_id,
        master_replid2: "0".repeat(40),
        master_repl_offset: 0,
        second_repl_offset: -1,
        repl_backlog_active: 0,
        repl_backlog_size: 1_048_576,
        repl_backlog_first_byte_offset: 0,
        repl_backlog_histlen: 0,
    );
}

pub fn cpu(_: &Facts, out: &mut String) {
    let cpu = system::cpu();
    let seconds = |seconds: f64| format!("{seconds:.6}");
    fields!(
        out,
        used_cpu_sys: seconds(cpu.system),
        used_cpu_user: seconds(cpu.user),
        used_cpu_sys_children: seconds(cpu.children_system),
        used_cpu_user_children: seconds(cpu.children_user),
    );
}

pub fn keyspace(facts: &Facts, out: &mut String) {
    for count in facts.keyspace.iter().flat_map(|keyspace| &keyspace.databases) {
        out.push_str(&format!(
            "db{}:keys={},expires={},avg_ttl={}\r\n",
            count.db, count.keys, count.expires, count.average_ttl
        ));
    }
}

/// Bytes as Redis writes them for people.
fn human(bytes: u64) -> String {
    let value = bytes as f64;
    let units = [(1u64 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", value / unit as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_for_people() {
        let shown = [0, 1023, 1024, 1_683_008, 25_276_510_208].map(human);
        assert_eq!(shown, ["0B", "1023B", "1.00K", "1.61M", "23.54G"]);
    }
}
