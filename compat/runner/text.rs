//! Quoting: how arguments and raw bytes are written in case files and reports (redis-cli's rules).

/// One word of a line. `expand` says whether `${...}` inside is to be replaced when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub bytes: Vec<u8>,
    pub expand: bool,
}

/// Splits a line as redis-cli does: words by white space, `"..."` with escapes, `'...'` taken as it is.
pub fn split(line: &str) -> Result<Vec<Word>, String> {
    let mut rest = line.as_bytes();
    let mut words = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some(&first) = rest.first() else { return Ok(words) };
        let (word, used) = match first {
            b'"' => double_quoted(&rest[1..])?,
            b'\'' => single_quoted(&rest[1..])?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                (Word { bytes: rest[..end].to_vec(), expand: true }, end)
            }
        };
        rest = &rest[used..];
        if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return Err("a closing quote must be followed by a space".into());
        }
        words.push(word);
    }
}

fn double_quoted(text: &[u8]) -> Result<(Word, usize), String> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => return Ok((Word { bytes, expand: true }, at + 1)),
            b'\\' => {
                let escape = *text.get(at).ok_or("a line ends inside quotes")?;
                at += 1;
                bytes.push(match escape {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => {
                        let digits = text.get(at..at + 2).ok_or("\\x needs two digits")?;
                        at += 2;
                        let digits = std::str::from_utf8(digits).map_err(|_| "\\x needs two digits")?;
                        u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two digits")?
                    }
                    other => other,
                });
            }
            other => bytes.push(other),
        }
    }
    Err("a line ends inside quotes".into())
}

fn single_quoted(text: &[u8]) -> Result<(Word, usize), String> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\'' => return Ok((Word { bytes, expand: false }, at + 1)),
            b'\\' if text.get(at) == Some(&b'\'') => {
                bytes.push(b'\'');
                at += 1;
            }
            other => bytes.push(other),
        }
    }
    Err("a line ends inside quotes".into())
}

/// Bytes as they would be written between double quotes.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}

/// [`escape`] for reports: the middle of a long text is left out.
pub fn escape_short(bytes: &[u8]) -> String {
    if bytes.len() <= 600 {
        return escape(bytes);
    }
    let (head, tail) = (&bytes[..400], &bytes[bytes.len() - 150..]);
    format!("{} ...{} bytes... {}", escape(head), bytes.len() - 550, escape(tail))
}

/// A word as it can stand in a case file: bare where possible, quoted otherwise.
pub fn quote(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+*()[]!,/".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        escape(bytes)
    } else {
        format!("\"{}\"", escape(bytes))
    }
}
