//! DUMP payloads: one value in RDB form, the RDB version, a checksum.

mod crc64;
mod lzf;

use bytes::Bytes;

use super::number::parse_i64;

/// The RDB version of Redis 7.2, which payloads we write carry.
const VERSION: u16 = 11;
/// The RDB version of Redis 8.
const NEWEST_READABLE: u16 = 12;
const FOOTER: usize = 2 + 8;

const TYPE_STRING: u8 = 0;
/// Object types of RDB end here; beyond there are none.
const TYPES: u8 = 32;

const SIX_BITS: u8 = 0x00;
const FOURTEEN_BITS: u8 = 0x40;
const THIRTY_TWO_BITS: u8 = 0x80;
const SIXTY_FOUR_BITS: u8 = 0x81;
const ENCODED: u8 = 0xc0;
const INT8: u8 = 0;
const INT16: u8 = 1;
const INT32: u8 = 2;
const LZF: u8 = 3;

/// A value that DUMP writes and RESTORE reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    String(Bytes),
}

/// Why a payload cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreError {
    /// `DUMP payload version or checksum are wrong`
    VersionOrChecksum,
    /// `Bad data format`
    BadFormat,
    /// A type of Redis's that is not supported yet, by its RDB number.
    UnsupportedType(u8),
}

/// The payload of `object`, as Redis 7.2 with `rdbcompression yes` writes it.
pub fn dump(object: &Object) -> Vec<u8> {
    let mut payload = Vec::new();
    match object {
        Object::String(bytes) => {
            payload.push(TYPE_STRING);
            write_string(bytes, &mut payload);
        }
    }
    payload.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The value in `payload`, which Redis 5 to 8 may have written.
pub fn restore(payload: &[u8]) -> Result<Object, RestoreError> {
    verify(payload)?;
    // Like Redis, let the value run into the footer and ignore what follows it.
    let mut reader = Reader { rest: payload };
    match reader.byte().ok_or(RestoreError::BadFormat)? {
        TYPE_STRING => reader.string().map(Object::String).ok_or(RestoreError::BadFormat),
        other if other < TYPES => Err(RestoreError::UnsupportedType(other)),
        _ => Err(RestoreError::BadFormat),
    }
}

fn verify(payload: &[u8]) -> Result<(), RestoreError> {
    let wrong = RestoreError::VersionOrChecksum;
    let footer = payload.len().checked_sub(FOOTER).ok_or(wrong)?;
    let (checked, checksum) = payload.split_at(payload.len() - 8);
    let version = u16::from_le_bytes([payload[footer], payload[footer + 1]]);
    let matching = crc64::checksum(checked).to_le_bytes() == *checksum;
    if version <= NEWEST_READABLE && matching { Ok(()) } else { Err(wrong) }
}

fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    if let Some(integer) = parse_i64(bytes).and_then(|integer| i32::try_from(integer).ok()) {
        write_integer(integer, out);
    } else if let Some(compressed) = compress(bytes) {
        out.push(ENCODED | LZF);
        write_length(compressed.len(), out);
        write_length(bytes.len(), out);
        out.extend_from_slice(&compressed);
    } else {
        write_length(bytes.len(), out);
        out.extend_from_slice(bytes);
    }
}

fn write_integer(integer: i32, out: &mut Vec<u8>) {
    if let Ok(integer) = i8::try_from(integer) {
        out.extend_from_slice(&[ENCODED | INT8, integer as u8]);
    } else if let Ok(integer) = i16::try_from(integer) {
        out.push(ENCODED | INT16);
        out.extend_from_slice(&integer.to_le_bytes());
    } else {
        out.push(ENCODED | INT32);
        out.extend_from_slice(&integer.to_le_bytes());
    }
}

