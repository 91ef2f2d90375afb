//! The window through which a command's pure function sees and changes its keys. Hot path.

use bytes::Bytes;

use super::error::CommandError;
use crate::keyspace::stream::Stream;
use crate::keyspace::{Classes, Entry, Event, Expiry, Kind, Object, Objects, Value};

/// A key of a batch: what was read, and what the commands so far made of it.
#[derive(Debug, Default)]
pub struct Slot {
    /// The live state: `None` if the key is absent or expired.
    pub entry: Option<Entry>,
    /// Whether a command of this batch wrote the key.
    pub dirty: bool,
    /// Whether more than its expiry was written.
    pub replaced: bool,
    /// Whether that may be what a client waits for that is blocked on the key.
    pub ready: bool,
    /// Whether it belongs to a database of class cache.
    pub unlogged: bool,
}

/// The keys of one operation, by their position in its key list.
pub struct View<'a> {
    slots: &'a mut [Slot],
    positions: &'a [u32],
    objects: &'a mut Objects,
    now_us: i64,
    wanted: Classes,
    events: Vec<(usize, Event)>,
}

impl<'a> View<'a> {
    /// `positions` are the places of the operation's keys in `slots`; `now_us` is the database's clock in microseconds,
    /// 0 if it is not known (overwrites).
    pub fn new(
        slots: &'a mut [Slot],
        positions: &'a [u32],
        objects: &'a mut Objects,
        now_us: i64,
    ) -> View<'a> {
        View { slots, positions, objects, now_us, wanted: Classes::NONE, events: Vec::new() }
    }

    /// With keyspace notifications of these classes.
    pub fn noting(mut self, wanted: Classes) -> View<'a> {
        self.wanted = wanted;
        self
    }

    /// Whether such events are wanted.
    pub fn notes(&self, event: Event) -> bool {
        self.wanted.has(event.class)
    }

    /// Notes that something has happened to a key, for keyspace notifications. That a key is new is noted by the view itself.
    pub fn note(&mut self, i: usize, event: Event) {
        if self.wanted.has(event.class) {
            self.events.push((i, event));
        }
    }

    /// Notes that a command has looked for a key in vain; for commands that only read it is noted by itself.
    pub fn note_miss(&mut self, i: usize) {
        if !self.exists(i) {
            self.note(i, Event::MISS);
        }
    }

    /// What was noted, in order.
    pub fn into_events(self) -> Vec<(usize, Event)> {
        self.events
    }

    /// Milliseconds since the epoch, the same for the whole batch.
    pub fn now(&self) -> i64 {
        self.now_us / 1000
    }

    /// Microseconds since the epoch.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// How many keys the operation has.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Whether two of the operation's keys are the same key.
    pub fn same(&self, a: usize, b: usize) -> bool {
        self.positions[a] == self.positions[b]
    }

    fn slot(&self, i: usize) -> &Slot {
        &self.slots[self.positions[i] as usize]
    }

    fn slot_mut(&mut self, i: usize) -> &mut Slot {
        let slot = &mut self.slots[self.positions[i] as usize];
        slot.dirty = true;
        slot
    }

    /// The key, if it is there and alive.
    pub fn entry(&self, i: usize) -> Option<&Entry> {
        self.slot(i).entry.as_ref()
    }

    pub fn exists(&self, i: usize) -> bool {
        self.slot(i).entry.is_some()
    }

    /// The key's bytes if it is a string, `None` if it is absent, WRONGTYPE if it is something else.
    pub fn string(&self, i: usize) -> Result<Option<&Bytes>, CommandError> {
        match self.entry(i) {
            None => Ok(None),
            Some(Entry { value: Value::Inline(bytes), .. }) => Ok(Some(bytes)),
            Some(Entry { value: Value::Unfetched(_), .. }) => {
                unreachable!("the plan did not ask for this value")
            }
            Some(_) => Err(CommandError::WRONG_TYPE),
        }
    }

    /// As [`View::string`], with the empty string for an absent key.
    pub fn string_or_empty(&self, i: usize) -> Result<Bytes, CommandError> {
        Ok(self.string(i)?.cloned().unwrap_or_default())
    }

    /// The length of the string in bytes, 0 for an absent key, WRONGTYPE for something else.
    pub fn string_length(&self, i: usize) -> Result<usize, CommandError> {
        match self.entry(i) {
            None => Ok(0),
            Some(entry) if entry.kind == Kind::String => Ok(entry.string_length()),
            Some(_) => Err(CommandError::WRONG_TYPE),
        }
    }

    /// Puts an entry whatever was there; one that has expired already leaves nothing.
    pub fn put(&mut self, i: usize, mut entry: Entry) {
        if self.now_us > 0 {
            if let Expiry::After(ms) = entry.expiry {
                entry.expiry = Expiry::At(self.now().saturating_add(ms));
            }
            if entry.expiry.is_past(self.now()) {
                let slot = self.slot_mut(i);
                slot.entry = None;
                slot.ready = true;
                return;
            }
        }
        if !self.exists(i) {
            self.note(i, Event::NEW);
        }
        let slot = self.slot_mut(i);
        slot.entry = Some(entry);
        slot.replaced = true;
        slot.ready = true;
    }

    /// Puts a string whatever was there.
    pub fn put_string(&mut self, i: usize, value: Bytes, expiry: Expiry) {
        self.put(i, Entry::string(value, expiry));
    }

    /// Changes a string's bytes; the expiry stays, a new key has none.
    pub fn set_string(&mut self, i: usize, value: Bytes) {
        let expiry = self.entry(i).map_or(Expiry::Never, |entry| entry.expiry);
        self.put_string(i, value, expiry);
    }

    /// Changes a string's bytes in place, an absent key's from nothing; the expiry stays. What `edit` answers is passed on.
    /// Copies the bytes only if somebody else holds them (a reply of the same batch, the row they came in).
    pub fn edit_string<T>(
        &mut self,
        i: usize,
        edit: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Result<T, CommandError> {
        self.edit_string_if(i, |bytes| (edit(bytes), true))
    }

    /// As `edit_string`, by an `edit` that also answers whether it has changed the bytes: if not, the key is not written.
    pub fn edit_string_if<T>(
        &mut self,
        i: usize,
        edit: impl FnOnce(&mut Vec<u8>) -> (T, bool),
    ) -> Result<T, CommandError> {
        self.string(i)?;
        let slot = &mut self.slots[self.positions[i] as usize];
        let place = match &mut slot.entry {
            Some(Entry { value: Value::Inline(bytes), .. }) => Some(bytes),
            _ => None,
        };
        let mut bytes = Vec::from(place.map(std::mem::take).unwrap_or_default());
        let (answer, changed) = edit(&mut bytes);
        if changed {
            self.set_string(i, bytes.into());
        } else if let Some(Entry { value, .. }) = &mut slot.entry {
            *value = Value::Inline(bytes.into());
        }
        Ok(answer)
    }

    /// Changes the expiry of a key that is there; does nothing to an absent one.
    pub fn set_expiry(&mut self, i: usize, expiry: Expiry) {
        if self.exists(i)
            && let Some(entry) = &mut self.slot_mut(i).entry
        {
            entry.expiry = expiry;
        }
    }

    /// The stream, `None` if the key is absent, WRONGTYPE if it is something else. The key use must be a [`KeyUse::object`].
    /// Its methods fail if they need what is not loaded; pass that on with `?`, then the command runs again.
    ///
    /// [`KeyUse::object`]: super::KeyUse::object
    pub fn stream(&mut self, i: usize) -> Result<Option<&mut Stream>, CommandError> {
        match self.entry(i) {
            None => Ok(None),
            Some(&Entry { kind: Kind::Stream, value: Value::Object(id), .. }) => {
                Ok(Some(self.objects.stream(id)?))
            }
            Some(_) => Err(CommandError::WRONG_TYPE),
        }
    }

    /// As [`View::stream`], making an empty one if the key is absent. Only when nothing can fail any more.
    pub fn stream_or_new(&mut self, i: usize) -> Result<&mut Stream, CommandError> {
        if !self.exists(i) {
            let unlogged = self.slot(i).unlogged;
            let id = self.objects.make(Object::Stream(Box::new(Stream::new())), unlogged)?;
            let value = Value::Object(id);
            self.put(i, Entry { kind: Kind::Stream, value, expiry: Expiry::Never });
        }
        Ok(self.stream(i)?.expect("it is there"))
    }

    /// What the key holds, for another key: an object's copy. `None` if the key is absent.
    pub fn copied(&mut self, from: usize, to: usize) -> Result<Option<Entry>, CommandError> {
        let unlogged = self.slot(to).unlogged;
        let Some(mut entry) = self.entry(from).cloned() else { return Ok(None) };
        if let Value::Object(id) = entry.value {
            entry.value = Value::Object(self.objects.copy(entry.kind, id, unlogged)?);
        }
        Ok(Some(entry))
    }

    /// What the key holds, for another key that gets it instead: an object stays the same if it can.
    pub fn handed_over(&mut self, from: usize, to: usize) -> Result<Option<Entry>, CommandError> {
        match self.slot(from).unlogged == self.slot(to).unlogged {
            true => Ok(self.entry(from).cloned()),
            false => self.copied(from, to),
        }
    }

    /// Removes the key and says what it was.
    pub fn remove(&mut self, i: usize) -> Option<Entry> {
        if !self.exists(i) {
            return None;
        }
        let slot = self.slot_mut(i);
        slot.ready = true;
        slot.entry.take()
    }
}
