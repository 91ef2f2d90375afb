//! Mechanical checks of the source tree: what stands at the top, who may know whom, how long files may be, where SQL may stand, that every command
//! has its tests. STYLE_GUIDE.md, sections 2, 5 and 7.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use respg::command::{self, Command};
use respg::keyspace::Kind;

/// A module of `src` and the modules that it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("resp", &[]),
    ("keyspace", &[]),
    ("cpus", &[]),
    ("postgres", &["cpus"]),
    ("config", &["cpus", "state", "upstream"]),
    ("upstream", &["resp", "keyspace"]),
    ("store", &["keyspace", "resp"]),
    ("state", &["keyspace", "resp", "store", "config", "command", "upstream"]),
    ("command", &["resp", "keyspace", "store", "state", "session", "exec"]),
    ("session", &["resp", "keyspace", "command", "state", "exec"]),
    ("exec", &["command", "session", "store", "state", "keyspace", "resp"]),
    ("copy", &["command", "exec", "session", "state", "store", "keyspace", "resp", "upstream"]),
    (
        "shadow",
        &["copy", "command", "config", "exec", "keyspace", "resp", "session", "state", "store", "upstream"],
    ),
    ("layer", &["exec", "command", "session", "state", "resp", "keyspace"]),
];

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// What stands at the top beside hidden files; what cargo builds is not the tree's.
const TOP: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "compat",
    "docker",
    "migrations",
    "src",
    "target",
    "tests",
];

const LONGEST: usize = 400;
const LONGEST_COMMAND: usize = 250;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text before the file's tests.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }

    /// The code without comments and doc comments.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code().lines().enumerate().map(|(i, line)| (i + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries: BTreeSet<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(Source { text: fs::read_to_string(&path).unwrap(), path: name });
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder}: a check that sees nothing cannot fail");
    found
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn modules_know_only_whom_they_may() {
    let mut problems = Vec::new();
    for source in files("src", ".rs") {
        let module = source.path.split(['/', '.']).nth(1).unwrap();
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "main", "server", "migrate"].contains(&module), "{module} is not in MAY_USE");
            continue;
        };
        for (number, line) in source.code_lines() {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty() && used != module && !allowed.contains(&used.as_str()) {
                    problems.push(format!("{}:{number}: {module} must not know {used}", source.path));
                }
            }
        }
    }
    none(problems);
}

#[test]
fn nothing_else_stands_at_the_top() {
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    none(names.filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str())).collect());
}

#[test]
fn files_are_short() {
    let mut problems = Vec::new();
    for source in ["src", "tests", "compat", "benches"].iter().flat_map(|folder| files(folder, ".rs")) {
        if source.path.contains("/target/") {
            continue;
        }
        let listed = LONG_FILES.iter().find(|(path, ..)| *path == source.path).map(|(_, lines, _)| *lines);
        let is_command = source.path.starts_with("src/command/") && source.path.matches('/').count() > 2;
        let limit = listed.unwrap_or(if is_command { LONGEST_COMMAND } else { LONGEST });
        let lines = source.code().lines().count();
        if lines > limit {
            problems.push(format!("{}: {lines} lines, {limit} allowed", source.path));
        }
    }
    none(problems);
}

#[test]
fn folders_say_what_they_are_for() {
    let sources = files("src", "mod.rs");
    none(
        sources
            .iter()
            .filter(|s| !s.text.starts_with("//! "))
            .map(|s| format!("{}: no first paragraph", s.path))
            .collect(),
    );
}

#[test]
fn sql_has_its_place() {
    let verbs = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE ", "LOCK TABLE", "ALTER "];
    let places = [
        "src/store/statements/",
        "src/store/migrate.rs",
        "src/store/connection.rs",
        "src/store/pooler.rs",
        "src/postgres/",
    ];
    let mut problems = Vec::new();
    for source in files("src", ".rs") {
        if places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            // XGROUP HELP has a line that begins like SQL.
            let help = line.contains("<key>");
            if !help && verbs.iter().any(|verb| line.contains(&format!("\"{verb}"))) {
                problems.push(format!("{}:{number}: SQL outside src/store/statements", source.path));
            }
        }
    }
    none(problems);
}

