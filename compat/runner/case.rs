//! The model of a case file. `parse.rs` reads it, `play.rs` plays it.

use std::time::Duration;

use super::text::Word;

/// Which reference a line must agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// redis 7.0 and valkey agree, and so must we.
    Both,
    Redis,
    Valkey,
}

/// How the commands of a case reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// One command at a time.
    Plain,
    /// Consecutive commands of a connection in one write.
    Pipelined,
    /// Every command in a MULTI/EXEC of its own.
    Multi,
    /// Consecutive commands of a connection in one MULTI/EXEC, in one write.
    Block,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Plain, Mode::Pipelined, Mode::Multi, Mode::Block];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Plain => "plain",
            Mode::Pipelined => "pipelined",
            Mode::Multi => "multi",
            Mode::Block => "block",
        }
    }
}

/// One cell of the matrix a case is played in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    pub mode: Mode,
    pub resp: u8,
    /// The connections go by turns to two processes of the subject, over one database.
    pub spread: bool,
}

impl Variant {
    pub fn all() -> impl Iterator<Item = Variant> {
        Mode::ALL.into_iter().flat_map(|mode| [2, 3].map(|resp| Variant { mode, resp, spread: false }))
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spread = if self.spread { "/spread" } else { "" };
        write!(f, "{}/resp{}{spread}", self.mode.name(), self.resp)
    }
}

/// How two replies are compared when equal bytes cannot be expected.
#[derive(Clone, Debug)]
pub enum Matcher {
    Exact,
    /// Both are integers.
    Int,
    /// Both are numbers, no further apart than this; negative ones are equal.
    Near(f64),
    /// Equal but for numbers at these places of any list, which are no further apart than this.
    NearAt(Vec<usize>, f64),
    /// The same elements in any order (of a map: the same pairs).
    Sorted,
    /// The text of both matches.
    Regex(regex::bytes::Regex),
    /// The same tree of reply types.
    Shape,
    /// The same reply type, whatever is inside.
    Type,
    /// Errors with the same first word.
    Error,
    /// Maps (or flat lists of pairs) with the same keys, whatever the values.
    Keys,
    /// Equal apart from the version and checksum at the end of a DUMP payload.
    Dump,
    /// A cursor and elements; only the elements are compared, in any order.
    Cursor,
    /// Not compared.
    Any,
    /// All of these hold.
    All(Vec<Matcher>),
}

/// What a line says about its reply.
#[derive(Clone, Debug)]
pub struct Terms {
    pub matcher: Matcher,
    /// `None` means the case's oracle.
    pub oracle: Option<Oracle>,
    /// How many milliseconds after its connection last sent something it comes, at least and at most.
    pub took: Option<(u64, u64)>,
}

/// What a command is followed by, before the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So many replies; SUBSCRIBE has one for each channel.
    Replies(usize),
    /// None is waited for.
    Later,
    /// None: the client is blocked.
    Blocked,
}

#[derive(Clone, Debug)]
pub enum Action {
    Command {
        words: Vec<Word>,
        terms: Terms,
        capture: Option<String>,
        answer: Answer,
    },
    /// A SCAN repeated until its cursor is 0 again; the reply is the sorted set of all it returned.
    Scan {
        words: Vec<Word>,
        terms: Terms,
    },
    Raw(Vec<Word>),
    Read {
        count: usize,
        terms: Terms,
        capture: Option<String>,
    },
    ReadNothing {
        millis: u64,
    },
    ReadClosed,
    /// Waits until the server says that the client is blocked.
    AwaitBlocked,
    Open,
    Close,
    /// Closes the connection and waits until the server has noticed.
    CloseNoticed,
    Sleep {
        millis: u64,
    },
}

#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    pub text: String,
    pub connection: String,
    pub action: Action,
    /// Lines with the same number were written between `%pipeline` and `%end`.
    pub pipeline: Option<usize>,
}

impl Step {
    /// Whether the connection's client is looked up in the server's list of clients.
    pub fn asks_for_client(&self) -> bool {
        match self.action {
            Action::Command { answer, .. } => answer == Answer::Blocked,
            _ => matches!(self.action, Action::AwaitBlocked | Action::CloseNoticed),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Case {
    /// `group/name`.
    pub name: String,
    pub path: String,
    pub oracle: Oracle,
    /// Commands the subject must know for the case to make sense: names, or whole ones that must have no error.
    pub needs: Vec<Vec<Vec<u8>>>,
    /// Variants that are left out, and why.
    pub excluded: Vec<(Variant, String)>,
    /// Parameters set by CONFIG SET before and restored after the case.
    pub config: Vec<(String, String)>,
    /// Arguments of servers started for this case alone.
    pub server_args: Vec<String>,
    /// Played with two processes of the subject, too.
    pub spread: bool,
    /// How long to wait for a reply.
    pub patience: Duration,
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether any line is compared with this oracle.
    pub fn consults(&self, oracle: Oracle) -> bool {
        let of_step = |step: &Step| match &step.action {
            Action::Command { terms, .. } | Action::Read { terms, .. } | Action::Scan { terms, .. } => {
                terms.oracle.unwrap_or(self.oracle)
            }
            _ => self.oracle,
        };
        self.steps.iter().map(of_step).any(|consulted| consulted == Oracle::Both || consulted == oracle)
    }

    pub fn variants(&self) -> impl Iterator<Item = Variant> {
        let variants: Vec<Variant> = Variant::all()
            .filter(|variant| self.excluded.iter().all(|(excluded, _)| excluded != variant))
            .collect();
        let plain = variants.clone().into_iter().filter(|variant| self.spread && variant.mode == Mode::Plain);
        let spread: Vec<Variant> = plain.map(|variant| Variant { spread: true, ..variant }).collect();
        variants.into_iter().chain(spread)
    }
}
