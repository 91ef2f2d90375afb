//! What both client programs share: the servers under test, assertions, and the count of passed and failed checks.

use std::fmt::Debug;
use std::panic::Location;

pub const PASSWORD: &str = "secret";

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Outcome = Result<(), Failure>;

/// The arguments `DB SERVER LOCKED_SERVER`.
#[derive(Clone)]
pub struct Servers {
    pub db: u8,
    pub open: (String, u16),
    pub locked: (String, u16),
}

impl Servers {
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let address = |text: &str| {
            let (host, port) = text.rsplit_once(':').expect("HOST:PORT");
            (host.to_owned(), port.parse().expect("a port"))
        };
        let [db, open, locked] = &arguments[..] else { panic!("usage: DB SERVER LOCKED_SERVER") };
        Self { db: db.parse().expect("a number"), open: address(open), locked: address(locked) }
    }
}

/// Fails unless both are equal.
#[track_caller]
pub fn eq<A: Debug + PartialEq<B>, B: Debug>(got: A, want: B) -> Outcome {
    that(got == want, || format!("got {got:.300?}, want {want:.300?}"))
}

/// Fails unless the result is an error whose text contains this.
#[track_caller]
pub fn fails<T: Debug, E: ToString + Debug>(result: Result<T, E>, text: &str) -> Outcome {
    let holds = result.as_ref().is_err_and(|error| error.to_string().contains(text));
    that(holds, || format!("got {result:.300?}, want an error with {text:?}"))
}

/// Fails unless it holds.
#[track_caller]
pub fn that(holds: bool, problem: impl FnOnce() -> String) -> Outcome {
    let place = Location::caller();
    if holds { Ok(()) } else { Err(format!("{} (line {})", problem(), place.line()).into()) }
}

/// The field of a line such as CLIENT INFO's.
pub fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    pub fn count(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {name}");
            }
            Err(failure) => {
                self.failed += 1;
                println!("FAIL  {name}: {failure}");
            }
        }
    }

    /// Prints the summary and ends the process.
    pub fn finish(self) -> ! {
        println!("{} passed, {} failed", self.passed, self.failed);
        std::process::exit(i32::from(self.failed > 0))
    }
}
