//! What Redis does, in as few lines as possible: the sequential specification that histories are checked against.
//!
//! Commands are text (`SET x 1`). One interpreter serves registers, counters, locks, compare-and-set, appends and
//! transactions over several keys; [`Command::expiry`] is the one step no client asks for.

use std::collections::BTreeMap;
use std::fmt;

use super::client::Reply;

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Command {
    words: Vec<String>,
}

/// One atomic step: a command, or the commands of MULTI ... EXEC under a WATCH of some keys.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Program {
    pub watch: Vec<String>,
    /// EXEC is only sent when the watched keys were read as this value.
    pub only_if: Option<String>,
    pub commands: Vec<Command>,
    pub atomic: bool,
}

/// The keys of one group and their values.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct State(BTreeMap<String, String>);

impl Command {
    pub fn parse(text: &str) -> Self {
        Command { words: text.split_whitespace().map(String::from).collect() }
    }

    pub fn of(words: Vec<String>) -> Self {
        Command { words }
    }

    /// MGET and MSET as the GETs and SETs they consist of.
    pub fn split(&self) -> Vec<Command> {
        let words = &self.words[1..];
        match self.name() {
            "MGET" => words.iter().map(|key| Command::of(vec!["GET".into(), key.clone()])).collect(),
            "MSET" => words.chunks(2).map(|pair| Command::of([&["SET".into()], pair].concat())).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The moment when a value with a time to live goes away, unless the key has got another value since.
    pub fn expiry(key: &str, value: &str) -> Self {
        Command { words: vec!["(expire)".into(), key.into(), value.into()] }
    }

    pub fn name(&self) -> &str {
        &self.words[0]
    }

    /// The time to live in milliseconds that it gives, with the key and the value.
    pub fn time_to_live(&self) -> Option<(&str, &str, u64)> {
        let at = self.words.iter().position(|word| word == "PX")?;
        Some((&self.words[1], &self.words[2], self.words[at + 1].parse().expect("milliseconds")))
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.key_positions().map(|at| self.words[at].as_str())
    }

    /// The words to send, each key under `prefix`.
    pub fn wire(&self, prefix: &str) -> Vec<String> {
        let mut words = self.words.clone();
        for at in self.key_positions() {
            words[at].insert_str(0, prefix);
        }
        words
    }

    fn key_positions(&self) -> std::iter::StepBy<std::ops::Range<usize>> {
        let count = self.words.len();
        let (end, step) = match self.name() {
            "MGET" | "DEL" | "UNLINK" | "EXISTS" | "TOUCH" | "WATCH" => (count, 1),
            "MSET" | "MSETNX" => (count, 2),
            "RENAME" | "RENAMENX" => (3, 1),
            "CLIENT" => (1, 1),
            _ => (2, 1),
        };
        (1..end).step_by(step)
    }

    pub fn only_reads(&self) -> bool {
        matches!(self.name(), "GET" | "MGET" | "EXISTS" | "STRLEN" | "TOUCH" | "CLIENT")
    }

    /// Whether it can only lengthen strings.
    pub fn only_lengthens(&self) -> bool {
        matches!(self.name(), "APPEND" | "GET" | "STRLEN")
    }

    /// How long the string was before the command, if this reply says so.
    pub fn length_before(&self, reply: &Reply) -> Option<(&str, usize)> {
        let length = match (self.name(), reply) {
            ("APPEND", Reply::Int(length)) => {
                usize::try_from(*length).ok()?.checked_sub(self.words[2].len())?
            }
            ("STRLEN", Reply::Int(length)) => usize::try_from(*length).ok()?,
            ("GET", Reply::Bulk(Some(value))) => value.len(),
            _ => return None,
        };
        Some((&self.words[1], length))
    }

    /// Whether the command, having got this reply, may have changed something.
    pub fn may_have_written(&self, reply: Option<&Reply>) -> bool {
        let refused = match self.name() {
            "SET" => reply.is_some_and(|reply| self.set_was_refused(*reply == Reply::nil())),
            "GETDEL" => reply == Some(&Reply::nil()),
            "DEL" | "UNLINK" | "MSETNX" | "RENAMENX" | "PEXPIRE" => reply == Some(&Reply::Int(0)),
            _ => matches!(reply, Some(Reply::Error(_))),
        };
        !self.only_reads() && !refused
    }

    fn set_was_refused(&self, nil: bool) -> bool {
        let has = |option| self.words[3..].iter().any(|word| word == option);
        match has("GET") {
            true => has("NX") && !nil || has("XX") && nil,
            false => nil,
        }
    }
}

impl Program {
    pub fn of(command: Command) -> Self {
        Program { watch: Vec::new(), only_if: None, commands: vec![command], atomic: false }
    }

    pub fn one(text: &str) -> Self {
        Program::of(Command::parse(text))
    }

    /// `SET x 1; [SET y 1; GET x]; ?x,y[SET x 2]; ?x=token[DEL x]`: brackets are MULTI ... EXEC, `?` names the keys that
    /// are watched and read before, `=` what they must be.
    pub fn parse_all(text: &str) -> Vec<Self> {
        let mut programs = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (head, block, tail) = match (rest.find(';'), rest.find('[')) {
                (semicolon, Some(open)) if semicolon.is_none_or(|at| open < at) => {
                    let close = open + rest[open..].find(']').expect("a closing bracket");
                    (&rest[..open], Some(&rest[open + 1..close]), &rest[close + 1..])
                }
                (Some(semicolon), _) => (&rest[..semicolon], None, &rest[semicolon..]),
                (None, _) => (rest, None, ""),
            };
            programs.push(match block {
                Some(block) => {
                    let head = head.trim().trim_start_matches('?');
                    let (keys, only_if) =
                        head.split_once('=').map_or((head, None), |(keys, value)| (keys, Some(value)));
                    let watch = keys.split(',').filter(|key| !key.is_empty()).map(String::from).collect();
                    let commands = block.split(';').map(Command::parse).collect();
                    Program { watch, only_if: only_if.map(String::from), commands, atomic: true }
                }
                None => Program::one(head),
            });
            rest = tail.trim().trim_start_matches(';').trim_start();
        }
        programs
    }

    pub fn only_reads(&self) -> bool {
        self.commands.iter().all(Command::only_reads)
    }
}

impl State {
    pub fn get(&self, key: &str) -> Option<&String> {
        self.0.get(key)
    }

