//! Compares respg with redis-server and valkey-server, byte for byte.
//!
//! `cargo test --test compat` runs everything; `cargo test --test compat -- string/set incr` runs the cases whose
//! name contains one of the words. Each case is played on every server in the matrix {plain, pipelined, multi,
//! block} x {RESP2, RESP3}, on a clean keyspace and fresh connections, and every reply is compared.
//!
//! # Case files
//!
//! `compat/cases/<group>/<name>.case`, one command per line, quoted as for redis-cli:
//!
//! ```text
//! # SET with options that exclude each other.
//! SET k v NX XX
//! SET "binary \x00\r\n key" 'taken as it is'
//! EXPIREAT k ${now+100}          # ${now}, ${ms}: the client's clock in seconds, milliseconds (no comments
//! SETRANGE k 0 "${x*100000}"     # after commands, these are for you); ${TEXT*COUNT}: repetition
//! ~near=2 TTL k
//! @other SET k w
//! ```
//!
//! In front of a command, in any order (several ways of comparing must all hold):
//!
//! | mark | meaning |
//! |---|---|
//! | `@name` | on another connection, opened at its first use |
//! | `~redis`, `~valkey` | only this reference is the oracle (Valkey for what came with 7.2); without: both must agree |
//! | `~int` | any integer |
//! | `~near=N` | numbers no further apart than N |
//! | `~near[2,5]=N` | equal but for numbers at these places of any list (counted from 0), which are no further apart than N |
//! | `~sorted` | the same elements in any order |
//! | `~re=/REGEX/` | both match |
//! | `~shape`, `~type` | the same tree of reply types; the same outermost type |
//! | `~keys` | maps with the same keys |
//! | `~error` | errors with the same first word |
//! | `~dump` | equal but for the version and checksum that end a DUMP payload |
//! | `~cursor` | any cursor, with the same elements in any order |
//! | `~scan` | repeated until the cursor is 0 again, then the set of all elements is compared |
//! | `~any` | not compared |
//! | `~took=A..B` | it comes A to B milliseconds after the connection last sent something |
//! | `$name=` | keep the reply's text; `${name}` in later lines stands for it |
//! | `=N` | the command has N replies (SUBSCRIBE of N channels) |
//! | `&` | send, and do not wait for a reply |
//! | `&blocked` | send, and wait until the client is blocked |
//!
//! Instead of a command: `> "bytes"` sends raw bytes; `<` reads a reply or a message, `< N` reads N (`~sorted < N` in any
//! order), `< closed` expects the end of the connection, `< nothing MS` expects silence; `%blocked` waits until the client
//! is blocked, `%open`, `%close`, `%gone` closes and waits until the server has noticed (all with `@name`); `%sleep MS`;
//! `%pipeline` ... `%end` around lines that are sent at once.
//!
//! At the top of a file: `%oracle redis|valkey` for all lines; `%needs COMMAND...` waits until the subject has the
//! commands, and of those it has `"COMMAND ARGS"` in quotes must be done without an error; `%spread` also plays the case (plain) with its
//! connections going by turns to two processes of the subject; `%not MODE...: REASON` and `%only MODE...: REASON` restrict the matrix (`plain`, `pipelined`, `multi`
//! (which includes `block`), `block`, `resp2`, `resp3`); `%config NAME VALUE` for a parameter during the case;
//! `%server --flag value` for servers of the case's own;
//! `%patience SECONDS` to wait longer for replies.
//!
//! # Several connections
//!
//! The file is the schedule: each line happens after the one before has had its answer. Order among clients is made
//! certain, never by sleeping:
//!
//! ```text
//! @a =2 SUBSCRIBE one two
//! @b PUBLISH one x
//! @a <                              # what a gets; as a push in RESP3
//! @b &blocked XREAD BLOCK 0 STREAMS s $
//! @c &blocked XREAD BLOCK 0 STREAMS s $
//! @a XADD s 1-1 f v                 # (in RESP3, or another connection)
//! @b <
//! @c <
//! ```
//!
//! "Blocked" is flag `b` in CLIENT LIST: a server must show it only when nothing that is written from now on can pass the
//! client by. That nothing came is shown by what comes next: publish a mark the subscriber does get, and read that.
//! At the end of a case with `&blocked`, `%blocked` or `%gone` these clients are known to be gone before the next one starts.
//! `broken/` shows that each of these expectations fails on a server that breaks it.
//!
//! `known_differences.toml` lists what differs on purpose; an entry that stops differing fails the run.
//!
//! # Beyond cases
//!
//! `broken/` tests the tests (the filter `expectations`), `programs/` plays random programs (the filter `programs`), `commands/` compares what the subject
//! says about its commands (COMMAND) with the references, demands a case for each, and makes the README's table of
//! commands (`UPDATE=1` rewrites it). Both are left out when cases are filtered.
//!
//! # Environment
//!
//! `COMPAT_SUBJECT=host:port` compares a server that is running already (`host:port,host:port` two processes over one
//! database); `COMPAT_SUBJECT=redis` or `valkey` checks
//! the cases themselves; `COMPAT_SUBJECT=proxy` is respg in mode redis in front of a redis-server, where whatever differs is
//! in `known_differences_proxy.toml`. `COMPAT_ORACLES=redis` does without Valkey. `RESPG_TEST_DATABASE_URL` is the database
//! given to respg, otherwise one of the tests' own Postgres.

mod broken;
mod commands;
mod programs;
mod runner;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use runner::catalogue::Catalogue;
use runner::known::Known;
use runner::servers::{Kind, Launcher, Server};
use runner::suite::{Outcome, Suite, load};

