//! What has happened on the side that answers, as it waits for the follower: in memory, or in its spool form.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::effect::Name;
use crate::command::copy::KeyState;
use crate::command::detach;
use crate::keyspace::DbIndex;
use crate::keyspace::slot::Slot;
use crate::resp::Protocol;

/// The hash slots that a write touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    Slots(SmallVec<[u16; 2]>),
    /// Whole databases, or keys that nobody knows.
    All,
}

impl Touched {
    pub fn none() -> Touched {
        Touched::Slots(SmallVec::new())
    }

    /// Those of keys.
    pub fn of(keys: &[Bytes]) -> Touched {
        Touched::Slots(keys.iter().map(|key| Slot::of(key).0).collect())
    }
}

/// One thing that has happened. Records stand in the order in which they happened.
#[derive(Debug)]
pub struct Record {
    pub db: DbIndex,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    pub touched: Touched,
    /// Whether somebody wrote these slots another way at that time: replies may differ, since nobody knows who was first.
    pub beside: bool,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// Calls of one client, one after the other, and their replies in the form of this protocol. What was queued after MULTI was answered with QUEUED.
    Calls { calls: Vec<Vec<Bytes>>, replies: Vec<Bytes>, protocol: Protocol },
    /// Something has happened to these keys.
    Keys(Vec<Name>),
    /// What a key was at this place, which the follower had asked for.
    State { key: Bytes, ticket: u64, found: Found, size: usize },
}

/// What has come of asking for a key's state.
#[derive(Debug)]
pub enum Found {
    State(KeyState),
    /// It takes more bytes than were to be asked for.
    TooLarge,
    /// It is not known, or not any more.
    Nothing,
}

/// What a record takes beside its words.
const OVERHEAD: usize = 160;

impl Record {
    /// Bytes of memory, roughly.
    pub fn size(&self) -> usize {
        let words = |argv: &[Bytes]| argv.iter().map(|arg| arg.len() + size_of::<Bytes>()).sum::<usize>();
        OVERHEAD
            + match &self.what {
                What::Calls { calls, replies, .. } => {
                    calls.iter().map(|argv| words(argv)).sum::<usize>() + words(replies)
                }
                What::Keys(names) => names.iter().map(|(_, key)| key.len() + size_of::<Name>()).sum(),
                What::State { key, size, .. } => key.len() + size,
            }
    }

    /// Copies small words: [`Record::size`] knows nothing of the read buffers that they are pieces of.
    pub fn detach(&mut self) {
        match &mut self.what {
            What::Calls { calls, replies, .. } => {
                detach(&mut calls.iter_mut().flatten().chain(replies).collect::<Vec<_>>());
            }
            What::Keys(names) => detach(&mut names.iter_mut().map(|(_, key)| key).collect::<Vec<_>>()),
            What::State { key, .. } => detach(&mut [key]),
        }
    }

    /// Of a state leaves only that it had been asked for; says whether it was one.
    pub fn forget_state(&mut self) -> bool {
        if let What::State { found, size, .. } = &mut self.what {
            (*found, *size) = (Found::Nothing, 0);
            return true;
        }
        false
    }

