//! Random programs: the same commands in the same order on redis-server and on the subject, every reply and the state
//! at the end compared. A program that tells them apart is shrunk and printed as a case file.
//!
//! `COMPAT_PROGRAMS=N` plays N programs instead of the suite's few hundred, `COMPAT_SEED=N` chooses them.

mod check;
mod generate;
mod grammar;
mod mutant;
mod play;
mod random;
mod shrink;
mod words;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::runner::servers::{Kind, Launcher, Server};
use check::Difference;
use generate::Generator;
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

/// The options, from the environment.
pub struct Search {
    pub programs: u64,
    pub seed: u64,
    /// Stops after so many finds. Two with the same command are one.
    pub enough: usize,
}

impl Search {
    pub fn from_environment() -> Result<Search, String> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number")),
            Err(_) => Ok(default),
        };
        let (programs, seed) = (number("COMPAT_PROGRAMS", PROGRAMS)?, number("COMPAT_SEED", 1)?);
        Ok(Search { programs, seed, enough: 5 })
    }

    /// Plays programs of the known commands, and shrinks those that make the two differ.
    pub fn run(
        &self,
        reference: SocketAddr,
        subject: SocketAddr,
        known: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Outcome, String> {
        let mut generator = Generator::new(self.seed, known)?;
        let mut outcome = Outcome { programs: 0, commands: 0, found: Vec::new() };
        let mut culprits = BTreeSet::new();
        for number in 0..self.programs {
            let program = generator.program(number);
            outcome.programs += 1;
            outcome.commands += program.steps.len();
            let difference = check::differs(&program, reference, subject)?;
            if let Some(difference) = difference.filter(|difference| culprits.insert(difference.culprit())) {
                let differs = |program: &Program| check::differs(program, reference, subject);
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
        format!("# Random program {number} of COMPAT_SEED={seed}.\n{}\n{difference}", program.as_case())
    }
}

/// Shows that the search finds what is broken: redis-servers behind proxies that change one command each. Returns one
/// line for each.
pub fn self_test(launcher: &Launcher) -> Result<Vec<Result<String, String>>, String> {
    let reference = launcher.start_reference(Kind::Redis, &[])?;
    let broken: Server = launcher.start_reference(Kind::Redis, &[])?;
    let mut lines = Vec::new();
    for mutant in mutant::MUTANTS {
        let address = mutant.start(broken.address).map_err(|error| format!("proxy: {error}"))?;
        let search = Search { programs: 400, seed: 7, enough: 1 };
        let outcome = search.run(reference.address, address, &mut |_| true)?;
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
