//! The table of parameters: what CONFIG GET shows and what CONFIG SET may change.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::{Settings, parse};
use crate::keyspace::Classes;

/// One parameter.
pub struct Parameter {
    pub name: &'static str,
    /// The old name of the same thing.
    pub alias: Option<&'static str>,
    pub get: fn(&Settings) -> Bytes,
    set: Set,
    /// Whether its value is a secret.
    pub secret: bool,
}

/// What is to be done once all parameters of a CONFIG SET are known to be good.
pub type Change = Box<dyn FnOnce(&Settings) + Send + Sync>;

enum Set {
    /// Checks a new value.
    To(fn(&Settings, &[u8]) -> Result<Change, String>),
    /// Only the value it has; others are refused after `check` has found them sensible.
    Same(fn(&[u8]) -> Result<(), String>),
    Never,
}

impl Parameter {
    /// Checks a new value; the error is the end of Redis's sentence.
    pub fn set(&self, settings: &Settings, value: &[u8]) -> Result<Change, String> {
        match self.set {
            Set::To(parse) => parse(settings, value),
            Set::Never => Err("can't set immutable config".to_owned()),
            Set::Same(check) => {
                check(value)?;
                let current = (self.get)(settings);
                match value.eq_ignore_ascii_case(&current) {
                    true => Ok(Box::new(|_| ())),
                    false => Err(format!("respg supports only '{}'", current.escape_ascii())),
                }
            }
        }
    }
}

const fn fixed(name: &'static str, get: fn(&Settings) -> Bytes) -> Parameter {
    Parameter { name, alias: None, get, set: Set::Never, secret: false }
}

const fn same(
    name: &'static str,
    get: fn(&Settings) -> Bytes,
    check: fn(&[u8]) -> Result<(), String>,
) -> Parameter {
    Parameter { name, alias: None, get, set: Set::Same(check), secret: false }
}

const fn free(
    name: &'static str,
    get: fn(&Settings) -> Bytes,
    set: fn(&Settings, &[u8]) -> Result<Change, String>,
) -> Parameter {
    Parameter { name, alias: None, get, set: Set::To(set), secret: false }
}

fn text(value: impl ToString) -> Bytes {
    value.to_string().into()
}

fn flag(value: bool) -> Bytes {
    Bytes::from_static(if value { b"yes" } else { b"no" })
}

fn anything(_: &[u8]) -> Result<(), String> {
    Ok(())
}

fn a_flag(value: &[u8]) -> Result<(), String> {
    parse::yes_or_no(value).map(drop)
}

const MOST_INT: i64 = i32::MAX as i64;