    /// Appends the spool form: a length, and so many bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(0);
        out.put_u32(self.db.0);
        out.put_i64(self.at);
        out.put_u8(u8::from(self.beside));
        match &self.touched {
            Touched::All => out.put_u32(u32::MAX),
            Touched::Slots(slots) => {
                out.put_u32(slots.len() as u32);
                slots.iter().for_each(|slot| out.put_u16(*slot));
            }
        }
        match &self.what {
            What::Calls { calls, replies, protocol } => {
                out.put_u8(if *protocol == Protocol::Resp3 { 2 } else { 1 });
                out.put_u32(calls.len() as u32);
                calls.iter().for_each(|argv| put_words(argv, out));
                put_words(replies, out);
            }
            What::Keys(names) => {
                out.put_u8(3);
                out.put_u32(names.len() as u32);
                for (db, key) in names {
                    out.put_u32(db.0);
                    put_word(key, out);
                }
            }
            // The value is not kept: it is asked for again.
            What::State { key, ticket, .. } => {
                out.put_u8(4);
                out.put_u64(*ticket);
                put_word(key, out);
            }
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Reads one off the front; `None` if it is not whole.
    pub fn decode(from: &mut Bytes) -> Option<Record> {
        let length = from.try_get_u32().ok()? as usize;
        if from.len() < length {
            return None;
        }
        let mut from = from.split_to(length);
        let (db, at) = (DbIndex(from.try_get_u32().ok()?), from.try_get_i64().ok()?);
        let beside = from.try_get_u8().ok()? != 0;
        let touched = match from.try_get_u32().ok()? {
            u32::MAX => Touched::All,
            count => {
                let slots: Option<SmallVec<_>> = (0..count).map(|_| from.try_get_u16().ok()).collect();
                Touched::Slots(slots?)
            }
        };
        let what = match from.try_get_u8().ok()? {
            version @ (1 | 2) => {
                let protocol = if version == 2 { Protocol::Resp3 } else { Protocol::Resp2 };
                let count = from.try_get_u32().ok()?;
                let calls: Option<Vec<_>> = (0..count).map(|_| words(&mut from)).collect();
                What::Calls { calls: calls?, replies: words(&mut from)?, protocol }
            }
            3 => {
                let count = from.try_get_u32().ok()?;
                let name = |from: &mut Bytes| Some((DbIndex(from.try_get_u32().ok()?), word(from)?));
                What::Keys((0..count).map(|_| name(&mut from)).collect::<Option<_>>()?)
            }
            4 => {
                let ticket = from.try_get_u64().ok()?;
                What::State { key: word(&mut from)?, ticket, found: Found::Nothing, size: 0 }
            }
            _ => return None,
        };
        Some(Record { db, at, touched, beside, what })
    }
}

fn put_words(words: &[Bytes], out: &mut BytesMut) {
    out.put_u32(words.len() as u32);
    words.iter().for_each(|word| put_word(word, out));
}

fn put_word(word: &Bytes, out: &mut BytesMut) {
    out.put_u32(word.len() as u32);
    out.put_slice(word);
}

fn words(from: &mut Bytes) -> Option<Vec<Bytes>> {
    let count = from.try_get_u32().ok()?;
    (0..count).map(|_| word(from)).collect()
}

fn word(from: &mut Bytes) -> Option<Bytes> {
    let length = from.try_get_u32().ok()? as usize;
    (from.len() >= length).then(|| from.split_to(length))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A SET of a value of so many bytes.
    pub fn set(key: &str, bytes: usize) -> Record {
        let argv = vec![Bytes::from("SET"), Bytes::from(key.to_owned()), Bytes::from(vec![b'v'; bytes])];
        let replies = vec![Bytes::from("+OK\r\n")];
        let what = What::Calls { calls: vec![argv], replies, protocol: Protocol::Resp2 };
        let touched = Touched::Slots([1, 16383].into_iter().collect());
        Record { db: DbIndex(3), at: -7, touched, beside: true, what }
    }

    #[test]
    fn what_waits_keeps_no_read_buffers() {
        let mut buffer = BytesMut::zeroed(64 << 10);
        let argv: Vec<Bytes> = (0..3).map(|_| buffer.split_to(8).freeze()).collect();
        let large = Bytes::from(vec![0; 16_384]);
        let replies = vec![large.clone()];
        let what = What::Calls { calls: vec![argv], replies, protocol: Protocol::Resp2 };
        let mut record = Record { db: DbIndex(0), at: 0, touched: Touched::none(), beside: false, what };
        record.detach();
        let What::Calls { calls, replies, .. } = &record.what else { panic!("no calls") };
        assert_eq!(calls[0], vec![Bytes::from_static(&[0; 8]); 3]);
        assert_eq!((replies[0].as_ptr(), replies[0].len()), (large.as_ptr(), 16_384));
        // Nobody else has a part of it.
        buffer.clear();
        assert!(buffer.try_reclaim(64 << 10));
    }

    #[test]
    fn what_is_spooled_comes_back() {
        let words = |text: &str| text.split(' ').map(|word| Bytes::from(word.to_owned())).collect::<Vec<_>>();
        let calls = vec![words("SET k v"), words("INCR n")];
        let whats = [
            What::Calls { calls, replies: words("+OK :1"), protocol: Protocol::Resp2 },
            What::Calls { calls: Vec::new(), replies: Vec::new(), protocol: Protocol::Resp3 },
            What::Keys(words("a b").into_iter().zip([7, 8]).map(|(key, db)| (DbIndex(db), key)).collect()),
            What::State { key: Bytes::from_static(b"\0\xff"), ticket: 9, found: Found::Nothing, size: 0 },
        ];
        let mut spooled = BytesMut::new();
        let mut shown = Vec::new();
        for (i, what) in whats.into_iter().enumerate() {
            let touched = if i == 0 { Touched::All } else { set("k", 1).touched };
            let record = Record { db: DbIndex(i as u32), at: i as i64, touched, beside: i == 1, what };
            record.encode(&mut spooled);
            shown.push(format!("{record:?}"));
        }
        let whole = spooled.freeze();
        let mut from = whole.clone();
        for record in shown {
            assert_eq!(format!("{:?}", Record::decode(&mut from).expect("whole")), record);
        }
        assert!(from.is_empty());
        for end in 0..whole.len().min(60) {
            assert!(Record::decode(&mut whole.slice(..end)).is_none_or(|_| end > 40), "cut at {end}");
        }
    }
}
