//! The nodes in which Redis would keep the entries. Nothing here is kept so, but trimming with `~` goes by whole nodes, and clients see which
//! entries stay. Sizes are those of a listpack.

use super::{Fields, StreamId};
use crate::keyspace::number::parse_i64;

/// Redis's defaults of stream-node-max-bytes and stream-node-max-entries.
const MOST_BYTES: usize = 4096;
pub const MOST_ENTRIES: u64 = 100;

/// The node that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Node {
    /// Its number within the stream; numbers wrap.
    pub number: i32,
    /// The id of its first entry, which may be deleted by now.
    pub first: StreamId,
    /// Stands for the first entry's names.
    pub digest: i64,
    pub bytes: i32,
    /// Deleted ones too.
    pub entries: i32,
    /// Without deleted ones. 0: there is no node to write to.
    pub live: i32,
}

impl Node {
    /// Puts an entry into this node or begins the next.
    pub fn append(&mut self, id: StreamId, fields: &Fields) {
        let full = self.bytes as usize + fields.bytes >= MOST_BYTES || self.entries as u64 >= MOST_ENTRIES;
        if self.live == 0 || full {
            // Header and end, number of entries, of deleted ones, of names, the names, a zero.
            let head = 7 + 2 + 2 + integer_size(fields.pairs as i64) + fields.name_size + 2;
            let number = self.number.wrapping_add(1);
            *self =
                Node { number, first: id, digest: fields.digest, bytes: head as i32, entries: 0, live: 0 };
        }
        let same_names = self.digest == fields.digest;
        let ms = id.ms.wrapping_sub(self.first.ms) as i64;
        let seq = id.seq.wrapping_sub(self.first.seq) as i64;
        let mut size = 2 + integer_size(ms) + integer_size(seq) + fields.value_size;
        let mut elements = fields.pairs + 3;
        if !same_names {
            size += integer_size(fields.pairs as i64) + fields.name_size;
            elements += fields.pairs + 1;
        }
        size += integer_size(elements as i64);
        self.bytes = self.bytes.saturating_add(size.min(i32::MAX as usize) as i32);
        self.entries += 1;
        self.live += 1;
    }
}

/// What a listpack needs for a string: numbers are kept as such.
pub fn element_size(bytes: &[u8]) -> usize {
    if let Some(number) = parse_i64(bytes) {
        return integer_size(number);
    }
    let encoded = bytes.len()
        + match bytes.len() {
            0..64 => 1,
            64..4096 => 2,
            _ => 5,
        };
    encoded + back_length(encoded)
}

fn integer_size(number: i64) -> usize {
    let encoded = match number {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32768..=32767 => 3,
        -8388608..=8388607 => 4,
        -2147483648..=2147483647 => 5,
        _ => 9,
    };
    encoded + back_length(encoded)
}

fn back_length(encoded: usize) -> usize {
    match encoded {
        0..=127 => 1,
        128..16383 => 2,
        16383..2097151 => 3,
        2097151..268435455 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_node_holds_a_hundred_entries_or_4_kilobytes() {
        let small = Fields::new(&["f", "1"].map(Bytes::from));
        let mut node = Node::default();
        (1..=100).for_each(|seq| node.append(StreamId::new(1, seq), &small));
        assert_eq!((node.number, node.live), (1, 100));
        node.append(StreamId::new(1, 101), &small);
        assert_eq!((node.number, node.live, node.first), (2, 1, StreamId::new(1, 101)));
        let large = Fields::new(&["f".into(), Bytes::from(vec![b'x'; 2000])]);
        node.append(StreamId::new(2, 0), &large);
        node.append(StreamId::new(3, 0), &large);
        assert_eq!((node.number, node.live), (2, 3));
        node.append(StreamId::new(4, 0), &small);
        assert_eq!(node.number, 2);
        node.append(StreamId::new(5, 0), &large);
        assert_eq!(node.number, 3);
    }
}
