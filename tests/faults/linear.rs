//! A linearizability checker: is there an order of the operations, each between its invocation and its return,
//! in which the sequential model gives exactly the replies that were seen?
//!
//! Wing and Gong's search in Lowe's "just in time" form. Time is walked once; a *configuration* is a state of the
//! model and the set of operations under way that have already taken effect. When an operation returns, every
//! configuration is extended in all possible ways until that operation has taken effect; configurations that cannot
//! are dropped, and when none is left the history is impossible.
//!
//! An operation whose outcome is unknown never returns: it may take effect at any time after its invocation, or
//! never. The expiry of a value is an operation of nobody, which has happened as soon as the value is gone.
//!
//! Some rules keep the search small without changing its verdict. An operation that explains its reply, and by that
//! reply cannot have changed anything at any time, takes effect at once, for waiting could only hurt. Equal unknown operations take effect in the order of
//! their invocation; one that would change nothing does not take effect; and of two configurations which differ only
//! in the unknown operations used, one that used a subset makes the other superfluous. Operations on other keys wait. A string that is longer
//! than a reply says, while nothing under way can shorten it, is a dead end.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::history::{Operation, Outcome};
use super::model::State;

/// More configurations at one moment than this are an error of the test program: it must be less ambiguous.
const MOST_CONFIGURATIONS: usize = 500_000;

pub const TOO_AMBIGUOUS: &str = "too ambiguous to check";

#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration {
    state: State,
    /// Operations under way, by index, that have taken effect; sorted.
    done: Vec<usize>,
}

/// Checks the operations of one group of keys. Operations of one client are listed in the order it sent them; those
/// sent in one pipeline must take effect in that order (G4).
pub fn check(operations: &[Operation], initial: &State) -> Result<(), String> {
    let mut search = Search::new(operations, initial);
    for (_, event, at) in events(operations) {
        match event {
            Event::Invoked => search.pending.push(at),
            Event::Returned => search.take_effect(at)?,
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    // At equal times two operations count as concurrent, so invocations come first.
    Invoked,
    Returned,
}

fn events(operations: &[Operation]) -> Vec<(u64, Event, usize)> {
    let mut events = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        if operation.returned.is_none() && operation.program.only_reads() {
            continue;
        }
        events.push((operation.invoked, Event::Invoked, at));
        events.extend(operation.returned.map(|returned| (returned, Event::Returned, at)));
    }
    events.sort();
    events
}

struct Search<'a> {
    operations: &'a [Operation],
    /// What must have taken effect before an operation may: its client's previous one, or its older twin.
    after: Vec<Option<usize>>,
    pending: Vec<usize>,
    configurations: HashSet<Configuration>,
}

impl<'a> Search<'a> {
    fn new(operations: &'a [Operation], initial: &State) -> Self {
        let start = Configuration { state: initial.clone(), done: Vec::new() };
        Search {
            operations,
            after: predecessors(operations),
            pending: Vec::new(),
            configurations: HashSet::from([start]),
        }
    }

    /// Keeps the configurations in which `target`, which returns now, has taken effect.
    fn take_effect(&mut self, target: usize) -> Result<(), String> {
        let mut survivors = HashSet::new();
        let mut seen: HashSet<Configuration> = HashSet::new();
        let mut work: Vec<Configuration> = self.configurations.iter().cloned().collect();
        work.iter_mut().for_each(|configuration| self.settle(configuration));
        let relevant = self.relevant(target);
        let length = self.length_before(target, &relevant);
        while let Some(mut configuration) = work.pop() {
            if self.has_happened(&mut configuration, target) {
                survivors.insert(configuration);
                continue;
            }
            let is_longer =
                |(key, most)| configuration.state.get(key).is_some_and(|value| value.len() > most);
            if length.is_some_and(is_longer) {
                continue;
            }
            for &next in &relevant {
                if let Some(mut extended) = self.extend(&configuration, next) {
                    self.settle(&mut extended);
                    if !seen.contains(&extended) {
                        seen.insert(extended.clone());
                        work.push(extended);
                    }
                }
            }
            if seen.len() > MOST_CONFIGURATIONS {
                return Err(format!("{TOO_AMBIGUOUS}: {}", self.explain(target)));
            }
        }
        if survivors.is_empty() {
            return Err(self.explain(target));
        }
        self.pending.retain(|&pending| pending != target);
        self.configurations = self.without_superfluous(survivors);
        Ok(())
    }

    /// How long a string was before `target`, if its reply says so and these can only lengthen it.
    fn length_before(&self, target: usize, relevant: &[usize]) -> Option<(&str, usize)> {
        let Operation { program, outcome: Outcome::Replied(replies), .. } = &self.operations[target] else {
            return None;
        };
        let ([command], [reply]) = (&program.commands[..], &replies[..]) else { return None };
        let only_lengthens = |at: &usize| {
            let Operation { client, program, .. } = &self.operations[*at];
            client.is_some() && program.commands.iter().all(|command| command.only_lengthens())
        };
        relevant.iter().all(only_lengthens).then(|| command.length_before(reply)).flatten()
    }

    /// The operations under way that share keys with `target`, directly or through others. The rest can wait.
    fn relevant(&self, target: usize) -> Vec<usize> {
        let mut keys: HashSet<&str> = self.operations[target].keys().collect();
        let mut rest = self.pending.clone();
        let mut relevant = Vec::new();
        loop {
            let before = relevant.len();
            rest.retain(|&at| {
                let operation = &self.operations[at];
                let shares = at == target || operation.keys().any(|key| keys.contains(key));
                if shares {
                    keys.extend(operation.keys());
                    keys.extend(self.after[at].iter().flat_map(|&before| self.operations[before].keys()));
                    relevant.push(at);
                }
                !shares
            });
            if relevant.len() == before {
                return relevant;
            }
        }
    }

