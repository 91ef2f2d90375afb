//! client-output-buffer-limit: how much may wait for a client that does not read.

use std::fmt;
use std::time::Duration;

use super::parse;
use crate::state::OutputLimit;

/// The limit of each class of clients. What is pushed to clients (MONITOR, channels) is under the class `pubsub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

const MIB: u64 = 1024 * 1024;

impl Default for OutputLimits {
    fn default() -> OutputLimits {
        let limit = |hard, soft, seconds| OutputLimit { hard, soft, soft_time: Duration::from_secs(seconds) };
        OutputLimits {
            normal: limit(0, 0, 0),
            replica: limit(256 * MIB, 64 * MIB, 60),
            pubsub: limit(32 * MIB, 8 * MIB, 60),
        }
    }
}

impl OutputLimits {
    /// These limits with those changed that `text` names: `class hard soft seconds`, once or several times.
    pub fn changed(mut self, text: &[u8]) -> Result<OutputLimits, String> {
        let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
        }
        for words in words.chunks_exact(4) {
            let class = match words[0].to_ascii_lowercase().as_slice() {
                b"normal" => &mut self.normal,
                b"replica" | b"slave" => &mut self.replica,
                b"pubsub" => &mut self.pubsub,
                _ => return Err("Invalid client class specified in buffer limit configuration.".to_owned()),
            };
            let number = |text: &[u8]| parse::memory(text, 0, i64::MAX).map(|number| number as u64);
            let seconds = parse::integer(words[3], 0, i64::from(i32::MAX)).map(|seconds| seconds as u64);
            let (Ok(hard), Ok(soft), Ok(seconds)) = (number(words[1]), number(words[2]), seconds) else {
                return Err(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned()
                );
            };
            *class = OutputLimit { hard, soft, soft_time: Duration::from_secs(seconds) };
        }
        Ok(self)
    }

    /// For the command line.
    pub fn from_option(text: &str) -> Result<OutputLimits, String> {
        OutputLimits::default().changed(text.as_bytes())
    }
}

impl fmt::Display for OutputLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = [("normal", self.normal), (" slave", self.replica), (" pubsub", self.pubsub)];
        classes.iter().try_for_each(|(name, limit)| {
            write!(f, "{name} {} {} {}", limit.hard, limit.soft, limit.soft_time.as_secs())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_classes() {
        let limits = OutputLimits::default();
        assert_eq!(limits.to_string(), "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
        let changed = limits.changed(b"replica 1 2 3  normal 1mb 1k 0").unwrap();
        assert_eq!(changed.to_string(), "normal 1048576 1000 0 slave 1 2 3 pubsub 33554432 8388608 60");
        for (text, error) in [
            ("foo", "Wrong number"),
            ("normal 1 2", "Wrong number"),
            ("foo 1 2 3", "Invalid client class"),
            ("normal 1 2 x", "Error in hard, soft"),
        ] {
            assert!(limits.changed(text.as_bytes()).unwrap_err().starts_with(error), "{text}");
        }
    }
}