/// All parameters, by name.
pub static PARAMETERS: &[Parameter] = &[
    same("appendfsync", |_| text("always"), |value| parse::one_of(value, &["everysec", "always", "no"])),
    same("appendonly", |_| flag(true), a_flag),
    fixed("bind", |s| text(s.config.bind.join(" "))),
    free(
        "client-output-buffer-limit",
        |s| text(s.output_limits()),
        |s, value| {
            let limits = s.output_limits().changed(value)?;
            Ok(Box::new(move |s| *s.output_limits.write().expect("no panic while held") = limits))
        },
    ),
    fixed("client-query-buffer-limit", |_| text(1 << 30)),
    fixed("cluster-enabled", |_| flag(false)),
    fixed("daemonize", |_| flag(false)),
    fixed("databases", |s| text(s.config.databases)),
    fixed("enable-debug-command", |_| flag(false)),
    fixed("enable-module-command", |_| flag(false)),
    fixed("enable-protected-configs", |_| flag(false)),
    free(
        "latency-monitor-threshold",
        |s| text(s.latency_monitor_threshold.load(Relaxed)),
        |_, value| {
            let millis = parse::integer(value, 0, i64::MAX)? as u64;
            Ok(Box::new(move |s| s.latency_monitor_threshold.store(millis, Relaxed)))
        },
    ),
    same("latency-tracking", |_| flag(true), a_flag),
    same("latency-tracking-info-percentiles", |_| text("50 99 99.9"), anything),
    free(
        "maxclients",
        |s| text(s.maxclients.load(Relaxed)),
        |_, value| {
            let most = parse::integer(value, 1, i64::from(u32::MAX))? as u64;
            Ok(Box::new(move |s| s.maxclients.store(most, Relaxed)))
        },
    ),
    same("maxmemory", |_| text(0), |value| parse::memory(value, 0, i64::MAX).map(drop)),
    same("maxmemory-clients", |_| text(0), anything),
    same(
        "maxmemory-policy",
        |_| text("noeviction"),
        |value| {
            let policies = [
                "volatile-lru",
                "volatile-lfu",
                "volatile-random",
                "volatile-ttl",
                "allkeys-lru",
                "allkeys-lfu",
                "allkeys-random",
                "noeviction",
            ];
            parse::one_of(value, &policies)
        },
    ),
    free(
        "notify-keyspace-events",
        |s| text(s.notify_keyspace_events()),
        |_, value| {
            let complaint = || "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned();
            let classes = Classes::parse(value).ok_or_else(complaint)?;
            Ok(Box::new(move |s| s.set_notify_keyspace_events(classes)))
        },
    ),
    same("port", |s| text(s.config.port), |value| parse::integer(value, 0, 65535).map(drop)),
    free(
        "protected-mode",
        |s| flag(s.protected_mode.load(Relaxed)),
        |_, value| {
            let on = parse::yes_or_no(value)?;
            Ok(Box::new(move |s| s.protected_mode.store(on, Relaxed)))
        },
    ),
    free(
        "proto-max-bulk-len",
        |s| text(s.proto_max_bulk_len.load(Relaxed)),
        |_, value| {
            let bytes = parse::memory(value, 1024 * 1024, i64::MAX)? as u64;
            Ok(Box::new(move |s| s.proto_max_bulk_len.store(bytes, Relaxed)))
        },
    ),
    Parameter { alias: Some("slave-read-only"), ..same("replica-read-only", |_| flag(true), a_flag) },
    Parameter { alias: Some("slaveof"), ..fixed("replicaof", |_| Bytes::new()) },
    Parameter {
        secret: true,
        ..free("requirepass", Settings::password, |_, value| {
            let password = Bytes::copy_from_slice(value);
            Ok(Box::new(move |s| *s.requirepass.write().expect("no panic while held") = password))
        })
    },
    same(
        "save",
        |_| Bytes::new(),
        |value| {
            let numbers = value.split(|byte| *byte == b' ').map(|word| parse::integer(word, 0, MOST_INT));
            match value.is_empty() || numbers.clone().all(|number| number.is_ok()) && numbers.count() % 2 == 0
            {
                true => Ok(()),
                false => Err("Invalid save parameters".to_owned()),
            }
        },
    ),
    fixed("server_cpulist", |s| s.config.server_cpulist.as_ref().map_or_else(Bytes::new, text)),
    free(
        "slowlog-log-slower-than",
        |s| text(s.slowlog_log_slower_than.load(Relaxed)),
        |_, value| {
            let micros = parse::integer(value, -1, i64::MAX)?;
            Ok(Box::new(move |s| s.slowlog_log_slower_than.store(micros, Relaxed)))
        },
    ),
    free(
        "slowlog-max-len",
        |s| text(s.slowlog_max_len.load(Relaxed)),
        |_, value| {
            let most = parse::integer(value, 0, i64::MAX)? as u64;
            Ok(Box::new(move |s| s.slowlog_max_len.store(most, Relaxed)))
        },
    ),
    fixed("supervised", |_| flag(false)),
    free(
        "tcp-keepalive",
        |s| text(s.tcp_keepalive.load(Relaxed)),
        |_, value| {
            let seconds = parse::integer(value, 0, MOST_INT)? as u64;
            Ok(Box::new(move |s| s.tcp_keepalive.store(seconds, Relaxed)))
        },
    ),
    free(
        "timeout",
        |s| text(s.timeout.load(Relaxed)),
        |_, value| {
            let seconds = parse::integer(value, 0, MOST_INT)? as u64;
            Ok(Box::new(move |s| s.timeout.store(seconds, Relaxed)))
        },
    ),
    fixed("tls-port", |_| text(0)),
    fixed("unixsocket", |s| {
        text(s.config.unixsocket.as_ref().map_or(String::new(), |path| path.display().to_string()))
    }),
    fixed("unixsocketperm", |s| text(s.config.unixsocketperm.as_deref().unwrap_or("0"))),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn set(settings: &Settings, name: &str, value: &str) -> Result<String, String> {
        let parameter = PARAMETERS.iter().find(|parameter| parameter.name == name).unwrap();
        parameter.set(settings, value.as_bytes())?(settings);
        Ok(String::from_utf8((parameter.get)(settings).to_vec()).unwrap())
    }

    #[test]
    fn sorted_by_name() {
        assert!(PARAMETERS.is_sorted_by_key(|parameter| parameter.name));
    }

    #[test]
    fn values() {
        let settings = Settings::new(Config::defaults());
        for (name, value, outcome) in [
            ("timeout", "5", Ok("5")),
            ("timeout", "-1", Err("argument must be between 0 and 2147483647 inclusive")),
            ("proto-max-bulk-len", "2mb", Ok("2097152")),
            ("protected-mode", "NO", Ok("no")),
            ("databases", "16", Err("can't set immutable config")),
            ("maxmemory-policy", "noeviction", Ok("noeviction")),
            ("maxmemory-policy", "allkeys-lru", Err("respg supports only 'noeviction'")),
            ("save", "", Ok("")),
            ("save", "60 1000", Err("respg supports only ''")),
            ("save", "60", Err("Invalid save parameters")),
            ("notify-keyspace-events", "KEg", Ok("gKE")),
            ("notify-keyspace-events", "y", Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")),
        ] {
            let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(set(&settings, name, value), outcome, "{name} {value}");
        }
    }
}