#[test]
fn banned_words_are_absent() {
    let banned = [
        ("from_utf8_lossy", "keys and values are bytes"),
        (".unwrap()", "say with expect which invariant holds, or return an error"),
        ("todo!(", "no stubs"),
        ("unimplemented!(", "no stubs"),
        ("dbg!(", "left over"),
        ("#[allow(dead_code", "delete it"),
        ("thread::sleep", "blocks the runtime"),
    ];
    let mut problems = Vec::new();
    for source in files("src", ".rs") {
        for (number, line) in source.code_lines() {
            for (word, why) in banned.iter().filter(|(word, _)| line.contains(word)) {
                if *word == "from_utf8_lossy" && source.path.starts_with("src/postgres/") {
                    continue; // what programs print, for people
                }
                problems.push(format!("{}:{number}: {word}: {why}", source.path));
            }
        }
    }
    none(problems);
}

/// A data type is copied and compared by its record beside its commands: what copies and compares names none.
#[test]
fn a_new_data_type_needs_only_its_record() {
    let types = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash, Kind::Stream];
    let words: Vec<String> =
        types.iter().flat_map(|kind| [format!("Kind::{kind:?}"), format!("\"{}\"", kind.name())]).collect();
    let places = ["src/copy/", "src/migrate/", "src/shadow/", "src/command/copy/"];
    let mut problems = Vec::new();
    for source in files("src", ".rs") {
        if !places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            for word in words.iter().filter(|word| line.contains(*word)) {
                problems.push(format!("{}:{number}: {word}: belongs into the type's record", source.path));
            }
        }
    }
    none(problems);
    // What commands make is what can be copied.
    let records: Vec<Kind> = command::DATA_TYPES.iter().map(|record| record.kind).collect();
    for kind in types {
        let made = files("src/command", ".rs").iter().any(|source| {
            !source.path.contains("copy") && source.code().contains(&format!("Kind::{kind:?})"))
        });
        assert!(!made || records.contains(&kind), "{kind:?} has no record in DATA_TYPES");
    }
}

#[test]
fn tests_are_not_ignored_without_a_reason() {
    let sources = ["src", "tests", "compat"].iter().flat_map(|folder| files(folder, ".rs"));
    let ignored = sources.filter(|source| source.text.contains(concat!("#[", "ignore]")));
    none(ignored.map(|source| format!("{}: ignored without a reason", source.path)).collect());
}

/// Commands and sub-commands; containers only through their sub-commands.
fn callable() -> Vec<&'static Command> {
    let all: Vec<&'static Command> = command::all().collect();
    let mut callable: Vec<&'static Command> =
        all.iter().copied().filter(|c| c.subcommands.is_empty()).collect();
    callable.extend(all.iter().flat_map(|c| c.subcommands.iter().copied()));
    callable
}

#[test]
fn command_names_are_compared_only_in_look_up() {
    let mut problems = Vec::new();
    for source in files("src", ".rs").into_iter().filter(|source| source.path != "src/command/mod.rs") {
        for (number, line) in source.code_lines() {
            if line.contains(".name == \"") || line.contains("match command.name") {
                problems.push(format!("{}:{number}: decides by a command's name", source.path));
            }
        }
    }
    none(problems);
}

#[test]
fn every_command_has_a_compat_case() {
    let cases = files("compat/cases", ".case");
    let has_case = |command: &Command| {
        let words = command.name.to_lowercase().replace('|', " ");
        cases.iter().flat_map(|case| case.text.lines()).any(|line| {
            let line = line.to_lowercase();
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            line.starts_with(&words) || line.contains(&format!(" {words}"))
        })
    };
    none(
        callable()
            .into_iter()
            // What is ours alone has no reference.
            .filter(|c| !c.name.starts_with("RESPG.") && !has_case(c))
            .map(|c| format!("{}: no compat case", c.name))
            .collect(),
    );
}

#[test]
fn every_command_has_a_behaviour_test() {
    let tests: String =
        files("tests/it", ".rs").into_iter().map(|source| source.text.to_lowercase()).collect();
    let has_test = |command: &Command| {
        let words: Vec<String> =
            command.name.to_lowercase().split('|').map(|word| format!("\"{word}\"")).collect();
        tests.contains(&words.join(", ")) || tests.contains(&command.name.to_lowercase().replace('|', " "))
    };
    none(
        callable()
            .into_iter()
            .filter(|c| !has_test(c))
            .map(|c| format!("{}: no behaviour test", c.name))
            .collect(),
    );
}