fn write_length(len: usize, out: &mut Vec<u8>) {
    if len < 1 << 6 {
        out.push(SIX_BITS | len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&[FOURTEEN_BITS | (len >> 8) as u8, len as u8]);
    } else if let Ok(len) = u32::try_from(len) {
        out.push(THIRTY_TWO_BITS);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(SIXTY_FOUR_BITS);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

/// Redis tries from 21 bytes on and wants to win more than 4.
fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > 20 { lzf::compress(bytes, bytes.len() - 4) } else { None }
}

struct Reader<'a> {
    rest: &'a [u8],
}

enum Length {
    Plain(usize),
    Encoded(u8),
}

impl<'a> Reader<'a> {
    fn string(&mut self) -> Option<Bytes> {
        match self.length()? {
            Length::Plain(len) => self.take(len).map(Bytes::copy_from_slice),
            Length::Encoded(INT8) => self.array().map(|bytes| integer(i8::from_le_bytes(bytes).into())),
            Length::Encoded(INT16) => self.array().map(|bytes| integer(i16::from_le_bytes(bytes).into())),
            Length::Encoded(INT32) => self.array().map(|bytes| integer(i32::from_le_bytes(bytes))),
            Length::Encoded(LZF) => {
                let (compressed, len) = (self.plain_length()?, self.plain_length()?);
                lzf::decompress(self.take(compressed)?, len).map(Bytes::from)
            }
            Length::Encoded(_) => None,
        }
    }

    fn length(&mut self) -> Option<Length> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Some(match first & 0xc0 {
            ENCODED => Length::Encoded(low),
            SIX_BITS => Length::Plain(usize::from(low)),
            FOURTEEN_BITS => Length::Plain(usize::from(low) << 8 | usize::from(self.byte()?)),
            _ if first == THIRTY_TWO_BITS => Length::Plain(u32::from_be_bytes(self.array()?) as usize),
            _ if first == SIXTY_FOUR_BITS => {
                Length::Plain(usize::try_from(u64::from_be_bytes(self.array()?)).ok()?)
            }
            _ => return None,
        })
    }

    /// Redis does not look whether such a length is marked as an encoding.
    fn plain_length(&mut self) -> Option<usize> {
        self.length().map(|length| match length {
            Length::Plain(len) => len,
            Length::Encoded(low) => usize::from(low),
        })
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }
}

fn integer(value: i32) -> Bytes {
    value.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Object {
        Object::String(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn round_trips() {
        let noise: Vec<u8> = (0..70_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for bytes in [
            &b""[..],
            b"a",
            b"0",
            b"-128",
            b"128",
            b"32768",
            b"-2147483648",
            b"2147483648",
            b"007",
            &[b'a'; 20],
            &[b'a'; 21],
            &b"abcdefgh".repeat(40_000),
            &noise[..100],
            &noise,
        ] {
            assert_eq!(restore(&dump(&string(bytes))), Ok(string(bytes)));
        }
    }

    /// As valkey-server 8.1 dumps them.
    #[test]
    fn bytes_of_the_payload() {
        assert_eq!(dump(&string(b"10")), b"\x00\xc0\n\x0b\x00\x07@\xea6\xf31\x8a2");
        let compressed = b"\x00\xc3\x0b\x1e\x03abca\xe0\x0f\x02\x01bc\x0b\x00\xe1\xab\x03\x1e\x9azt\xa3";
        assert_eq!(dump(&string(&b"abc".repeat(10))), compressed);
    }

    #[test]
    fn broken_payloads() {
        let good = dump(&string(b"hello"));
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert_eq!(restore(&bad), Err(RestoreError::VersionOrChecksum));
        }
        assert_eq!(restore(b""), Err(RestoreError::VersionOrChecksum));
        for body in [&b"\x00\x3fabc"[..], b"\x00\xc4", b"\x00\xc3\x02\x40\xff\x20a", b"\x63a", b"\x00\x82a"] {
            let mut payload = [body, &VERSION.to_le_bytes()].concat();
            payload.extend(crc64::checksum(&payload).to_le_bytes());
            assert_eq!(restore(&payload), Err(RestoreError::BadFormat), "{}", body.escape_ascii());
        }
    }
}
