//! INFO's section about respg itself.

use super::Facts;
use super::sections::fields;

/// What is to be told of shadow mode.
pub fn shadow(facts: &Facts, out: &mut String) {
    let Some(shadow) = facts.process.shadow.get() else { return };
    for (name, value) in shadow.status() {
        out.push_str(&format!("shadow_{name}:{value}\r\n"));
    }
}

/// How respg itself is doing.
pub fn respg(facts: &Facts, out: &mut String) {
    let process = &facts.process;
    let config = &process.settings.config;
    let pool = process.store.pool.state();
    let databases = process.store.databases.current();
    let link = process.bus.link().borrow().clone();
    let version = facts.keyspace.as_ref().map_or("", |keyspace| keyspace.postgres_version.as_str());
    fields!(
        out,
        respg_version: env!("CARGO_PKG_VERSION"),
        respg_threads: config.threads(),
        respg_lanes_per_thread: config.lanes,
        respg_pool_size: config.pool_size,
        respg_pool_connections: pool.connections,
        respg_pool_idle_connections: pool.idle_connections,
        respg_databases_version: databases.version,
        respg_process: process.bus.process,
        respg_listen_state: if link.up { "up" } else { "down" },
        respg_listen_reconnects: link.epoch.saturating_sub(1),
        respg_listen_channels: process.bus.listening(),
        respg_notification_queue_usage: format!("{:.6}", process.bus.queue_usage()),
        postgres_version: version,
        postgres_state: if process.keyspace.is_reachable() { "up" } else { "down" },
    );
}
