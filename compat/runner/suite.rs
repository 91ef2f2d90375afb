//! Plays all cases on all servers and reports what differs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use super::case::{Action, Answer, Case, Matcher, Oracle, Terms, Variant};
use super::catalogue::Catalogue;
use super::compare::same;
use super::connections::Place;
use super::coverage::Coverage;
use super::known::Known;
use super::parse::parse;
use super::play::{Observed, Part, play};
use super::resp::Event;
use super::servers::{Kind, Launcher, Server};
use super::text::{Word, escape_short, quote};

/// All cases under a folder whose name contains one of the filters; every one if there are none.
pub fn load(folder: &Path, filters: &[String]) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for group in children(folder)? {
        for file in children(&group)? {
            let named = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if file.extension().is_none_or(|extension| extension != "case") {
                continue;
            }
            let name = format!("{}/{}", named(&group), named(&file));
            let text =
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let case = parse(&name, &format!("compat/cases/{name}.case"), &text)?;
            if filters.is_empty() || filters.iter().any(|filter| name.contains(filter)) {
                cases.push(case);
            }
        }
    }
    Ok(cases)
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

#[derive(Default)]
pub struct Outcome {
    pub passed: usize,
    pub failed: usize,
    /// Cases that wait for a command the subject does not have, by that command.
    pub waiting: BTreeMap<String, usize>,
    /// By case and line: what differs in the first variant where it does, and all those variants.
    differences: BTreeMap<(String, usize), (String, Vec<Variant>)>,
}

impl Outcome {
    pub fn print(&self) {
        for (text, variants) in self.differences.values() {
            let mut variants: Vec<String> = variants.iter().map(Variant::to_string).collect();
            variants.dedup();
            println!("{text}\n    in {}\n", variants.join(", "));
        }
        for (command, count) in &self.waiting {
            println!("{count} cases wait for {command}");
        }
    }

    /// The lines of cases in which servers differ, 0 for those that could not be played.
    pub fn failing_lines(&self) -> Vec<usize> {
        self.differences.keys().map(|(_, line)| *line).collect()
    }

    fn differs(&mut self, case: &Case, line: usize, text: String, variant: Variant) {
        let entry = self.differences.entry((case.name.clone(), line));
        entry.or_insert((text, Vec::new())).1.push(variant);
    }

    pub fn pass(&mut self, what: &str) {
        println!("{what}");
        self.passed += 1;
    }

    pub fn fail(&mut self, problem: &str) {
        println!("{problem}\n");
        self.failed += 1;
    }
}

pub struct Suite<'a> {
    pub launcher: &'a Launcher,
    pub servers: Vec<Server>,
    pub known: Known,
    /// Of the references, for what can be queued in a transaction.
    pub catalogues: Vec<Catalogue>,
    /// What the cases have shown.
    pub coverage: RefCell<Coverage>,
}

