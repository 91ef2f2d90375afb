//! What this process tells of shadow mode, whoever does the following.

/// Who can be asked.
pub trait ShadowReport: Send + Sync {
    /// Names and numbers, as INFO and RESPG.SHADOW STATUS show them.
    fn status(&self) -> Vec<(&'static str, i64)>;

    /// Differences so far, the most frequent first.
    fn differences(&self) -> Vec<ShadowDifference>;

    /// Commands that respg does not have, and how often they were passed on.
    fn foreign_commands(&self) -> Vec<(String, u64)>;

    /// Types that respg does not have, and how often a key of it was met.
    fn unsupported_types(&self) -> Vec<(String, u64)>;

    /// Forgets the differences so far.
    fn forget_differences(&self);
}

/// Differences of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowDifference {
    pub class: String,
    /// What had been executed, or why keys were compared.
    pub command: String,
    /// The keys' common form.
    pub pattern: String,
    pub count: u64,
    /// Seconds since the epoch.
    pub first_seen: i64,
    pub last_seen: i64,
    /// Without keys and values.
    pub samples: Vec<String>,
}
