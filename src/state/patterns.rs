//! Glob patterns of keys, as RESPG.MODE is given them.

use std::collections::BTreeSet;

use super::rule::RuleError;
use crate::keyspace::glob::{Case, matches};

/// Every key of every request is compared with all of them.
const MOST: usize = 64;
const LONGEST: usize = 256;

/// Keys by their names, in all databases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(BTreeSet<Vec<u8>>);

impl Patterns {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Whether a key is meant. Hot path.
    pub fn has(&self, key: &[u8]) -> bool {
        // A lone star means the empty key too.
        self.0.iter().any(|pattern| pattern == b"*" || matches(pattern, key, Case::Sensitive))
    }

    pub fn is_subset(&self, other: &Patterns) -> bool {
        self.0.is_subset(&other.0)
    }

    /// With these, too.
    pub(super) fn with(&self, more: &[impl AsRef<[u8]>]) -> Result<Patterns, RuleError> {
        let mut all = self.0.clone();
        all.extend(more.iter().map(|pattern| pattern.as_ref().to_vec()));
        if all.iter().any(|pattern| pattern.len() > LONGEST) {
            return Err(RuleError::LongPattern(LONGEST));
        }
        match all.len() {
            0..=MOST => Ok(Patterns(all)),
            _ => Err(RuleError::ManyPatterns(MOST)),
        }
    }

    /// Without these, each of which has to be there.
    pub(super) fn without(&self, less: &[impl AsRef<[u8]>]) -> Result<Patterns, RuleError> {
        let mut left = self.0.clone();
        for pattern in less.iter().map(AsRef::as_ref) {
            if !self.0.contains(pattern) {
                return Err(RuleError::NoSuchPattern(pattern.escape_ascii().to_string()));
            }
            left.remove(pattern);
        }
        Ok(Patterns(left))
    }

    /// Of letters, digits and `%,` alone.
    pub(super) fn text(&self) -> String {
        let word = |byte: &u8| match byte.is_ascii_alphanumeric() {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02x}"),
        };
        let words: Vec<String> = self.0.iter().map(|pattern| pattern.iter().map(word).collect()).collect();
        words.join(",")
    }

    pub(super) fn parse(text: &str) -> Option<Patterns> {
        text.split(',').map(|word| pattern(word.as_bytes())).collect::<Option<_>>().map(Patterns)
    }
}

fn pattern(mut word: &[u8]) -> Option<Vec<u8>> {
    let mut pattern = Vec::with_capacity(word.len());
    while let [first, rest @ ..] = word {
        word = match (first, rest) {
            (b'%', [_, _, after @ ..]) => {
                let digits = std::str::from_utf8(&rest[..2]).ok()?;
                pattern.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            (b'%', _) => return None,
            _ => {
                pattern.push(*first);
                rest
            }
        };
    }
    Some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_they_mean() {
        let none = Patterns::default();
        let some = none.with(&["session:*", "h?llo"]).unwrap();
        assert!(!none.has(b"k") && !none.has(b""));
        assert!(some.has(b"session:1") && some.has(b"hello") && !some.has(b"other") && !some.has(b""));
        assert!(some.with(&["*"]).unwrap().has(b""));
        assert!(some.without(&["h?llo"]).unwrap().has(b"session:"));
        assert!(some.without(&["session:1"]).is_err());
        assert!(none.is_subset(&some) && !some.is_subset(&none));
    }

    #[test]
    fn not_too_many() {
        let many: Vec<String> = (0..=MOST).map(|i| i.to_string()).collect();
        assert!(Patterns::default().with(&many).is_err());
        let most = Patterns::default().with(&many[1..]).unwrap();
        assert!(most.with(&["1"]).is_ok() && most.with(&["x"]).is_err());
        assert!(Patterns::default().with(&["x".repeat(LONGEST + 1)]).is_err());
    }

    #[test]
    fn as_text() {
        let all: Vec<u8> = (0..=255).collect();
        let patterns = Patterns::default().with(&[&all[..], b"", b"a,b>c:d%20*"]).unwrap();
        let text = patterns.text();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%,".contains(&byte)), "{text}");
        assert_eq!(Patterns::parse(&text), Some(patterns));
        assert_eq!(Patterns::parse("%2"), None);
        assert_eq!(Patterns::parse("%zz"), None);
    }
}
