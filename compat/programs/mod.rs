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
    /// The smallest program found and its difference.
    pub found: Option<(Program, Difference)>,
}

/// The options, from the environment.
pub struct Search {
    pub programs: u64,
    pub seed: u64,
}

impl Search {
    pub fn from_environment() -> Result<Search, String> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number")),
            Err(_) => Ok(default),
        };
        Ok(Search { programs: number("COMPAT_PROGRAMS", PROGRAMS)?, seed: number("COMPAT_SEED", 1)? })
    }

    /// Plays programs of the known commands until one makes the two differ, and shrinks that.
    pub fn run(
        &self,
        reference: SocketAddr,
        subject: SocketAddr,
        known: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Outcome, String> {
        let mut generator = Generator::new(self.seed, known);
        let mut commands = 0;
        for number in 0..self.programs {
            let program = generator.program(number);
            commands += program.steps.len();
            if let Some(difference) = check::differs(&program, reference, subject)? {
                let found = shrink::shrink(program, difference, |program| {
                    check::differs(program, reference, subject)
                })?;
                return Ok(Outcome { programs: number + 1, commands, found: Some(found) });
            }
        }
        Ok(Outcome { programs: self.programs, commands, found: None })
    }
}

/// The case file for a program that was found.
pub fn report(seed: u64, outcome: &Outcome) -> Option<String> {
    let (program, difference) = outcome.found.as_ref()?;
    let heading =
        format!("# Found by a random program: COMPAT_SEED={seed}, after {} programs.", outcome.programs);
    Some(format!("{heading}\n{}\n{difference}", program.as_case()))
}

/// Shows that the search finds what is broken: redis-servers behind proxies that change one command each. Returns one
/// line for each.
pub fn self_test(launcher: &Launcher) -> Result<Vec<Result<String, String>>, String> {
    let reference = launcher.start_reference(Kind::Redis, &[])?;
    let broken: Server = launcher.start_reference(Kind::Redis, &[])?;
    let mut lines = Vec::new();
    for mutant in mutant::MUTANTS {
        let address = mutant.start(broken.address).map_err(|error| format!("proxy: {error}"))?;
        let search = Search { programs: 400, seed: 7 };
        let outcome = search.run(reference.address, address, &mut |_| true)?;
        lines.push(match &outcome.found {
            None => Err(format!(
                "a server that {} was not told apart by {} programs",
                mutant.what, outcome.programs
            )),
            Some((program, difference)) if program.steps.len() > 8 => {
                let text = format!("{}\n{difference}", program.as_case());
                Err(format!("a server that {} was found, but not shrunk enough:\n{text}", mutant.what))
            }
            Some((program, _)) => {
                let (steps, programs) = (program.steps.len(), outcome.programs);
                Ok(format!(
                    "a server that {}: found after {programs} programs, shrunk to {steps} commands",
                    mutant.what
                ))
            }
        });
    }
    Ok(lines)
}
