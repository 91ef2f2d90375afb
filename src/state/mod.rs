//! What one respg process knows besides the data: its settings, its clients, its counters. Shared by all sessions; knows
//! nothing of sockets and of how commands are executed.

mod absent;
mod bystander;
mod clients;
mod commands;
mod first_rule;
mod histogram;
mod keyspace;
mod keyspace_events;
mod latency;
mod mode;
mod monitors;
mod outbox;
mod patterns;
mod pause;
mod pubsub;
mod queues;
mod routing;
mod rule;
mod settings;
mod shadow;
mod shared_settings;
mod slowlog;
mod stats;
mod stored_rule;
mod subscriptions;
mod switch;
mod switching;
pub mod system;
mod token;
mod upstream;
mod waiters;

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use tokio::sync::watch;

pub use clients::{Blockage, ClientHandle, ClientIds, ClientInfo, ClientType, Clients};
pub use commands::{CommandNumber, Commands, Usage};
pub use histogram::Histogram;
pub use keyspace::{DatabaseCount, Keyspace, KeyspaceCount};
pub use keyspace_events::{KeyEvent, KeyspaceEvents};
pub use latency::{Latency, Spike, Spikes};
pub use mode::Mode;
pub use monitors::Monitors;
pub use outbox::{Outbox, OutputLimit};
pub use patterns::Patterns;
pub use pause::{Pause, Paused};
pub use pubsub::PubSub;
pub use queues::tend_queues;
pub use routing::{Passage, Routing};
pub use rule::{Change, Rule, RuleError, Side};
pub use settings::{OutputLimits, PARAMETERS, Parameter, Settings};
pub use shadow::{Shadow, ShadowDifference, ShadowReport};
pub use shared_settings::{NOTIFY_KEYSPACE_EVENTS, SHADOW_READS, SettingsLock, SharedSettings};
pub use slowlog::{SlowCall, SlowLog};
pub use stats::Stats;
pub use subscriptions::Subscriptions;
pub use switch::SwitchError;
pub use switching::Switching;
pub use upstream::Upstream;
pub use waiters::{Place, Topic, Waiters, poll_forever};

use absent::Absent;

use crate::store::Store;
use crate::store::bus::Bus;

/// The process.
pub struct Process {
    pub settings: Settings,
    pub clients: Clients,
    pub stats: Stats,
    pub commands: Commands,
    pub monitors: Monitors,
    pub pause: Pause,
    pub slowlog: SlowLog,
    pub latency: Latency,
    pub keyspace: Keyspace,
    pub waiters: Arc<Waiters>,
    pub store: Arc<Store>,
    pub bus: Arc<Bus>,
    pub pubsub: PubSub,
    pub events: KeyspaceEvents,
    pub shared_settings: SharedSettings,
    /// The Redis that is moved from or to, if there is one.
    pub upstream: Option<Arc<Upstream>>,
    /// Who answers, if there is an upstream.
    pub routing: Routing,
    pub switching: Switching,
    absent: Absent,
    /// Who follows, if there is an upstream.
    pub shadow: OnceLock<Arc<dyn Shadow>>,
    /// 40 hexadecimal digits, new at every start (INFO's run_id).
    pub run_id: String,
    pub started: Instant,
    pub started_at: SystemTime,
    /// Set to true once: by SHUTDOWN, SIGINT or SIGTERM.
    pub shutdown: watch::Sender<bool>,
}

impl Process {
    pub fn new(settings: Settings, store: Arc<Store>, bus: Arc<Bus>) -> Process {
        let upstream = settings.config.upstream.clone().map(|url| Arc::new(Upstream::new(url)));
        let events = KeyspaceEvents::new(settings.notify_keyspace_events.clone(), bus.clone(), store.clone());
        Process {
            settings,
            clients: Clients::default(),
            stats: Stats::default(),
            commands: Commands::default(),
            monitors: Monitors::default(),
            pause: Pause::default(),
            slowlog: SlowLog::default(),
            latency: Latency::default(),
            keyspace: Keyspace::default(),
            waiters: Waiters::on(bus.clone()),
            store,
            events,
            shared_settings: SharedSettings::default(),
            upstream,
            routing: Routing::new(Rule::of(Mode::Postgres)),
            switching: Switching::default(),
            absent: Absent::default(),
            shadow: OnceLock::new(),
            bus,
            pubsub: PubSub::default(),
            run_id: random_hex(40),
            started: Instant::now(),
            started_at: SystemTime::now(),
            shutdown: watch::Sender::new(false),
        }
    }
}

/// `digits` random hexadecimal digits; not for secrets.
pub fn random_hex(digits: usize) -> String {
    use std::hash::{BuildHasher, RandomState};
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&format!("{:016x}", RandomState::new().hash_one(text.len())));
    }
    text.truncate(digits);
    text
}
