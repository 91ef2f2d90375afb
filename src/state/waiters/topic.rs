//! What names a key among those who wait for it, in this process and between processes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::keyspace::{DbIndex, StoredKey};

/// A key of a logical database: `DB:KEY`, a long key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic(Bytes);

impl Topic {
    pub fn new(db: DbIndex, key: &Bytes) -> Topic {
        Topic::stored(db, &StoredKey::new(key))
    }

    pub fn stored(DbIndex(db): DbIndex, key: &StoredKey) -> Topic {
        let mut topic = BytesMut::with_capacity(key.as_bytes().len() + 11);
        topic.put_slice(db.to_string().as_bytes());
        topic.put_u8(b':');
        topic.put_slice(key.as_bytes());
        Topic(topic.freeze())
    }

    /// From what another process or SQL has sent.
    pub fn from_bytes(bytes: Bytes) -> Topic {
        Topic(bytes)
    }

    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The database and the key as it is stored.
    pub fn parts(&self) -> Option<(DbIndex, &[u8])> {
        let colon = self.0.iter().position(|byte| *byte == b':')?;
        let db = std::str::from_utf8(&self.0[..colon]).ok()?.parse().ok()?;
        Some((DbIndex(db), &self.0[colon + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_parts() {
        let topic = Topic::new(DbIndex(12), &Bytes::from_static(b"a:b\xff"));
        assert_eq!(topic.as_bytes(), &b"12:a:b\xff"[..]);
        assert_eq!(topic.parts(), Some((DbIndex(12), &b"a:b\xff"[..])));
        assert_eq!(Topic::from_bytes(Bytes::from_static(b"x:a")).parts(), None);
        assert_eq!(Topic::new(DbIndex(0), &vec![b'k'; 5000].into()).as_bytes().len(), 1026);
    }
}
