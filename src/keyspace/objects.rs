//! The objects of a batch: what key rows name by an object id, in memory as far as commands need them. Adding a type means adding a variant
//! here, its type beside `stream`, and its statements in `exec/objects`.

use std::collections::BTreeMap;

use super::Kind;
use super::stream::{NotLoaded, Stream};

/// One object.
#[derive(Debug, Clone)]
pub enum Object {
    Stream(Box<Stream>),
}

/// Objects with more elements than this are not copied among other clients' commands.
const MOST_COPIED: i64 = 10_000;

/// All objects that the commands of a batch have asked for or made.
#[derive(Debug, Default)]
pub struct Objects {
    known: BTreeMap<i64, Object>,
    /// Made by commands; forgotten when they run again.
    made: Vec<i64>,
    /// Ids for new objects.
    ids: Vec<i64>,
    missing: Vec<(Kind, i64)>,
    missing_ids: usize,
    /// Whether objects of any size may be copied.
    pub unlimited: bool,
    refused: bool,
}

impl Object {
    pub fn rewind(&mut self) {
        match self {
            Object::Stream(stream) => stream.rewind(),
        }
    }

    pub fn version(&self) -> i64 {
        match self {
            Object::Stream(stream) => stream.version(),
        }
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        match self {
            Object::Stream(stream) => stream.is_changed(),
        }
    }

    /// Whether a blocked client may wait for what has changed.
    pub fn may_serve(&self) -> bool {
        match self {
            Object::Stream(stream) => stream.may_serve(),
        }
    }

    fn copy(&self) -> Object {
        match self {
            Object::Stream(stream) => Object::Stream(Box::new(stream.copy())),
        }
    }

    fn length(&self) -> i64 {
        match self {
            Object::Stream(stream) => stream.state.length,
        }
    }

    fn lacks(&self) -> bool {
        match self {
            Object::Stream(stream) => stream.lacks(),
        }
    }
}

impl Objects {
    pub fn get(&self, id: i64) -> Option<&Object> {
        self.known.get(&id)
    }

    /// All that are known, with their ids.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut Object)> {
        self.known.iter_mut().map(|(id, object)| (*id, object))
    }

    /// Takes an object that was loaded.
    pub fn insert(&mut self, id: i64, object: Object) {
        self.known.insert(id, object);
    }

    /// Takes ids for objects to be made.
    pub fn provide(&mut self, ids: Vec<i64>) {
        self.ids.extend(ids);
    }

    /// The stream of a key row.
    pub fn stream(&mut self, id: i64) -> Result<&mut Stream, NotLoaded> {
        match self.known.get_mut(&id) {
            Some(Object::Stream(stream)) => {
                stream.groups.unlimited = self.unlimited;
                Ok(stream)
            }
            None => {
                self.missing.push((Kind::Stream, id));
                Err(NotLoaded)
            }
        }
    }

    /// The version of an object, of any kind that has one.
    pub fn version(&mut self, kind: Kind, id: i64) -> Result<i64, NotLoaded> {
        self.known(kind, id).map(|object| object.version())
    }

    fn known(&mut self, kind: Kind, id: i64) -> Result<&Object, NotLoaded> {
        if !self.known.contains_key(&id) {
            self.missing.push((kind, id));
        }
        self.known.get(&id).ok_or(NotLoaded)
    }

    /// Makes an object and gives its id; that of an object in unlogged tables is below zero.
    pub fn make(&mut self, object: Object, unlogged: bool) -> Result<i64, NotLoaded> {
        let Some(id) = self.ids.pop() else {
            self.missing_ids += 1;
            return Err(NotLoaded);
        };
        let id = if unlogged { -id } else { id };
        self.made.push(id);
        self.known.insert(id, object);
        Ok(id)
    }

    /// Makes another object of the same contents.
    pub fn copy(&mut self, kind: Kind, id: i64, unlogged: bool) -> Result<i64, NotLoaded> {
        let unlimited = self.unlimited;
        let object = self.known(kind, id)?;
        if object.length() > MOST_COPIED && !unlimited {
            self.refused = true;
            return Err(NotLoaded);
        }
        let copy = object.copy();
        self.make(copy, unlogged)
    }

    /// Whether commands have failed for want of something.
    pub fn lacks(&self) -> bool {
        self.missing_ids > 0 || !self.missing.is_empty() || self.known.values().any(Object::lacks)
    }

    /// How many ids were missing.
    pub fn missing_ids(&self) -> usize {
        self.missing_ids
    }

    /// Ids of the objects of a kind that were missing.
    pub fn missing(&self, kind: Kind) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.missing.iter().filter(|(of, _)| *of == kind).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether a command was refused since the last time because it does not belong among others.
    pub fn take_refusal(&mut self) -> bool {
        let of_groups = |refused, object: &mut Object| match object {
            Object::Stream(stream) => stream.groups.take_refusal() || refused,
        };
        let refused = std::mem::take(&mut self.refused);
        self.known.values_mut().fold(refused, of_groups)
    }

    /// Forgets what commands did, but not what was loaded.
    pub fn rewind(&mut self) {
        for id in self.made.drain(..) {
            self.known.remove(&id);
            self.ids.push(id.abs());
        }
        self.known.values_mut().for_each(Object::rewind);
        self.missing.clear();
        self.missing_ids = 0;
        self.refused = false;
    }
}
