//! What stands for a key in the keys table.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Keys up to this length are stored as they are.
pub const LONGEST_RAW: usize = 1023;

/// The value of the columns `key` and `long_key`.
///
/// A B-tree entry is limited to some 2700 bytes, a Redis key to 512 MB. A key of up to 1023 bytes is stored as it is. Of
/// a longer one `key` holds the first 992 bytes and the SHA-256 of all of it, 1024 bytes together, and `long_key` the
/// whole. So both forms cannot meet, and `key` alone is unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredKey(Bytes);

impl StoredKey {
    /// How many bytes of a longer key stand at the front of its abbreviation.
    pub const PREFIX: usize = 992;

    pub fn new(key: &Bytes) -> Self {
        if key.len() <= LONGEST_RAW {
            return Self(key.clone());
        }
        let mut stored = Vec::with_capacity(Self::PREFIX + 32);
        stored.extend_from_slice(&key[..Self::PREFIX]);
        stored.extend_from_slice(&Sha256::digest(key));
        Self(stored.into())
    }

    /// Whether the whole key has to go to `long_key`.
    pub fn is_abbreviated(&self) -> bool {
        self.0.len() > LONGEST_RAW
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// The value of the column `long_key` for `key`.
pub fn long_key(key: &Bytes) -> Option<&Bytes> {
    (key.len() > LONGEST_RAW).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_abbreviated() {
        let raw = Bytes::from(vec![b'k'; LONGEST_RAW]);
        assert_eq!(StoredKey::new(&raw).into_bytes(), raw);
        assert_eq!(long_key(&raw), None);
        let long = Bytes::from(vec![b'k'; LONGEST_RAW + 1]);
        let stored = StoredKey::new(&long);
        assert!(stored.is_abbreviated() && stored.as_bytes().len() == 1024);
        assert_eq!(stored.as_bytes()[..992], long[..992]);
        assert_eq!(long_key(&long), Some(&long));
        let mut other = long.to_vec();
        other[1023] = b'x';
        assert_ne!(StoredKey::new(&other.into()), stored);
    }
}
