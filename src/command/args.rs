//! A cursor over a call's arguments.

use bytes::Bytes;

use super::error::CommandError;
use crate::keyspace::number;

/// The words after the command's name (or sub-command's), read one by one. First error wins: use `?` throughout and [`Args::end`] last.
#[derive(Debug)]
pub struct Args<'a> {
    argv: &'a [Bytes],
    at: usize,
    name: &'static str,
}

impl<'a> Args<'a> {
    /// `argv` is the whole call; the first `skip` words are the name.
    pub fn new(argv: &'a [Bytes], skip: usize, name: &'static str) -> Args<'a> {
        Args { argv, at: skip.min(argv.len()), name }
    }

    /// The command's name in small letters, for error texts; sub-commands as `client|id`.
    pub fn command_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// How many words are left.
    pub fn left(&self) -> usize {
        self.argv.len() - self.at
    }

    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// The words that are left, without taking them.
    pub fn rest(&self) -> &'a [Bytes] {
        &self.argv[self.at..]
    }

    /// The whole call, name included.
    pub fn argv(&self) -> &'a [Bytes] {
        self.argv
    }

    pub fn peek(&self) -> Option<&'a Bytes> {
        self.argv.get(self.at)
    }

    /// The next word; a missing one is Redis's syntax error (arity is checked before `plan`).
    pub fn word(&mut self) -> Result<&'a Bytes, CommandError> {
        let word = self.argv.get(self.at).ok_or(CommandError::SYNTAX)?;
        self.at += 1;
        Ok(word)
    }

    /// The next word as a key, member or value.
    pub fn bytes(&mut self) -> Result<Bytes, CommandError> {
        self.word().cloned()
    }

    /// The next word if it is `token` in any case.
    pub fn take(&mut self, token: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(token.as_bytes()));
        self.at += found as usize;
        found
    }

    /// The next word as an i64 in Redis's strict form.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        number::parse_i64(self.word()?).ok_or(CommandError::NOT_AN_INTEGER)
    }

    /// Fails with a syntax error unless every word was taken.
    pub fn end(&self) -> Result<(), CommandError> {
        if self.is_empty() { Ok(()) } else { Err(CommandError::SYNTAX) }
    }
}
