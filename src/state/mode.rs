//! Who answers for the data, and who follows.

use clap::ValueEnum;

/// The four ways to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Postgres, alone.
    Postgres,
    /// The upstream, alone: respg passes everything on.
    Redis,
    /// The upstream; Postgres follows and is compared.
    Shadow,
    /// Postgres; the upstream follows, so that there is a way back.
    Reverse,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Postgres, Mode::Redis, Mode::Shadow, Mode::Reverse];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Postgres => "postgres",
            Mode::Redis => "redis",
            Mode::Shadow => "shadow",
            Mode::Reverse => "reverse",
        }
    }

    pub fn from_name(name: &[u8]) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| name.eq_ignore_ascii_case(mode.name().as_bytes()))
    }

    /// Whether the other side follows.
    pub fn is_followed(self) -> bool {
        matches!(self, Mode::Shadow | Mode::Reverse)
    }

    /// Whether the upstream answers.
    pub fn is_upstream(self) -> bool {
        matches!(self, Mode::Redis | Mode::Shadow)
    }
}
