//! LZF as Redis configures liblzf (VERY_FAST, 65536 hash slots), so that payloads come out the same.

const HASH_BITS: u32 = 16;
const MAX_LITERALS: usize = 1 << 5;
const MAX_OFFSET: usize = 1 << 13;
const MAX_MATCH: usize = (1 << 8) + (1 << 3);

/// `input` compressed to at most `limit` bytes; `None` when that is not possible.
pub fn compress(input: &[u8], limit: usize) -> Option<Vec<u8>> {
    if input.len() < 3 || limit == 0 {
        return None;
    }
    let mut slots = vec![0usize; 1 << HASH_BITS];
    let mut out = Output { bytes: vec![0], limit, literals: 0 };
    let last = input.len() - 2;
    let mut place = 0;
    while place < last {
        let candidate = std::mem::replace(&mut slots[slot(input, place)], place);
        if candidate == 0
            || place - candidate > MAX_OFFSET
            || input[candidate..candidate + 3] != input[place..place + 3]
        {
            out.literal(input[place])?;
            place += 1;
            continue;
        }
        let len = match_length(input, candidate, place);
        out.reference(place - candidate - 1, len)?;
        place += len;
        if place >= last {
            break;
        }
        for back in [2, 1] {
            slots[slot(input, place - back)] = place - back;
        }
    }
    out.finish(&input[place..])
}

/// `input` decompressed to exactly `len` bytes, or `None` when it is damaged.
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    // Three bytes of input stand for at most MAX_MATCH: a claim beyond that is not worth its memory.
    if len > input.len().saturating_mul(MAX_MATCH) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let [control, after @ ..] = rest {
        let control = usize::from(*control);
        if control < MAX_LITERALS {
            let (literals, after) = after.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            rest = after;
        } else {
            let (extra, after) = if control >> 5 == 7 { after.split_first()? } else { (&0, after) };
            let (low, after) = after.split_first()?;
            let back = ((control & 0x1f) << 8 | usize::from(*low)) + 1;
            let start = out.len().checked_sub(back)?;
            for place in start..start + (control >> 5) + usize::from(*extra) + 2 {
                out.push(out[place]);
            }
            rest = after;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len && len > 0).then_some(out)
}

fn slot(input: &[u8], place: usize) -> usize {
    let hash = u32::from_be_bytes([0, input[place], input[place + 1], input[place + 2]]);
    ((hash >> (24 - HASH_BITS)).wrapping_sub(hash.wrapping_mul(5)) & ((1 << HASH_BITS) - 1)) as usize
}

/// Length of the match; at least three bytes are known to be equal.
fn match_length(input: &[u8], candidate: usize, place: usize) -> usize {
    let longest = (input.len() - place - 2).min(MAX_MATCH);
    let equal = |len: usize| input[candidate + len] == input[place + len];
    let mut len = 2;
    if longest > 16 {
        // liblzf compares sixteen bytes before it looks at the limit.
        for _ in 0..16 {
            len += 1;
            if !equal(len) {
                return len;
            }
        }
    }
    len += 1;
    while len < longest && equal(len) {
        len += 1;
    }
    len
}

/// The last control byte of a run of literals stands `literals` bytes before the end.
struct Output {
    bytes: Vec<u8>,
    limit: usize,
    literals: usize,
}

impl Output {
    fn literal(&mut self, byte: u8) -> Option<()> {
        if self.bytes.len() >= self.limit {
            return None;
        }
        self.push_literal(byte);
        Some(())
    }

    fn push_literal(&mut self, byte: u8) {
        self.bytes.push(byte);
        self.literals += 1;
        if self.literals == MAX_LITERALS {
            self.end_run();
            self.bytes.push(0);
        }
    }

    fn reference(&mut self, offset: usize, len: usize) -> Option<()> {
        if self.bytes.len() - usize::from(self.literals == 0) + 4 >= self.limit {
            return None;
        }
        self.end_run();
        let high = (offset >> 8) as u8;
        let len = len - 2;
        if len < 7 {
            self.bytes.push(high | (len as u8) << 5);
        } else {
            self.bytes.extend_from_slice(&[high | 7 << 5, (len - 7) as u8]);
        }
        self.bytes.extend_from_slice(&[offset as u8, 0]);
        Some(())
    }

    fn finish(mut self, tail: &[u8]) -> Option<Vec<u8>> {
        if self.bytes.len() + 3 > self.limit {
            return None;
        }
        tail.iter().for_each(|byte| self.push_literal(*byte));
        self.end_run();
        Some(self.bytes)
    }

    fn end_run(&mut self) {
        if self.literals == 0 {
            self.bytes.pop();
        } else {
            let control = self.bytes.len() - self.literals - 1;
            self.bytes[control] = (self.literals - 1) as u8;
            self.literals = 0;
        }
    }
}