impl Suite<'_> {
    pub fn run(&mut self, cases: &[Case]) -> Outcome {
        let mut outcome = Outcome::default();
        for case in cases {
            if self.known.leaves_out(&case.name) {
                continue;
            }
            match self.missing(case) {
                Ok(None) => {}
                Ok(Some(command)) => {
                    *outcome.waiting.entry(command).or_default() += 1;
                    continue;
                }
                Err(problem) => {
                    outcome.fail(&format!("{} is not played: {problem}", case.path));
                    continue;
                }
            }
            if !case.server_args.is_empty() {
                self.run_apart(case, &mut outcome);
            } else {
                let mut servers = std::mem::take(&mut self.servers);
                self.run_case(case, &mut servers, &mut outcome);
                self.servers = servers;
            }
        }
        outcome
    }

    /// What the subject would need for this case and does not have.
    fn missing(&mut self, case: &Case) -> Result<Option<String>, String> {
        let Some(subject) = self.servers.last_mut() else { return Ok(None) };
        for command in &case.needs {
            if !subject.can(command)? {
                let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
                return Ok(Some(words.join(" ")));
            }
        }
        Ok(None)
    }

    fn run_apart(&self, case: &Case, outcome: &mut Outcome) {
        if !self.launcher.can_start_subject() {
            *outcome.waiting.entry("a subject that can be started".into()).or_default() += 1;
            return;
        }
        match self.launcher.start_all(&case.server_args) {
            Ok(mut servers) => self.run_case(case, &mut servers, outcome),
            Err(problem) => outcome.fail(&format!("{}: {problem}", case.path)),
        }
    }

    fn run_case(&self, case: &Case, servers: &mut [Server], outcome: &mut Outcome) {
        self.known.met(&case.name);
        let consulted = |server: &&mut Server| match self.real_kind(server.kind) {
            Some(Kind::Redis) => case.consults(Oracle::Redis),
            Some(Kind::Valkey) => case.consults(Oracle::Valkey),
            _ => true,
        };
        let mut servers: Vec<&mut Server> = servers.iter_mut().filter(consulted).collect();
        for variant in case.variants() {
            if variant.spread {
                match servers.last_mut().map(|subject| self.launcher.give_twin(subject, &case.server_args)) {
                    Some(Ok(true)) => {}
                    Some(Err(problem)) => {
                        outcome.fail(&format!("{}: {problem}", case.path));
                        continue;
                    }
                    _ => continue,
                }
            }
            let catalogues = &self.catalogues[..];
            let transcripts: Vec<_> = thread::scope(|scope| {
                let mut threads = Vec::new();
                for server in &mut servers {
                    threads.push(scope.spawn(move || run_on(case, variant, server, catalogues)));
                }
                let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|_| Err("the runner panicked".into()))
                };
                threads.into_iter().map(join).collect()
            });
            let mut failed = false;
            let mut complete = Vec::new();
            for (server, transcript) in servers.iter().zip(transcripts) {
                match transcript {
                    Ok(transcript) => complete.push((&**server, transcript)),
                    Err(problem) => {
                        failed = true;
                        let text = format!("{}: on {}: {problem}", case.path, server.label);
                        outcome.differs(case, 0, text, variant);
                    }
                }
            }
            let differences = self.differences(case, &complete);
            if differences.is_empty() && !failed {
                self.note_unanswered(case);
            }
            for (line, text) in differences {
                failed = true;
                outcome.differs(case, line, text, variant);
            }
            if failed {
                outcome.failed += 1;
            } else {
                outcome.passed += 1;
            }
        }
    }

    /// Line numbers and reports of what differs between the subject and its oracles, and among these.
    fn differences(&self, case: &Case, transcripts: &[(&Server, Vec<Observed>)]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let length = transcripts.iter().map(|(_, transcript)| transcript.len()).min().unwrap_or(0);
        for at in 0..length {
            let step = &case.steps[transcripts[0].1[at].step];
            let terms = match &step.action {
                Action::Command { terms, .. } | Action::Read { terms, .. } | Action::Scan { terms, .. } => {
                    terms.clone()
                }
                _ => Terms { matcher: Matcher::Exact, oracle: None, took: None },
            };
            let part = transcripts[0].1[at].part;
            let matcher = if part == Part::Reply { terms.matcher } else { Matcher::Exact };
            let oracle = terms.oracle.unwrap_or(case.oracle);
            let relevant: Vec<_> =
                transcripts.iter().filter(|(server, _)| self.counts(server.kind, oracle)).collect();
            let Some(((first, first_transcript), rest)) = relevant.split_first() else { continue };
            let event = &first_transcript[at].event;
            let mut lines = vec![(first.label.clone(), event)];
            for (server, transcript) in rest {
                let other = &transcript[at].event;
                let allowed = same(&matcher, other, event)
                    || server.kind == Kind::Subject
                        && self.known.allows(&case.name, &step.text, &show(event), &show(other));
                if server.kind == Kind::Subject
                    && part == Part::Reply
                    && let (Action::Command { words, .. }, Event::Reply(reply)) = (&step.action, other)
                {
                    self.note(words, allowed, reply.is_error());
                }
                if !allowed {
                    lines.push((server.label.clone(), other));
                }
            }
            if lines.len() > 1 {
                let part = match part {
                    Part::Reply => String::new(),
                    part => format!("   [{part:?}]"),
                };
                let mut text = format!("{}:{}: {}{part}", case.path, step.line, step.text);
                let start =
                    lines.iter().map(|(_, other)| common_start(event, other)).filter(|&at| at > 0).min();
                for (label, event) in lines {
                    let shown = match (event, start) {
                        (Event::Reply(reply), Some(at)) if reply.raw.len() > 600 && at > 100 => {
                            format!("...{} bytes... {}", at - 60, escape_short(&reply.raw[at - 60..]))
                        }
                        _ => show(event),
                    };
                    text.push_str(&format!("\n    {label:8} {shown}"));
                }
                found.push((step.line, text));
                if found.len() == 30 {
                    break;
                }
            }
        }
        found
    }

    /// Commands without a reply of their own have been shown by what came after them.
    fn note_unanswered(&self, case: &Case) {
        for step in &case.steps {
            match &step.action {
                Action::Command { answer: Answer::Replies(1..), .. } => {}
                Action::Command { words, .. } => self.note(words, true, false),
                _ => {}
            }
        }
    }

    fn note(&self, words: &[Word], agreed: bool, error: bool) {
        let words: Vec<&[u8]> = words.iter().map(|word| &word.bytes[..]).collect();
        let catalogue = self.catalogues.iter().rev().find(|catalogue| catalogue.find(&words).is_some());
        if let Some(catalogue) = catalogue {
            self.coverage.borrow_mut().note(catalogue, &words, agreed, error);
        }
    }

    fn real_kind(&self, kind: Kind) -> Option<Kind> {
        if kind == Kind::Subject { self.launcher.subject_is() } else { Some(kind) }
    }

    fn counts(&self, kind: Kind, oracle: Oracle) -> bool {
        match (oracle, self.real_kind(kind)) {
            (Oracle::Both, _) | (_, None) => true,
            (Oracle::Redis, Some(kind)) => kind == Kind::Redis,
            (Oracle::Valkey, Some(kind)) => kind == Kind::Valkey,
        }
    }
}

