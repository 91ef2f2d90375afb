//! The checker on histories written by hand: it accepts what can be and rejects what cannot.

use super::client::Reply;
use super::history::{Operation, Outcome, no_spurious_abort};
use super::linear;
use super::model::{Command, Program, State};

/// An operation on a time line where a letter is a microsecond: `client from to program -> reply`.
/// `to` is `?` when the outcome is unknown; the reply of EXEC is in brackets, or `aborted`.
fn operation(line: &str) -> Operation {
    let (head, reply) = line.split_once(" -> ").unwrap();
    let mut words = head.splitn(4, ' ');
    let client: usize = words.next().unwrap().parse().unwrap();
    let micros = |text: &str| text.parse::<u64>().ok().map(|micros| micros * 1000);
    let invoked = micros(words.next().unwrap()).unwrap();
    let returned = micros(words.next().unwrap());
    let text = words.next().unwrap();
    let program = match text.strip_prefix("(expire) ") {
        Some(rest) => {
            let (key, value) = rest.split_once(' ').unwrap();
            Program::of(Command::expiry(key, value))
        }
        None => Program::parse_all(text).remove(0),
    };
    let outcome = match reply {
        "unknown" => Outcome::Unknown,
        "aborted" => Outcome::Aborted,
        text => Outcome::Replied(text.trim_matches(['[', ']']).split("; ").map(parse_reply).collect()),
    };
    // In these lines, what is watched was read as nil.
    let watched = program.watch.iter().map(|key| (key.clone(), None)).collect();
    let client = (client != 99).then_some(client);
    Operation { client, invoked, returned, program, watched, watched_since: invoked, outcome }
}

fn parse_reply(text: &str) -> Reply {
    match text.strip_prefix(':').map(str::parse) {
        Some(Ok(number)) => Reply::Int(number),
        _ if text == "OK" => Reply::ok(),
        _ if text == "nil" => Reply::nil(),
        _ if text.contains(',') => Reply::Array(Some(text.split(',').map(parse_reply).collect())),
        _ => Reply::bulk(text),
    }
}

struct Case {
    name: &'static str,
    possible: bool,
    history: &'static [&'static str],
}

