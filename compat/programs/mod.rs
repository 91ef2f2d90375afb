//! Random programs: the same commands in the same order on redis-server and on the subject, every reply and the state
//! at the end compared. A program that tells them apart is shrunk and printed as a case file.
//!
//! `COMPAT_PROGRAMS=N` plays N programs instead of the suite's few hundred, `COMPAT_SEED=N` chooses them.

mod check;
mod generate;
mod grammar;
mod mutant;
mod normal;
mod play;
mod random;
mod shrink;
mod talk;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broken::proxy;
use crate::runner::servers::{Kind, Launcher, Server};
use check::Difference;
pub use check::Pair;
use generate::Generator;
use grammar::Grammar;
pub use grammar::{STREAMS, STRINGS, TALK};
use play::Program;

const PROGRAMS: u64 = 250;

/// What a search came to.
pub struct Outcome {
    pub programs: u64,
    pub commands: usize,
    pub found: Vec<Found>,
}

/// A program that tells the servers apart, as small as it could be made.
pub struct Found {
    pub number: u64,
    pub program: Program,
    pub difference: Difference,
}

/// What to play. Options are from the environment.
pub struct Search {
    pub grammar: &'static Grammar,
    pub programs: u64,
    pub seed: u64,
    /// Stops after so many finds. Two with the same command are one.
    pub enough: usize,
}

impl Search {
    pub fn from_environment(grammar: &'static Grammar) -> Result<Search, String> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number")),
            Err(_) => Ok(default),
        };
        // Who listens to whom takes longer to find out.
        let usual = if grammar.scripted { PROGRAMS / 2 } else { PROGRAMS };
        let (programs, seed) = (number("COMPAT_PROGRAMS", usual)?, number("COMPAT_SEED", 1)?);
        Ok(Search { grammar, programs, seed, enough: 5 })
    }

    /// Plays programs of the known commands, and shrinks those that make the two differ.
    pub fn run(&self, pair: Pair, known: &mut dyn FnMut(&str) -> bool) -> Result<Outcome, String> {
        let mut generator = Generator::new(self.grammar, self.seed, known)?;
        let mut outcome = Outcome { programs: 0, commands: 0, found: Vec::new() };
        let mut culprits = BTreeSet::new();
        for number in 0..self.programs {
            let program = generator.program(number);
            outcome.programs += 1;
            outcome.commands += program.steps.len();
            let difference = check::differs(&program, pair)?;
            if let Some(difference) = difference.filter(|difference| culprits.insert(difference.culprit())) {
                let differs = |program: &Program| check::differs(program, pair);
                let (program, difference) = shrink::shrink(program, difference, differs)?;
                outcome.found.push(Found { number, program, difference });
            }
            if outcome.found.len() >= self.enough {
                break;
            }
        }
        Ok(outcome)
    }
}

impl Found {
    /// The program as a case file, and what differs.
    pub fn report(&self, seed: u64) -> String {
        let Found { number, program, difference } = self;
        let case = program.as_case(&difference.turns);
        format!("# Random program {number} of COMPAT_SEED={seed}.\n{case}\n{difference}")
    }
}

/// Shows that the search finds what is broken: redis-servers behind proxies that change one command each. Returns one
/// line for each.
pub fn self_test(launcher: &Launcher) -> Result<Vec<Result<String, String>>, String> {
    let reference = launcher.start_reference(Kind::Redis, &[])?;
    let broken: Server = launcher.start_reference(Kind::Redis, &[])?;
    let mut lines = Vec::new();
    for mutant in mutant::MUTANTS {
        let address =
            proxy::start(mutant.fault, broken.address).map_err(|error| format!("proxy: {error}"))?;
        let patience = Duration::from_millis(200);
        let pair = Pair { reference: reference.address, subject: address, patience };
        let search = Search { grammar: mutant.grammar, programs: 400, seed: 7, enough: 1 };
        let outcome = search.run(pair, &mut |_| true)?;
        let (what, programs) = (mutant.what, outcome.programs);
        lines.push(match outcome.found.first() {
            None => Err(format!("a server that {what} was not told apart by {programs} programs")),
            Some(found) if found.program.steps.len() > 8 => {
                let report = found.report(search.seed);
                Err(format!("a server that {what} was found, but not shrunk enough:\n{report}"))
            }
            Some(found) => {
                let steps = found.program.steps.len();
                Ok(format!(
                    "a server that {what}: found after {programs} programs, shrunk to {steps} commands"
                ))
            }
        });
    }
    Ok(lines)
}