    pub fn run(&mut self, program: &Program) -> Vec<Reply> {
        program.commands.iter().map(|command| self.apply(command)).collect()
    }

    pub fn apply(&mut self, command: &Command) -> Reply {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["GET", key] => self.bulk(key),
            ["STRLEN", key] => Reply::Int(self.get(key).map_or(0, String::len) as i64),
            ["MGET", keys @ ..] => Reply::Array(Some(keys.iter().map(|key| self.bulk(key)).collect())),
            ["EXISTS" | "TOUCH", keys @ ..] => count(keys.iter().filter(|key| self.0.contains_key(**key))),
            ["SET", key, value, options @ ..] => self.set(key, value, options),
            ["GETSET", key, value] => self.set(key, value, &["GET"]),
            ["GETDEL", key] => self.0.remove(*key).map_or(Reply::nil(), Reply::bulk),
            ["APPEND", key, tail] => {
                let value = self.0.entry(key.to_string()).or_default();
                value.push_str(tail);
                Reply::Int(value.len() as i64)
            }
            ["INCR", key] => self.add(key, 1),
            ["DECR", key] => self.add(key, -1),
            ["INCRBY", key, by] => self.add(key, by.parse().expect("a number")),
            ["DECRBY", key, by] => self.add(key, -by.parse::<i64>().expect("a number")),
            ["DEL" | "UNLINK", keys @ ..] => count(keys.iter().filter(|key| self.0.remove(**key).is_some())),
            ["MSET", pairs @ ..] => {
                self.set_pairs(pairs);
                Reply::ok()
            }
            ["MSETNX", pairs @ ..] => {
                let free = pairs.chunks(2).all(|pair| !self.0.contains_key(pair[0]));
                if free {
                    self.set_pairs(pairs);
                }
                Reply::Int(free.into())
            }
            ["RENAME", from, to] => match self.0.remove(*from) {
                Some(value) => {
                    self.put(to, value);
                    Reply::ok()
                }
                None => Reply::Error("ERR no such key".into()),
            },
            ["PEXPIRE", key, _] => Reply::Int(self.0.contains_key(*key).into()),
            // Not over keys: within EXEC such a command takes the transaction off the lanes.
            ["CLIENT", "GETNAME"] => Reply::nil(),
            ["(expire)", key, value] => {
                if self.get(key).is_some_and(|now| now == value) {
                    self.0.remove(*key);
                }
                Reply::ok()
            }
            _ => panic!("the model does not know {command:?}"),
        }
    }

    fn set(&mut self, key: &str, value: &str, options: &[&str]) -> Reply {
        let old = self.bulk(key);
        let exists = old != Reply::nil();
        let refused = options.contains(&"NX") && exists || options.contains(&"XX") && !exists;
        if !refused {
            self.put(key, value.into());
        }
        match (options.contains(&"GET"), refused) {
            (true, _) => old,
            (false, true) => Reply::nil(),
            (false, false) => Reply::ok(),
        }
    }

    fn add(&mut self, key: &str, by: i64) -> Reply {
        let old = self.get(key).map_or(Ok(0), |text| text.parse::<i64>());
        match old.ok().and_then(|old| old.checked_add(by)) {
            Some(sum) => {
                self.put(key, sum.to_string());
                Reply::Int(sum)
            }
            None => Reply::Error("ERR value is not an integer or out of range".into()),
        }
    }

    fn set_pairs(&mut self, pairs: &[&str]) {
        for pair in pairs.chunks(2) {
            self.put(pair[0], pair[1].into());
        }
    }

    fn put(&mut self, key: &str, value: String) {
        self.0.insert(key.into(), value);
    }

    fn bulk(&self, key: &str) -> Reply {
        Reply::Bulk(self.get(key).cloned())
    }
}

fn count<T>(found: impl Iterator<Item = T>) -> Reply {
    Reply::Int(found.count() as i64)
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.watch.is_empty() {
            write!(f, "?{}", self.watch.join(","))?;
        }
        let commands: Vec<_> = self.commands.iter().map(|command| format!("{command:?}")).collect();
        match self.atomic {
            true => write!(f, "[{}]", commands.join("; ")),
            false => f.write_str(&commands.join("; ")),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}