/// How many bytes of two different replies are the same; 0 when they are not to be compared.
fn common_start(a: &Event, b: &Event) -> usize {
    match (a, b) {
        (Event::Reply(a), Event::Reply(b)) if a != b => {
            a.raw.iter().zip(&b.raw).take_while(|(x, y)| x == y).count()
        }
        _ => 0,
    }
}

fn show(event: &Event) -> String {
    match event {
        Event::Reply(reply) => escape_short(&reply.raw),
        Event::Closed(rest) if rest.is_empty() => "(connection closed)".into(),
        Event::Closed(rest) => format!("{} (connection closed)", escape_short(rest)),
        Event::Nothing => "(nothing)".into(),
        Event::Lost(problem) => format!("({problem})"),
    }
}

/// One case on one server: clean keyspace, the case's configuration, play, configuration restored.
fn run_on(
    case: &Case,
    variant: Variant,
    server: &mut Server,
    catalogues: &[Catalogue],
) -> Result<Vec<Observed>, String> {
    server.control.demand(&["FLUSHALL"])?;
    let behind = server.behind();
    let mut processes = server.processes();
    if !variant.spread {
        processes.truncate(1);
    }
    let addresses: Vec<SocketAddr> = processes.iter().map(|(address, _)| *address).collect();
    // The first process takes part in all cases; the second may not have heard yet what the last case has restored.
    let mut restore = Vec::new();
    for (name, _) in &case.config {
        let before = processes[0].1.demand(&["CONFIG", "GET", name])?;
        let before = before.items.get(1).ok_or_else(|| format!("CONFIG GET {name} is empty"))?;
        restore.push((name, before.text_lossy()));
    }
    for (_, control) in &mut processes {
        for (name, value) in &case.config {
            control.demand(&["CONFIG", "SET", name, value])?;
        }
    }
    let transcript = play(case, variant, Place { addresses: &addresses, behind }, catalogues);
    for (_, control) in &mut processes {
        for (name, value) in &restore {
            control.demand(&["CONFIG", "SET", name, value])?;
        }
    }
    transcript
}
