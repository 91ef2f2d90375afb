//! LCS: the longest common subsequence of two values, with Redis's choice among equally long ones.

use std::ops::RangeInclusive;

/// What the lengths of two values rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LcsError {
    /// The table would be larger than `proto-max-bulk-len`.
    TableTooLarge,
    StringTooLong,
}

/// The table of common lengths for all pairs of prefixes.
pub struct Lcs<'a> {
    a: &'a [u8],
    b: &'a [u8],
    lengths: Vec<u32>,
}

/// A run of bytes both values share, as positions in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub a: RangeInclusive<usize>,
    pub b: RangeInclusive<usize>,
}

impl Match {
    pub fn length(&self) -> usize {
        self.a.end() - self.a.start() + 1
    }
}

impl<'a> Lcs<'a> {
    /// Takes time and memory proportional to the product of both lengths; the table has at most `max_table` bytes.
    pub fn new(a: &'a [u8], b: &'a [u8], max_table: usize) -> Result<Self, LcsError> {
        let longest = u32::MAX as usize - 1;
        if a.len() >= longest || b.len() >= longest {
            return Err(LcsError::StringTooLong);
        }
        let width = b.len() + 1;
        let cells = (a.len() + 1) * width;
        if cells.checked_mul(size_of::<u32>()).is_none_or(|bytes| bytes > max_table) {
            return Err(LcsError::TableTooLarge);
        }
        let mut lengths = vec![0; cells];
        for (row, byte) in a.iter().enumerate() {
            let (above, current) = lengths[row * width..(row + 2) * width].split_at_mut(width);
            for (column, other) in b.iter().enumerate() {
                current[column + 1] =
                    if byte == other { above[column] + 1 } else { above[column + 1].max(current[column]) };
            }
        }
        Ok(Self { a, b, lengths })
    }

    pub fn length(&self) -> usize {
        self.common(self.a.len(), self.b.len()) as usize
    }

    /// The common subsequence itself.
    pub fn text(&self) -> Vec<u8> {
        let mut text: Vec<u8> = self.steps().map(|(i, _)| self.a[i]).collect();
        text.reverse();
        text
    }

    /// Its contiguous runs, last one first.
    pub fn matches(&self) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        for (i, j) in self.steps() {
            match matches.last_mut() {
                Some(last) if *last.a.start() == i + 1 && *last.b.start() == j + 1 => {
                    *last = Match { a: i..=*last.a.end(), b: j..=*last.b.end() };
                }
                _ => matches.push(Match { a: i..=i, b: j..=j }),
            }
        }
        matches
    }

    /// The pairs of positions that match, from the end to the start.
    fn steps(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.a[i - 1] == self.b[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                }
                if self.common(i - 1, j) > self.common(i, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }

    fn common(&self, i: usize, j: usize) -> u32 {
        self.lengths[i * (self.b.len() + 1) + j]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_documented() {
        let lcs = Lcs::new(b"ohmytext", b"mynewtext", 1 << 20).unwrap();
        assert_eq!(lcs.length(), 6);
        assert_eq!(lcs.text(), b"mytext");
        assert_eq!(lcs.matches(), [Match { a: 4..=7, b: 5..=8 }, Match { a: 2..=3, b: 0..=1 }]);
        assert_eq!(lcs.matches()[0].length(), 4);
        assert_eq!(Lcs::new(b"", b"a", 100).unwrap().matches(), []);
        assert_eq!(Lcs::new(b"abcd", b"abcd", 99).err(), Some(LcsError::TableTooLarge));
    }
}