fn main() -> ExitCode {
    // Cargo passes libtest's options to every test target.
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    match run(&filters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            println!("{problem}\n0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

/// What cases expect of several connections can fail.
fn self_test(launcher: &Launcher, outcome: &mut Outcome) -> Result<(), String> {
    for line in broken::expectations::self_test(launcher)? {
        match line {
            Ok(found) => outcome.pass(&found),
            Err(problem) => outcome.fail(&problem),
        }
    }
    Ok(())
}

/// Random programs, first against servers that are broken on purpose.
fn random_programs(suite: &mut Suite, outcome: &mut Outcome) -> Result<(), String> {
    let [redis, others @ .., subject] = &mut suite.servers[..] else { return Ok(()) };
    let (reference, address) = (redis.address, subject.address);
    // What is said of streams came with 7.2.
    let newest = match suite.launcher.subject_is_proxy() {
        true => reference,
        false => others.first().map_or(reference, |valkey| valkey.address),
    };
    let proven =
        if suite.launcher.subject_is_proxy() { Vec::new() } else { programs::self_test(suite.launcher)? };
    for line in proven {
        match line {
            Ok(found) => outcome.pass(&found),
            Err(problem) => outcome.fail(&problem),
        }
    }
    let kinds = [(&programs::STRINGS, reference), (&programs::STREAMS, newest), (&programs::TALK, newest)];
    for (grammar, reference) in kinds {
        let start = Instant::now();
        let search = programs::Search::from_environment(grammar)?;
        let pair = programs::Pair { reference, subject: address, patience: Duration::from_secs(3) };
        let result = search.run(pair, &mut |name| subject.knows(name))?;
        for found in &result.found {
            outcome.fail(&found.report(search.seed));
        }
        if result.found.is_empty() {
            let (commands, name) = (result.commands, grammar.name);
            let (programs, seconds) = (result.programs, start.elapsed().as_secs_f64());
            outcome.pass(&format!(
                "{commands} commands in {programs} random programs of {name}, {seconds:.0} s"
            ));
        }
    }
    Ok(())
}

/// Every command is as a reference describes it, is in a case, and is in the README.
fn check_commands(suite: &mut Suite, outcome: &mut Outcome) -> Result<(), String> {
    let [references @ .., subject] = &mut suite.servers[..] else { return Ok(()) };
    let catalogue = match Catalogue::read(&mut subject.control) {
        Ok(catalogue) => catalogue,
        Err(problem) => {
            outcome.fail(&format!("the subject does not list its commands: {problem}"));
            return Ok(());
        }
    };
    let coverage = suite.coverage.borrow();
    for name in coverage.missing(&catalogue) {
        outcome.fail(&format!("no case has the command {name}"));
    }
    for line in commands::info::differences(&catalogue, &suite.catalogues, &suite.known) {
        outcome.fail(&format!("COMMAND INFO {line}"));
    }
    for entry in suite.known.vanished_info() {
        outcome.fail(&format!("listed as a known difference, but does not differ any more: {entry}"));
    }
    let mut docs = BTreeMap::new();
    for reference in references {
        docs.extend(commands::docs::read(&mut reference.control)?);
    }
    let table = commands::table::table(&catalogue, &docs, &coverage);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    match commands::table::check_readme(&readme, &table) {
        Ok(()) => outcome.pass("the README's table of commands"),
        Err(problem) => outcome.fail(&problem),
    }
    Ok(())
}

fn run(filters: &[String]) -> Result<bool, String> {
    let start = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat");
    let cases = load(&root.join("cases"), filters)?;
    let launcher = Launcher::from_environment()?;
    let proxy = launcher.subject_is_proxy();
    let list = if proxy { "known_differences_proxy.toml" } else { "known_differences.toml" };
    let known = Known::read(&root.join(list))?;
    let mut servers = launcher.start_all(&[])?;
    let references = servers.iter_mut().filter(|server| server.kind != Kind::Subject);
    let catalogues: Result<Vec<_>, _> =
        references.map(|server| Catalogue::read(&mut server.control)).collect();
    let mut suite =
        Suite { launcher: &launcher, servers, known, catalogues: catalogues?, coverage: RefCell::default() };
    let mut outcome = suite.run(&cases);
    outcome.print();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| filter == name);
    if wanted("expectations")
        && !proxy
        && let Err(problem) = self_test(&launcher, &mut outcome)
    {
        outcome.fail(&format!("expectations: {problem}"));
    }
    if wanted("programs")
        && let Err(problem) = random_programs(&mut suite, &mut outcome)
    {
        outcome.fail(&format!("random programs: {problem}"));
    }
    // A reference in the subject's place does not differ where respg does.
    let respg = launcher.subject_is().is_none();
    for entry in suite.known.vanished().into_iter().filter(|_| respg || proxy) {
        outcome.fail(&format!("listed as a known difference, but does not differ any more: {entry}"));
    }
    if filters.is_empty() {
        if respg {
            check_commands(&mut suite, &mut outcome)?;
        }
        for case in suite.known.unknown_cases(|name| cases.iter().any(|case| case.name == name)) {
            outcome.fail(&format!("{list} names a case that does not exist: {case}"));
        }
    }
    for problem in suite.servers.iter_mut().filter_map(Server::obituary) {
        outcome.fail(&problem);
    }
    if !launcher.has_valkey() {
        println!("without valkey: lines for which it is the oracle were not compared");
    }
    println!("{} cases in {:.1} s", cases.len(), start.elapsed().as_secs_f64());
    println!("{} passed, {} failed", outcome.passed, outcome.failed);
    Ok(outcome.failed == 0)
}
