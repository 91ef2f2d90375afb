//! Warnings whose cause comes with every key.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The shortest time between two of them.
const PERIOD: Duration = Duration::from_secs(10);

/// Says when it is time to warn again.
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    pub const fn new() -> Seldom {
        Seldom(Mutex::new(None))
    }

    pub fn is_due(&self) -> bool {
        let mut last = self.0.lock().expect("no panic while held");
        let is_due = last.is_none_or(|last| last.elapsed() >= PERIOD);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// `tracing::warn!`, when it is time to at this place.
macro_rules! warn_seldom {
    ($($what:tt)*) => {{
        static SAID: $crate::shadow::seldom::Seldom = $crate::shadow::seldom::Seldom::new();
        if SAID.is_due() {
            tracing::warn!($($what)*);
        }
    }};
}
pub(in crate::shadow) use warn_seldom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_many_is_due() {
        let said = Seldom::new();
        assert_eq!((0..100).filter(|_| said.is_due()).count(), 1);
    }
}
