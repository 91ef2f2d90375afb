//! The rule as it stands in the database: `postgres`, or while it changes `postgres>redis:TOKEN`.

use bytes::Bytes;

use super::switch::CHANGED;
use super::{Mode, Process, Rule};
use crate::store::StoreError;
use crate::store::statements::server::{BEGIN_MODE, CHANGE_MODE};

const SETTING: &str = "shadow-mode";

/// What stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    Settled(Rule),
    Changing { from: Rule, to: Rule, token: String },
}

impl Stored {
    fn parse(text: &str) -> Option<Stored> {
        match text.split_once('>') {
            None => Rule::parse(text).map(Stored::Settled),
            Some((from, rest)) => {
                let (to, token) = rest.split_once(':')?;
                let (from, to) = (Rule::parse(from)?, Rule::parse(to)?);
                Some(Stored::Changing { from, to, token: token.to_owned() })
            }
        }
    }

    /// The rule that holds as long as nothing else is decided.
    pub fn settled(&self) -> &Rule {
        match self {
            Stored::Settled(rule) | Stored::Changing { from: rule, .. } => rule,
        }
    }

    fn text(&self) -> String {
        match self {
            Stored::Settled(rule) => rule.text(),
            Stored::Changing { from, to, token } => format!("{}>{}:{token}", from.text(), to.text()),
        }
    }
}

impl Process {
    pub(super) async fn stored_rule(&self) -> Result<Option<Stored>, StoreError> {
        Ok(self.store.setting(SETTING).await?.and_then(|text| Stored::parse(&text)))
    }

    /// The rule of all processes, as the database has it.
    pub async fn common_rule(&self) -> Result<Rule, StoreError> {
        let stored = self.stored_rule().await?;
        Ok(stored.map_or(Rule::of(Mode::Postgres), |stored| stored.settled().clone()))
    }

    pub(super) async fn begin_rule(&self, rule: &Rule) -> Result<(), StoreError> {
        self.store.change(&BEGIN_MODE, &[&SETTING, &rule.text()]).await.map(drop)
    }

    /// False if it is no longer what it was.
    pub(super) async fn change(&self, from: &Stored, to: &Stored) -> Result<bool, StoreError> {
        let changed = self.store.change(&CHANGE_MODE, &[&SETTING, &from.text(), &to.text()]).await?;
        self.bus.signal(Bytes::from_static(CHANGED));
        Ok(!changed.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Change;

    #[test]
    fn stored_rules() {
        let shadow = Rule::of(Mode::Shadow);
        let moved = shadow.after(&Change::Move(vec![Bytes::from_static(b"a:>*")])).unwrap();
        let changing = Stored::Changing { from: shadow.clone(), to: moved.clone(), token: "a1".to_owned() };
        for stored in [Stored::Settled(shadow), Stored::Settled(moved), changing] {
            assert_eq!(Stored::parse(&stored.text()), Some(stored));
        }
        assert_eq!(Stored::parse("nonsense"), None);
    }
}
