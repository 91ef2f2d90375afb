//! The words of a libpq connection string that tokio-postgres does not know, in both of its forms.

use percent_encoding::percent_decode_str;

/// Splits a connection string into what tokio-postgres reads and the words named in `ours`, the last one of a name winning.
/// Malformed text stays in the first part, for tokio-postgres to complain about.
pub fn split(text: &str, ours: &[&str]) -> (String, Vec<(String, String)>) {
    let found = match ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        true => split_url(text, ours),
        false => split_words(text, ours),
    };
    found.unwrap_or_else(|| (text.to_owned(), Vec::new()))
}

fn split_url(text: &str, ours: &[&str]) -> Option<(String, Vec<(String, String)>)> {
    // A password may hold a question mark.
    let host = text.find('@').unwrap_or(0);
    let mark = host + text[host..].find('?')?;
    let (mut rest, mut found) = (String::new(), Vec::new());
    for parameter in text[mark + 1..].split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if ours.contains(&name) {
            let value = percent_decode_str(value).decode_utf8().ok()?;
            found.push((name.to_owned(), value.into_owned()));
        } else {
            rest.push(if rest.is_empty() { '?' } else { '&' });
            rest.push_str(parameter);
        }
    }
    Some((format!("{}{rest}", &text[..mark]), found))
}

fn split_words(text: &str, ours: &[&str]) -> Option<(String, Vec<(String, String)>)> {
    let (mut rest, mut found) = (String::new(), Vec::new());
    let mut tail = text.trim_start();
    while !tail.is_empty() {
        let (name, after) = tail.split_once('=')?;
        let (value, length) = value(after.trim_start())?;
        let end = tail.len() - after.trim_start().len() + length;
        if ours.contains(&name.trim_end()) {
            found.push((name.trim_end().to_owned(), value));
        } else {
            rest.push_str(&tail[..end]);
            rest.push(' ');
        }
        tail = tail[end..].trim_start();
    }
    Some((rest, found))
}

/// A value at the beginning of `text`, quoted or not, and how many bytes it takes.
fn value(text: &str) -> Option<(String, usize)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if quoted => return Some((value, at + 1)),
            c if !quoted && c.is_whitespace() => return Some((value, at)),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, text.len()))
}

#[cfg(test)]
mod tests {
    use super::split;

    fn check(text: &str, rest: &str, words: &[(&str, &str)]) {
        let (found_rest, found) = split(text, &["sslmode", "sslrootcert"]);
        let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!((found_rest.trim_end(), found.as_slice()), (rest, words), "{text}");
    }

    #[test]
    fn urls() {
        check("postgres://h/d", "postgres://h/d", &[]);
        check("postgres://h/d?sslmode=require", "postgres://h/d", &[("sslmode", "require")]);
        check(
            "postgresql://u:p?w@h/d?a=1&sslmode=verify-full&b=2&sslrootcert=%2Ftmp%2Fa%20b",
            "postgresql://u:p?w@h/d?a=1&b=2",
            &[("sslmode", "verify-full"), ("sslrootcert", "/tmp/a b")],
        );
    }

    #[test]
    fn words() {
        check("host=h dbname=d", "host=h dbname=d", &[]);
        check(" sslmode = verify-ca host=h", "host=h", &[("sslmode", "verify-ca")]);
        check(
            r"password='it\'s sslmode=x' sslrootcert='/a b/\\c' user = u",
            r"password='it\'s sslmode=x' user = u",
            &[("sslrootcert", r"/a b/\c")],
        );
        check("sslmode='require", "sslmode='require", &[]);
        check("nonsense", "nonsense", &[]);
    }
}
