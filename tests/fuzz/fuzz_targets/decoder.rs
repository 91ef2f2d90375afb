//! The decoder must find the same requests, or the same error after the same requests, wherever the input is cut, and hold
//! no more memory than the input explains.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use respg::resp::{Decoder, Limits, ProtocolError};

type Outcome = (Vec<Vec<Bytes>>, Option<ProtocolError>);

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: Limits) -> Outcome {
    let (mut decoder, mut buf, mut requests) = (Decoder::default(), BytesMut::new(), Vec::new());
    let mut received = 0;
    for piece in pieces {
        buf.extend_from_slice(piece);
        received += piece.len();
        loop {
            match decoder.next(&mut buf, limits) {
                Ok(Some(request)) => {
                    assert!(!request.is_empty());
                    requests.push(request);
                }
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
        assert!(decoder.held_bytes() + buf.capacity() < 64 * received + 256 * 1024);
    }
    (requests, None)
}

/// Pieces whose lengths come from `cuts`, over and over.
fn cut<'a>(mut input: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let len = usize::from(*lengths.next().unwrap_or(&1)).clamp(1, input.len().max(1)).min(input.len());
        let (piece, rest) = input.split_at(len);
        input = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fuzz_target!(|data: (bool, u16, Vec<u8>, &[u8])| {
    let (authenticated, max_bulk_len, cuts, input) = data;
    let limits = Limits { authenticated, max_bulk_len: usize::from(max_bulk_len) };
    let whole = decode(std::iter::once(input), limits);
    assert_eq!(decode(input.chunks(1), limits), whole);
    assert_eq!(decode(cut(input, &cuts), limits), whole);
});
