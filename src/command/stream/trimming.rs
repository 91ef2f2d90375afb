//! The options of XADD and XTRIM that say what to trim.

use crate::command::{Args, CommandError};
use crate::keyspace::stream::{MOST_ENTRIES, NotLoaded, Stream, StreamId, Trim};

/// `MAXLEN|MINID [=|~] threshold [LIMIT count]`, as far as it was given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trimming {
    trim: Option<Trim>,
    /// By whole nodes only (`~`).
    nodes: bool,
    limit: Option<u64>,
}

const BOTH: CommandError =
    CommandError::constant("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");

impl Trimming {
    /// Reads one option; false if the next word begins none. A name without anything after it is none.
    pub fn option(&mut self, args: &mut Args) -> Result<bool, CommandError> {
        if args.left() < 2 {
            return Ok(false);
        }
        if args.take("MAXLEN") {
            self.begin(args)?;
            let length = u64::try_from(args.integer()?)
                .map_err(|_| CommandError::constant("ERR The MAXLEN argument must be >= 0."))?;
            self.trim = Some(Trim::Length(length));
        } else if args.take("MINID") {
            self.begin(args)?;
            let id = StreamId::parse(args.word()?, 0).ok_or(CommandError::INVALID_STREAM_ID)?;
            self.trim = Some(Trim::Id(id));
        } else if args.take("LIMIT") {
            let limit = u64::try_from(args.integer()?)
                .map_err(|_| CommandError::constant("ERR The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn begin(&mut self, args: &mut Args) -> Result<(), CommandError> {
        if self.trim.is_some() {
            return Err(BOTH);
        }
        self.nodes = false;
        // The sign is one only if something follows.
        if args.left() > 1 {
            self.nodes = args.take("~");
            let _ = self.nodes || args.take("=");
        }
        Ok(())
    }

    /// Checks that the options fit together; `required` says that there must be a threshold.
    pub fn end(&mut self, required: bool) -> Result<(), CommandError> {
        if self.trim.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return Err(CommandError::constant(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.trim.is_none() && required {
            return Err(CommandError::constant(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        match self.limit {
            Some(_) if !self.nodes => Err(CommandError::constant(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            )),
            Some(_) => Ok(()),
            None => {
                self.limit = self.nodes.then_some(100 * MOST_ENTRIES);
                Ok(())
            }
        }
    }

    /// Trims; says how many entries were removed.
    pub fn apply(&self, stream: &mut Stream) -> Result<u64, NotLoaded> {
        match self.trim {
            None => Ok(0),
            Some(trim) if self.nodes => stream.trim_nodes(trim, self.limit.filter(|limit| *limit > 0)),
            Some(trim) => stream.trim(trim),
        }
    }
}