const fn possible(name: &'static str, history: &'static [&'static str]) -> Case {
    Case { name, possible: true, history }
}

const fn impossible(name: &'static str, history: &'static [&'static str]) -> Case {
    Case { name, possible: false, history }
}

/// Ten appends of which nobody knows whether they happened, two that did at these lengths, and what was read then.
macro_rules! many_appends {
    ($read:literal) => {
        &[
            "1 0 ? APPEND x a. -> unknown",
            "2 0 ? APPEND x b. -> unknown",
            "3 0 ? APPEND x c. -> unknown",
            "4 0 ? APPEND x d. -> unknown",
            "5 0 ? APPEND x e. -> unknown",
            "6 0 ? APPEND x f. -> unknown",
            "7 0 ? APPEND x g. -> unknown",
            "8 0 ? APPEND x h. -> unknown",
            "9 0 ? APPEND x i. -> unknown",
            "10 0 ? APPEND x j. -> unknown",
            "20 5 9 APPEND x k. -> :6",
            "21 5 9 APPEND x l. -> :8",
            "22 5 9 STRLEN x -> :10",
            concat!("23 10 11 GET x -> ", $read),
        ]
    };
}

const CASES: &[Case] = &[
    possible("one after the other", &["1 0 1 SET x a -> OK", "2 2 3 GET x -> a"]),
    impossible("a stale read", &["1 0 1 SET x a -> OK", "1 2 3 SET x b -> OK", "2 4 5 GET x -> a"]),
    possible("a read during a write, old", &["1 0 9 SET x a -> OK", "2 2 3 GET x -> nil"]),
    possible("a read during a write, new", &["1 0 9 SET x a -> OK", "2 2 3 GET x -> a"]),
    impossible("new, then old", &["1 0 9 SET x a -> OK", "2 2 3 GET x -> a", "3 4 5 GET x -> nil"]),
    impossible("a value from nowhere", &["1 0 9 SET x a -> OK", "2 2 3 GET x -> b"]),
    impossible("a lost increment", &["1 0 5 INCR x -> :1", "2 0 5 INCR x -> :1"]),
    possible("two increments", &["1 0 5 INCR x -> :2", "2 0 5 INCR x -> :1"]),
    impossible("increments against time", &["1 0 1 INCR x -> :2", "2 2 5 INCR x -> :1"]),
    possible("many unknown appends", many_appends!("c.f.k.l.a.")),
    impossible("many unknown appends, one twice", many_appends!("c.f.k.l.c.")),
    possible("unknown, it happened", &["1 0 ? INCR x -> unknown", "2 5 6 INCR x -> :2"]),
    possible("unknown, it did not", &["1 0 ? INCR x -> unknown", "2 5 6 INCR x -> :1"]),
    possible(
        "unknown, it happened late",
        &["1 0 ? INCR x -> unknown", "2 5 6 GET x -> nil", "2 7 8 GET x -> nil", "2 9 10 GET x -> 1"],
    ),
    impossible("unknown, it happened twice", &["1 0 ? INCR x -> unknown", "2 5 6 INCR x -> :3"]),
    impossible(
        "unknown, it came and went",
        &["1 0 ? SET x a -> unknown", "2 5 6 GET x -> a", "2 7 8 GET x -> nil"],
    ),
    impossible("unknown, before it was sent", &["2 5 6 GET x -> a", "1 7 ? SET x a -> unknown"]),
    impossible("two holders", &["1 0 5 SET x me NX -> OK", "2 1 6 SET x you NX -> OK"]),
    possible(
        "holder after holder",
        &["1 0 5 SET x me NX -> OK", "1 6 9 DEL x -> :1", "2 7 8 SET x you NX -> OK"],
    ),
    impossible("two takers", &["1 0 1 SET x a -> OK", "1 2 5 GETDEL x -> a", "2 3 6 GETDEL x -> a"]),
    possible(
        "appends in the order of the value",
        &["1 0 9 APPEND x a -> :1", "2 0 9 APPEND x b -> :2", "3 10 11 GET x -> ab"],
    ),
    impossible(
        "appends in another order",
        &["1 0 9 APPEND x a -> :1", "2 0 9 APPEND x b -> :2", "3 10 11 GET x -> ba"],
    ),
    impossible("a torn MSET", &["1 0 9 MSET x a y a -> OK", "2 1 2 GET x -> a", "2 3 4 GET y -> nil"]),
    impossible(
        "a torn MGET",
        &["1 0 1 MSET x a y a -> OK", "1 2 3 MSET x b y b -> OK", "2 0 9 MGET x y -> a,b"],
    ),
    impossible(
        "readers disagree",
        &["1 0 9 SET x a -> OK", "2 0 9 SET y a -> OK", "3 1 8 MGET x y -> a,nil", "4 1 8 MGET x y -> nil,a"],
    ),
    impossible("write skew", &["1 0 9 [GET x; SET y a] -> [nil; OK]", "2 0 9 [GET y; SET x a] -> [nil; OK]"]),
    impossible(
        "a pipeline out of order",
        &["1 0 5 SET x 1 -> OK", "1 0 6 GET y -> nil", "2 0 5 SET y 1 -> OK", "2 0 6 GET x -> nil"],
    ),
    possible(
        "the same from four clients",
        &["1 0 5 SET x 1 -> OK", "3 0 6 GET y -> nil", "2 0 5 SET y 1 -> OK", "4 0 6 GET x -> nil"],
    ),
    possible(
        "a write that would change nothing now, and does later",
        &[
            "1 0 1 SET x a -> OK",
            "2 2 9 SET x a -> OK",
            "1 3 4 SET x b -> OK",
            "3 5 6 GET x -> b",
            "3 10 11 GET x -> a",
        ],
    ),
    possible(
        "came and went in MULTI, after another's write",
        &[
            "1 0 9 [SET x 1; DEL x] -> [OK; :1]",
            "2 0 8 SET x 5 -> OK",
            "3 0 7 INCR x -> :1",
            "2 10 11 GET x -> nil",
        ],
    ),
    impossible(
        "a write that changed nothing, too late",
        &["1 0 1 SET x a -> OK", "2 2 3 SET x a -> OK", "1 4 5 SET x b -> OK", "3 10 11 GET x -> a"],
    ),
    impossible("both compare-and-sets", &["1 0 5 ?x[SET x a] -> [OK]", "2 0 5 ?x[SET x b] -> [OK]"]),
    possible("one compare-and-set", &["1 0 5 ?x[SET x a] -> [OK]", "2 0 5 ?x[SET x b] -> aborted"]),
    possible(
        "expired",
        &["1 0 1 SET x a -> OK", "99 5 9 (expire) x a -> OK", "2 6 7 GET x -> nil", "2 10 11 GET x -> nil"],
    ),
    impossible(
        "expired too early",
        &["1 0 1 SET x a -> OK", "99 5 9 (expire) x a -> OK", "2 2 3 GET x -> nil"],
    ),
    impossible(
        "expired too late",
        &["1 0 1 SET x a -> OK", "99 5 9 (expire) x a -> OK", "2 10 11 GET x -> a"],
    ),
    impossible(
        "expired and alive again",
        &["1 0 1 SET x a -> OK", "99 5 9 (expire) x a -> OK", "2 6 7 GET x -> nil", "3 8 8 GET x -> a"],
    ),
    possible(
        "an expiry spares a new value",
        &["1 0 1 SET x a -> OK", "1 2 3 SET x b -> OK", "99 5 9 (expire) x a -> OK", "2 10 11 GET x -> b"],
    ),
];

pub fn handwritten() -> Result<String, String> {
    for case in CASES {
        let operations: Vec<Operation> = case.history.iter().map(|line| operation(line)).collect();
        match linear::check(&operations, &State::default()) {
            Ok(()) if !case.possible => return Err(format!("{}: accepted", case.name)),
            Err(text) if case.possible => return Err(format!("{}: rejected, {text}", case.name)),
            _ => {}
        }
    }
    let alone: Vec<_> = ["1 0 5 ?x[SET x a] -> aborted", "2 0 5 SET x b NX -> nil"].map(operation).into();
    if no_spurious_abort(&alone).is_ok() {
        return Err("an EXEC refused for no reason was accepted".into());
    }
    large()?;
    Ok(format!("{} histories were told apart", CASES.len() + 1))
}

/// Many unknown outcomes among many operations are checked in no time, and one wrong reply at the end is found.
fn large() -> Result<(), String> {
    let mut operations = Vec::new();
    let mut state = State::default();
    for at in 0..8_000u64 {
        let unknown = at % 1000 == 0;
        let text = ["INCR x", "SET y v", "INCR z", "GET x"][at as usize % 4];
        let program =
            Program::one(&if text.starts_with("SET") { format!("{text}{at}") } else { text.into() });
        let happened = !unknown || at % 2000 == 0;
        let replies = if happened { state.run(&program) } else { Vec::new() };
        operations.push(Operation {
            client: Some(at as usize % 8),
            invoked: at * 10,
            returned: (!unknown).then_some(at * 10 + 65),
            program,
            watched: Vec::new(),
            watched_since: 0,
            outcome: if unknown { Outcome::Unknown } else { Outcome::Replied(replies) },
        });
    }
    linear::check(&operations, &State::default())?;
    let last = operations.last_mut().ok_or("no operations")?;
    last.outcome = Outcome::Replied(vec![Reply::bulk("1")]);
    match linear::check(&operations, &State::default()) {
        Ok(()) => Err("a wrong reply at the end of a long history was accepted".into()),
        Err(_) => Ok(()),
    }
}
