//! Who answers for which key: what all processes go by.

use super::{Mode, Patterns};

/// One of the two that hold the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Postgres,
    Upstream,
}

/// The mode; and in mode shadow the keys that are *moved*: for these it is as in mode reverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub mode: Mode,
    pub moved: Patterns,
}

/// What RESPG.MODE SET asks for.
#[derive(Debug, Clone)]
pub enum Change {
    /// Of all keys.
    Everything(Mode),
    /// From now on Postgres answers for keys like these.
    Move(Vec<bytes::Bytes>),
    /// No longer.
    GiveBack(Vec<bytes::Bytes>),
}

/// Why there is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("keys are moved by pattern in mode shadow only, and the mode is {}", .0.name())]
    NotShadow(Mode),
    #[error("no keys are moved by the pattern '{0}', see RESPG.MODE KEYS")]
    NoSuchPattern(String),
    #[error("too many patterns, at most {0}")]
    ManyPatterns(usize),
    #[error("a pattern is too long, at most {0} bytes")]
    LongPattern(usize),
}

/// Between a mode and its patterns. Functions of SQL look for the word (`respg.changed`).
const MOVED: &str = ",reverse=";

impl Rule {
    /// The same for all keys.
    pub fn of(mode: Mode) -> Rule {
        Rule { mode, moved: Patterns::default() }
    }

    /// Whether it is not the same for all keys.
    pub fn is_divided(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Who answers for a key. Hot path.
    pub fn answering(&self, key: &[u8]) -> Side {
        match self.mode.is_upstream() && !self.moved.has(key) {
            true => Side::Upstream,
            false => Side::Postgres,
        }
    }

    /// Whether this side follows the other, be it for some keys.
    pub fn is_followed_by(&self, side: Side) -> bool {
        match side {
            Side::Postgres => self.mode == Mode::Shadow,
            Side::Upstream => self.mode == Mode::Reverse || self.is_divided(),
        }
    }

    /// Whether this side answers or follows.
    pub fn concerns(&self, side: Side) -> bool {
        self.is_followed_by(side) || self.is_divided() || self.mode.is_upstream() == (side == Side::Upstream)
    }

    /// Whether by the rule `to` keys are answered for by another side than now.
    pub fn changes_sides(&self, to: &Rule) -> bool {
        [Side::Postgres, Side::Upstream].into_iter().any(|side| self.hands_over(to, side))
    }

    /// Whether by the rule `to` this side answers for keys for which the other does now.
    pub fn hands_over(&self, to: &Rule, side: Side) -> bool {
        match (self.mode.is_upstream(), to.mode.is_upstream(), side) {
            (true, true, Side::Postgres) => !to.moved.is_subset(&self.moved),
            (true, true, Side::Upstream) => !self.moved.is_subset(&to.moved),
            (from, to, side) => from != to && to == (side == Side::Upstream),
        }
    }

    /// The sides that are about to answer for what they have followed.
    pub fn taken_over(&self, to: &Rule) -> impl Iterator<Item = Side> {
        let takes_over = |side: &Side| self.is_followed_by(*side) && self.hands_over(to, *side);
        [Side::Postgres, Side::Upstream].into_iter().filter(takes_over)
    }

    /// The rule after a change.
    pub fn after(&self, change: &Change) -> Result<Rule, RuleError> {
        let moved = match change {
            Change::Everything(mode) => return Ok(Rule::of(*mode)),
            _ if self.mode != Mode::Shadow => return Err(RuleError::NotShadow(self.mode)),
            Change::Move(patterns) => self.moved.with(patterns)?,
            Change::GiveBack(patterns) => self.moved.without(patterns)?,
        };
        Ok(Rule { mode: self.mode, moved })
    }

    /// As it stands in the database; without `>` and `:`.
    pub fn text(&self) -> String {
        match self.is_divided() {
            true => format!("{}{MOVED}{}", self.mode.name(), self.moved.text()),
            false => self.mode.name().to_owned(),
        }
    }

    pub fn parse(text: &str) -> Option<Rule> {
        let mode = |name: &str| Mode::from_name(name.as_bytes());
        match text.split_once(MOVED) {
            None => mode(text).map(Rule::of),
            Some((name, moved)) => Some(Rule { mode: mode(name)?, moved: Patterns::parse(moved)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn divided(patterns: &[&'static str]) -> Rule {
        let words = patterns.iter().map(|word| Bytes::from_static(word.as_bytes())).collect();
        Rule::of(Mode::Shadow).after(&Change::Move(words)).unwrap()
    }

    #[test]
    fn as_text() {
        for rule in Mode::ALL.map(Rule::of).into_iter().chain([divided(&["a:*"]), divided(&["x>y", ""])]) {
            let text = rule.text();
            assert_eq!(Rule::parse(&text), Some(rule));
            assert!(!text.contains(['>', ':']), "{text}");
        }
        assert_eq!(Rule::parse("nonsense"), None);
    }

    #[test]
    fn who_answers() {
        for mode in Mode::ALL {
            let expected = if mode.is_upstream() { Side::Upstream } else { Side::Postgres };
            assert_eq!(Rule::of(mode).answering(b"k"), expected);
        }
        let rule = divided(&["a:*"]);
        assert_eq!((rule.answering(b"a:1"), rule.answering(b"b")), (Side::Postgres, Side::Upstream));
        assert!(rule.is_followed_by(Side::Postgres) && rule.is_followed_by(Side::Upstream));
        let concerned = |mode| [Side::Postgres, Side::Upstream].map(|side| Rule::of(mode).concerns(side));
        let modes = [Mode::Postgres, Mode::Redis, Mode::Shadow, Mode::Reverse];
        assert_eq!(modes.map(concerned), [[true, false], [false, true], [true, true], [true, true]]);
    }

    #[test]
    fn who_has_to_have_caught_up() {
        let (shadow, reverse) = (Rule::of(Mode::Shadow), Rule::of(Mode::Reverse));
        let (a, both) = (divided(&["a"]), divided(&["a", "b"]));
        for (from, to, postgres, upstream) in [
            (&shadow, &a, true, false),
            (&a, &both, true, false),
            (&both, &a, false, true),
            (&a, &divided(&["b"]), true, true),
            (&a, &shadow, false, true),
            (&a, &reverse, true, false),
            (&reverse, &shadow, false, true),
            (&reverse, &Rule::of(Mode::Postgres), false, false),
            (&a, &Rule::of(Mode::Redis), false, true),
            (&shadow, &Rule::of(Mode::Redis), false, false),
        ] {
            let handed = (from.hands_over(to, Side::Postgres), from.hands_over(to, Side::Upstream));
            assert_eq!(handed, (postgres, upstream), "{from:?} to {to:?}");
        }
    }

    #[test]
    fn changes_that_there_are_not() {
        let words = || vec![Bytes::from_static(b"a")];
        let refused = |rule: &Rule, change| rule.after(&change).unwrap_err();
        let reverse = Rule::of(Mode::Reverse);
        assert_eq!(refused(&reverse, Change::Move(words())), RuleError::NotShadow(Mode::Reverse));
        let unknown = RuleError::NoSuchPattern("a".to_owned());
        assert_eq!(refused(&Rule::of(Mode::Shadow), Change::GiveBack(words())), unknown);
        assert_eq!(divided(&["a"]).after(&Change::GiveBack(words())), Ok(Rule::of(Mode::Shadow)));
        assert_eq!(divided(&["a"]).after(&Change::Everything(Mode::Reverse)), Ok(reverse));
    }
}
