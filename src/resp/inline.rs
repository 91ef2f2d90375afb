//! Splitting of inline requests, with the quoting rules of a Redis command line.

use bytes::Bytes;

/// The arguments in `line`, or `None` when quotes do not match.
///
/// `"..."` knows `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and `\` before any other byte; `'...'` knows `\'` only. A closing
/// quote has to be followed by white space or the end.
pub fn split_arguments(mut rest: &[u8]) -> Option<Vec<Bytes>> {
    let mut arguments = Vec::new();
    while let Some(start) = rest.iter().position(|byte| !is_space(*byte)) {
        let (argument, after) = take_argument(&rest[start..])?;
        arguments.push(argument);
        rest = after;
    }
    Some(arguments)
}

/// One argument off the front of `rest`, and what follows it.
fn take_argument(mut rest: &[u8]) -> Option<(Bytes, &[u8])> {
    let mut argument = Vec::new();
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Some((argument.into(), rest)),
            [b'"', quoted @ ..] => return double_quoted(argument, quoted),
            [b'\'', quoted @ ..] => return single_quoted(argument, quoted),
            [byte, after @ ..] => {
                argument.push(*byte);
                rest = after;
            }
        }
    }
}

fn double_quoted(mut argument: Vec<u8>, mut rest: &[u8]) -> Option<(Bytes, &[u8])> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'"', after @ ..] => return closed(argument, after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex_digit(*high) << 4 | hex_digit(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        argument.push(byte);
        rest = after;
    }
}

fn single_quoted(mut argument: Vec<u8>, mut rest: &[u8]) -> Option<(Bytes, &[u8])> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'\'', after @ ..] => return closed(argument, after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        argument.push(byte);
        rest = after;
    }
}

fn closed(argument: Vec<u8>, after: &[u8]) -> Option<(Bytes, &[u8])> {
    after.first().is_none_or(|byte| is_space(*byte)).then(|| (argument.into(), after))
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<Bytes>> {
        split_arguments(line.as_bytes())
    }

    #[test]
    fn quotes_and_escapes() {
        for (line, arguments) in [
            ("", vec![]),
            (" \t\x0b ", vec![]),
            ("a  b\tc", vec![&b"a"[..], b"b", b"c"]),
            ("\"a b\" 'c d'", vec![b"a b", b"c d"]),
            (r#""\x41\xfF\xg\n\q\"""#, vec![b"A\xffxg\nq\""]),
            (r"'\'\n'", vec![b"'\\n"]),
            ("a\"b c\" d", vec![b"ab c", b"d"]),
            ("\"\" ''", vec![b"", b""]),
            ("a\x0bb", vec![b"a\x0bb"]),
        ] {
            assert_eq!(split(line).unwrap(), arguments, "{line:?}");
        }
        for line in ["\"", "'a", "\"a\"b", "'a'b", "\"a\\", "\"a\\\""] {
            assert_eq!(split(line), None, "{line:?}");
        }
    }
}
