//! Case files to [`Case`] values. The format is described in `compat/main.rs`.

use super::case::{Action, Answer, Case, Matcher, Mode, Oracle, Step, Terms, Variant};
use super::text::{Word, split};

pub fn parse(name: &str, path: &str, text: &str) -> Result<Case, String> {
    let mut parser = Parser {
        case: Case {
            name: name.into(),
            path: path.into(),
            oracle: Oracle::Both,
            needs: Vec::new(),
            excluded: Vec::new(),
            config: Vec::new(),
            server_args: Vec::new(),
            spread: false,
            patience: super::resp::PATIENCE,
            steps: Vec::new(),
        },
        pipeline: None,
        pipelines: 0,
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        parser.line(index + 1, line).map_err(|problem| format!("{path}:{}: {problem}", index + 1))?;
    }
    match parser.pipeline {
        Some(_) => Err(format!("{path}: %pipeline without %end")),
        None if parser.case.steps.is_empty() => Err(format!("{path}: no steps")),
        None => Ok(parser.case),
    }
}

struct Parser {
    case: Case,
    pipeline: Option<usize>,
    pipelines: usize,
}

/// The marks in front of a command.
struct Marks {
    connection: String,
    terms: Terms,
    capture: Option<String>,
    answer: Answer,
    scan: bool,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(directive) = line.strip_prefix('%')
            && self.directive(number, directive, line)?
        {
            return Ok(());
        }
        let (marks, rest) = marks(line)?;
        let terms = marks.terms;
        let action = if let Some(raw) = rest.strip_prefix('>') {
            Action::Raw(split(raw)?)
        } else if let Some(read) = rest.strip_prefix('<') {
            match read.split_whitespace().collect::<Vec<_>>()[..] {
                [] => Action::Read { count: 1, terms, capture: marks.capture },
                ["closed"] => Action::ReadClosed,
                ["nothing", millis] => Action::ReadNothing { millis: number_of(millis)? },
                [count] => Action::Read { count: number_of(count)?, terms, capture: marks.capture },
                _ => return Err("expected: <, < COUNT, < closed, < nothing MILLISECONDS".into()),
            }
        } else if rest == "%open" {
            Action::Open
        } else if rest == "%close" {
            Action::Close
        } else if rest == "%gone" {
            Action::CloseNoticed
        } else if rest == "%blocked" {
            Action::AwaitBlocked
        } else {
            let words = split(rest)?;
            if words.is_empty() {
                return Err("no command".into());
            }
            match marks.scan {
                true => Action::Scan { words, terms },
                false => Action::Command { words, terms, capture: marks.capture, answer: marks.answer },
            }
        };
        self.push(number, line, marks.connection, action);
        Ok(())
    }

    fn push(&mut self, line: usize, text: &str, connection: String, action: Action) {
        self.case.steps.push(Step { line, text: text.into(), connection, action, pipeline: self.pipeline });
    }

    /// Whether the line is a directive that stands alone; the others are read with their connection's mark.
    fn directive(&mut self, number: usize, directive: &str, line: &str) -> Result<bool, String> {
        let (word, rest) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let rest = rest.trim();
        let header =
            ["oracle", "needs", "not", "only", "config", "server", "spread", "patience"].contains(&word);
        if header && !self.case.steps.is_empty() {
            return Err(format!("%{word} must stand before the first command"));
        }
        match word {
            "oracle" => self.case.oracle = oracle(rest).ok_or("expected: %oracle redis|valkey")?,
            "needs" => {
                for command in split(rest)? {
                    let words = split(&String::from_utf8_lossy(&command.bytes))?;
                    self.case.needs.push(words.into_iter().map(|word| word.bytes).collect());
                }
            }
            "spread" => self.case.spread = true,
            "not" | "only" => self.exclude(word == "only", rest)?,
            "config" => {
                let (name, value) =
                    rest.split_once(char::is_whitespace).ok_or("expected: %config NAME VALUE")?;
                let value = split(value)?.pop().ok_or("expected: %config NAME VALUE")?;
                self.case.config.push((name.into(), String::from_utf8_lossy(&value.bytes).into_owned()));
            }
            "server" => self.case.server_args.extend(rest.split_whitespace().map(str::to_owned)),
            "patience" => self.case.patience = std::time::Duration::from_secs_f64(number_of(rest)?),
            "sleep" => self.push(number, line, "main".into(), Action::Sleep { millis: number_of(rest)? }),
            "pipeline" if self.pipeline.is_none() => {
                self.pipelines += 1;
                self.pipeline = Some(self.pipelines);
            }
            "end" if self.pipeline.is_some() => self.pipeline = None,
            "open" | "close" | "gone" | "blocked" => return Ok(false),
            _ => return Err(format!("unknown directive %{word}")),
        }
        Ok(true)
    }

    fn exclude(&mut self, only: bool, text: &str) -> Result<(), String> {
        let (words, reason) = text.split_once(':').ok_or("a reason is missing: %not MODE...: REASON")?;
        if reason.trim().is_empty() {
            return Err("a reason is missing: %not MODE...: REASON".into());
        }
        let mut named: Vec<Variant> = Vec::new();
        for word in words.split_whitespace() {
            let before = named.len();
            named.extend(Variant::all().filter(|variant| match word {
                "resp2" => variant.resp == 2,
                "resp3" => variant.resp == 3,
                // What cannot be in a transaction cannot be in a longer one either.
                "multi" => matches!(variant.mode, Mode::Multi | Mode::Block),
                word => variant.mode.name() == word,
            }));
            if named.len() == before {
                return Err(format!("unknown mode {word}"));
            }
        }
        let out = Variant::all().filter(|variant| named.contains(variant) != only);
        self.case.excluded.extend(out.map(|variant| (variant, reason.trim().to_owned())));
        Ok(())
    }
}