    /// Whether `target`, which is forgotten then, is in effect.
    fn has_happened(&self, configuration: &mut Configuration, target: usize) -> bool {
        if self.operations[target].client.is_none() {
            return self.changed(&configuration.state, target).is_none();
        }
        let position = configuration.done.binary_search(&target);
        if let Ok(position) = position {
            configuration.done.remove(position);
        }
        position.is_ok()
    }

    /// Lets everything take effect that can only have read.
    fn settle(&self, configuration: &mut Configuration) {
        let mut settled = false;
        while !settled {
            settled = true;
            for &next in &self.pending {
                let operation = &self.operations[next];
                if operation.only_read()
                    && let Some(position) = self.may_happen(configuration, next)
                    && operation.explains(&mut configuration.state.clone())
                {
                    configuration.done.insert(position, next);
                    settled = false;
                }
            }
        }
    }

    /// The configuration after `next`, if that can take effect. What nobody asked for or nobody saw must have changed
    /// something; a write that was answered need not, its answer says when it happened.
    fn extend(&self, configuration: &Configuration, next: usize) -> Option<Configuration> {
        let position = self.may_happen(configuration, next)?;
        let operation = &self.operations[next];
        let state = match operation.client.is_some() && operation.returned.is_some() {
            true => self.outcome(&configuration.state, next)?,
            false => self.changed(&configuration.state, next)?,
        };
        let mut done = configuration.done.clone();
        if self.operations[next].client.is_some() {
            done.insert(position, next);
        }
        Some(Configuration { state, done })
    }

    /// The place in `done` of an operation that has not taken effect yet and need not wait for another.
    fn may_happen(&self, configuration: &Configuration, next: usize) -> Option<usize> {
        let position = configuration.done.binary_search(&next).err()?;
        let waits = self.after[next].is_some_and(|before| {
            self.pending.contains(&before) && configuration.done.binary_search(&before).is_err()
        });
        (!waits).then_some(position)
    }

    /// The state after an operation, if it explains its replies.
    fn outcome(&self, before: &State, operation: usize) -> Option<State> {
        let mut state = before.clone();
        self.operations[operation].explains(&mut state).then_some(state)
    }

    /// The state after an operation, if it explains its replies and is another one.
    fn changed(&self, before: &State, operation: usize) -> Option<State> {
        self.outcome(before, operation).filter(|state| state != before)
    }

    fn without_superfluous(&self, configurations: HashSet<Configuration>) -> HashSet<Configuration> {
        if configurations.len() < 2 || self.pending.iter().all(|&at| self.operations[at].returned.is_some()) {
            return configurations;
        }
        let mut by_rest: HashMap<(State, Vec<usize>), Vec<Vec<usize>>> = HashMap::new();
        for Configuration { state, done } in configurations {
            let (known, unknown) = done.into_iter().partition(|&at| self.operations[at].returned.is_some());
            by_rest.entry((state, known)).or_default().push(unknown);
        }
        let mut kept = HashSet::new();
        for ((state, known), mut choices) in by_rest {
            choices.sort_by_key(Vec::len);
            let mut minimal: Vec<Vec<usize>> = Vec::new();
            for choice in choices {
                if !minimal.iter().any(|small| small.iter().all(|at| choice.binary_search(at).is_ok())) {
                    minimal.push(choice);
                }
            }
            for choice in minimal {
                let mut done = [known.as_slice(), choice.as_slice()].concat();
                done.sort_unstable();
                kept.insert(Configuration { state: state.clone(), done });
            }
        }
        kept
    }

    fn explain(&self, target: usize) -> String {
        let mut text = String::from("no order of the operations explains the reply marked ==>\n");
        let moment = self.operations[target].returned.unwrap_or(u64::MAX);
        let mut shown: Vec<usize> = (0..self.operations.len())
            .filter(|&at| self.operations[at].invoked <= moment)
            .filter(|&at| self.operations[at].returned.is_some() || self.pending.contains(&at))
            .collect();
        shown.sort_by_key(|&at| self.operations[at].returned.unwrap_or(u64::MAX).min(moment));
        let first =
            shown.iter().rposition(|at| !self.pending.contains(at)).map_or(0, |at| at.saturating_sub(6));
        for &at in &shown[first..] {
            let mark = if at == target { "==>" } else { "   " };
            let _ = writeln!(text, "{mark} {:?}", self.operations[at]);
        }
        for configuration in self.configurations.iter().take(6) {
            let done: Vec<_> = configuration.done.iter().map(|&at| &self.operations[at].program).collect();
            let _ = writeln!(text, "    possible before: {:?} with {done:?} in effect", configuration.state);
        }
        text
    }
}

fn predecessors(operations: &[Operation]) -> Vec<Option<usize>> {
    let mut last_of_client = HashMap::new();
    let mut last_twin = HashMap::new();
    let mut after = Vec::with_capacity(operations.len());
    for (at, operation) in operations.iter().enumerate() {
        after.push(match (&operation.outcome, operation.client) {
            (Outcome::Unknown, _) => last_twin.insert((&operation.program, &operation.watched), at),
            (_, Some(client)) => last_of_client.insert(client, at),
            (_, None) => None,
        });
    }
    after
}
