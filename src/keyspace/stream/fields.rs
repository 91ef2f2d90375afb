//! The fields of an entry as they are stored: names and values in turn, each as its length and its bytes.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::node::element_size;

/// Fields of an entry on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// What stands in the table.
    pub packed: Bytes,
    /// How many pairs.
    pub pairs: usize,
    /// The bytes of names and values without any overhead.
    pub bytes: usize,
    /// What Redis's listpack would need for the names, and for the values.
    pub name_size: usize,
    pub value_size: usize,
    /// Stands for the names.
    pub digest: i64,
}

impl Fields {
    /// From names and values in turn.
    pub fn new(words: &[Bytes]) -> Fields {
        let bytes = words.iter().map(Bytes::len).sum();
        let mut packed = Vec::with_capacity(bytes + 4 * words.len());
        let mut names = Sha256::new();
        let (mut name_size, mut value_size) = (0, 0);
        for pair in words.chunks(2) {
            for word in pair {
                packed.extend((word.len() as u32).to_be_bytes());
                packed.extend_from_slice(word);
            }
            names.update((pair[0].len() as u32).to_be_bytes());
            names.update(&pair[0]);
            name_size += element_size(&pair[0]);
            value_size += pair.get(1).map_or(0, |value| element_size(value));
        }
        let digest = names.finalize();
        let digest = i64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
        Fields { packed: packed.into(), pairs: words.len() / 2, bytes, name_size, value_size, digest }
    }
}

/// The names and values in turn.
pub fn unpack(packed: &Bytes) -> Vec<Bytes> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(size) = packed.get(at..at + 4) {
        let size = u32::from_be_bytes(size.try_into().expect("four bytes")) as usize;
        let end = (at + 4 + size).min(packed.len());
        words.push(packed.slice(at + 4..end));
        at = end;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let words: Vec<Bytes> = ["a", "1", "", "x\0y"].map(Bytes::from).to_vec();
        let fields = Fields::new(&words);
        assert_eq!((fields.pairs, fields.bytes), (2, 5));
        assert_eq!(unpack(&fields.packed), words);
        assert_eq!(unpack(&Bytes::new()), Vec::<Bytes>::new());
        let other = ["a", "2", "", "z"].map(Bytes::from);
        assert_eq!(Fields::new(&other).digest, fields.digest);
    }
}