fn marks(line: &str) -> Result<(Marks, &str), String> {
    let terms = Terms { matcher: Matcher::Exact, oracle: None, took: None };
    let answer = Answer::Replies(1);
    let mut marks = Marks { connection: "main".into(), terms, capture: None, answer, scan: false };
    let mut rest = line;
    loop {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let after = after.trim_start();
        if let Some(name) = word.strip_prefix('@') {
            marks.connection = name.into();
        } else if word == "~scan" {
            marks.scan = true;
        } else if word == "&" {
            marks.answer = Answer::Later;
        } else if word == "&blocked" {
            marks.answer = Answer::Blocked;
        } else if let Some(count) = word.strip_prefix('=') {
            marks.answer = Answer::Replies(number_of(count)?);
        } else if let Some(range) = word.strip_prefix("~took=") {
            let (least, most) = range.split_once("..").ok_or("expected: ~took=LEAST..MOST")?;
            marks.terms.took = Some((number_of(least)?, number_of(most)?));
        } else if let Some(name) = word.strip_prefix('$').and_then(|word| word.strip_suffix('=')) {
            marks.capture = Some(name.into());
        } else if let Some(pattern) = rest.strip_prefix("~re=/") {
            let end = pattern.find("/ ").ok_or("~re=/.../ has no end")?;
            let regex = regex::bytes::Regex::new(&format!("(?s){}", &pattern[..end]));
            marks.terms.add(Matcher::Regex(regex.map_err(|error| error.to_string())?));
            rest = pattern[end + 2..].trim_start();
            continue;
        } else if let Some(name) = word.strip_prefix('~') {
            match oracle(name) {
                Some(oracle) => marks.terms.oracle = Some(oracle),
                None => marks.terms.add(matcher(name)?),
            }
        } else {
            return Ok((marks, rest));
        }
        rest = after;
    }
}

impl Terms {
    fn add(&mut self, matcher: Matcher) {
        match &mut self.matcher {
            Matcher::Exact => self.matcher = matcher,
            Matcher::All(matchers) => matchers.push(matcher),
            other => self.matcher = Matcher::All(vec![other.clone(), matcher]),
        }
    }
}

fn matcher(name: &str) -> Result<Matcher, String> {
    Ok(match name {
        "int" => Matcher::Int,
        "sorted" => Matcher::Sorted,
        "shape" => Matcher::Shape,
        "type" => Matcher::Type,
        "error" => Matcher::Error,
        "keys" => Matcher::Keys,
        "dump" => Matcher::Dump,
        "cursor" => Matcher::Cursor,
        "any" => Matcher::Any,
        _ => match name.strip_prefix("near=").map(str::parse) {
            Some(Ok(distance)) => Matcher::Near(distance),
            _ => near_at(name).ok_or_else(|| format!("unknown mark ~{name}"))?,
        },
    })
}

/// `near[PLACE,...]=DISTANCE`
fn near_at(name: &str) -> Option<Matcher> {
    let (places, distance) = name.strip_prefix("near[")?.split_once("]=")?;
    let places = places.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Matcher::NearAt(places, distance.parse().ok()?))
}

fn oracle(name: &str) -> Option<Oracle> {
    match name {
        "redis" => Some(Oracle::Redis),
        "valkey" => Some(Oracle::Valkey),
        _ => None,
    }
}

fn number_of<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// Replaces `${...}` in a word: `now`, `ms` (with `+N` or `-N`), `TEXT*COUNT`, or a captured name.
pub fn expand(word: &Word, captured: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    if !word.expand || !word.bytes.windows(2).any(|pair| pair == b"${") {
        return Ok(word.bytes.clone());
    }
    let mut out = Vec::new();
    let mut rest = &word.bytes[..];
    while let Some(start) = rest.windows(2).position(|pair| pair == b"${") {
        let end = rest[start..].iter().position(|&byte| byte == b'}').ok_or("${ without }")?;
        out.extend_from_slice(&rest[..start]);
        let name = std::str::from_utf8(&rest[start + 2..start + end]).map_err(|_| "a name is not text")?;
        out.extend(value_of(name, captured)?);
        rest = &rest[start + end + 1..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn value_of(name: &str, captured: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    if let Some((text, count)) = name.split_once('*') {
        return Ok(text.as_bytes().repeat(number_of(count)?));
    }
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let clock = clock.map_err(|error| error.to_string())?.as_millis() as i64;
    for (word, value) in [("now", clock / 1000), ("ms", clock)] {
        if let Some(offset) = name.strip_prefix(word)
            && (offset.is_empty() || offset.starts_with(['+', '-']))
        {
            let offset = if offset.is_empty() { 0 } else { number_of::<i64>(offset)? };
            return Ok((value + offset).to_string().into_bytes());
        }
    }
    captured(name).ok_or_else(|| format!("${{{name}}} was not captured"))
}

/// The captured names a word refers to.
pub fn references(word: &Word, name: &str) -> bool {
    let pattern = format!("${{{name}}}");
    word.expand && word.bytes.windows(pattern.len()).any(|window| window == pattern.as_bytes())
}
