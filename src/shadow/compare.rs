//! Comparing replies, as strictly as a command's tips allow.

use std::borrow::Cow;

use bytes::Bytes;

use crate::command::Command;
use crate::resp::{Protocol, Reply};

/// How replies differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// One side fails, the other does not; or both with other texts.
    Error,
    /// Another type of reply, or another number of elements.
    Shape,
    Value,
}

impl Mismatch {
    pub fn name(self) -> &'static str {
        match self {
            Mismatch::Error => "reply: error",
            Mismatch::Shape => "reply: shape",
            Mismatch::Value => "reply: value",
        }
    }
}

/// Compares the reply that came in the form of `protocol` with ours to one call of `command`.
pub fn compare(command: &Command, first: &Reply, second: &Reply, protocol: Protocol) -> Option<Mismatch> {
    let flat = protocol == Protocol::Resp2;
    let (first, second) = (plain(first, flat), plain(second, flat));
    if command.tips.contains(&"nondeterministic_output") {
        return shape(&first, &second);
    }
    match command.tips.contains(&"nondeterministic_output_order") {
        true => exact(&sorted(first), &sorted(second)),
        false => exact(&first, &second),
    }
}

/// A reply without what RESP2 and RESP3 say differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Plain<'r> {
    Null,
    Integer(i64),
    /// Also status lines, doubles and other texts.
    Text(Cow<'r, [u8]>),
    Error(&'r [u8]),
    List(Vec<Plain<'r>>),
    /// Without order of its own.
    Set(Vec<Plain<'r>>),
}

fn plain(reply: &Reply, flat: bool) -> Plain<'_> {
    fn list(items: &[Reply], flat: bool) -> Vec<Plain<'_>> {
        items.iter().map(|item| plain(item, flat)).collect()
    }
    fn nested(pairs: &[(Reply, Reply)], flat: bool) -> Vec<Plain<'_>> {
        pairs.iter().map(|(a, b)| Plain::List(vec![plain(a, flat), plain(b, flat)])).collect()
    }
    match reply {
        Reply::Ok => Plain::Text(Cow::Borrowed(b"OK")),
        Reply::Status(text) | Reply::Bulk(text) | Reply::Verbatim(text) | Reply::BigNumber(text) => {
            Plain::Text(Cow::Borrowed(text))
        }
        // Replies of the upstream are parsed before they come here.
        Reply::Raw(wire) => Plain::Text(Cow::Borrowed(wire)),
        Reply::Error(text) => Plain::Error(text.as_bytes()),
        Reply::Integer(value) => Plain::Integer(*value),
        Reply::Boolean(value) => Plain::Integer(i64::from(*value)),
        Reply::Null | Reply::NullArray | Reply::Nothing => Plain::Null,
        Reply::Double(value) => Plain::Text(Cow::Owned(crate::resp::DoubleText::new(*value).to_vec())),
        Reply::Array(items) | Reply::Push(items) | Reply::Several(items) => Plain::List(list(items, flat)),
        Reply::Set(items) => {
            let mut items = list(items, flat);
            items.sort();
            Plain::Set(items)
        }
        // A map of RESP3 in the form that it has in all variants.
        Reply::Map(pairs) | Reply::Pairs(pairs) if flat => {
            Plain::List(pairs.iter().flat_map(|(a, b)| [plain(a, flat), plain(b, flat)]).collect())
        }
        Reply::Entries(pairs) if flat => Plain::List(nested(pairs, flat)),
        Reply::Map(pairs) | Reply::Entries(pairs) => {
            let mut pairs = nested(pairs, flat);
            pairs.sort();
            Plain::Set(pairs)
        }
        Reply::Pairs(pairs) => Plain::List(nested(pairs, flat)),
    }
}

fn sorted(plain: Plain<'_>) -> Plain<'_> {
    match plain {
        Plain::List(mut items) => {
            items.sort();
            Plain::List(items)
        }
        other => other,
    }
}

fn exact(first: &Plain<'_>, second: &Plain<'_>) -> Option<Mismatch> {
    match (first, second) {
        (a, b) if a == b => None,
        (Plain::List(a), Plain::Set(b)) | (Plain::Set(b), Plain::List(a)) => {
            let mut a = a.clone();
            a.sort();
            exact(&Plain::Set(a), &Plain::Set(b.clone()))
        }
        (Plain::Error(_), _) | (_, Plain::Error(_)) => Some(Mismatch::Error),
        (a, b) => Some(shape(a, b).unwrap_or(Mismatch::Value)),
    }
}

/// Whether both are of one kind and size.
fn shape(first: &Plain<'_>, second: &Plain<'_>) -> Option<Mismatch> {
    match (first, second) {
        (Plain::Error(_), Plain::Error(_)) => None,
        (Plain::Error(_), _) | (_, Plain::Error(_)) => Some(Mismatch::Error),
        (Plain::Null, Plain::Null)
        | (Plain::Integer(_), Plain::Integer(_))
        | (Plain::Text(_), Plain::Text(_)) => None,
        (Plain::List(a), Plain::List(b)) | (Plain::Set(a), Plain::Set(b)) => {
            (a.len() != b.len()).then_some(Mismatch::Shape)
        }
        _ => Some(Mismatch::Shape),
    }
}

/// What may be shown of a reply: kind and size, no contents; errors by their code.
pub fn redacted(reply: &Reply) -> String {
    let length = |text: &Bytes| format!("{} bytes", text.len());
    match reply {
        Reply::Ok => "OK".to_owned(),
        Reply::Status(text)
        | Reply::Bulk(text)
        | Reply::Verbatim(text)
        | Reply::BigNumber(text)
        | Reply::Raw(text) => length(text),
        Reply::Error(text) => format!("error {}", text.code().escape_ascii()),
        Reply::Integer(_) | Reply::Boolean(_) => "an integer".to_owned(),
        Reply::Double(_) => "a double".to_owned(),
        Reply::Null | Reply::NullArray | Reply::Nothing => "null".to_owned(),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Several(items) => {
            format!("{} elements", items.len())
        }
        Reply::Map(pairs) | Reply::Entries(pairs) | Reply::Pairs(pairs) => format!("{} pairs", pairs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::lookup;

    fn mismatch(command: &str, first: Reply, second: Reply) -> Option<Mismatch> {
        compare(lookup(command.as_bytes()).unwrap(), &first, &second, Protocol::Resp3)
    }

    #[test]
    fn as_tips_say() {
        let words = |words: &[&'static str]| Reply::bulks(words.iter().copied());
        assert_eq!(mismatch("GET", Reply::text("a"), Reply::text("a")), None);
        assert_eq!(mismatch("GET", Reply::text("a"), Reply::text("b")), Some(Mismatch::Value));
        assert_eq!(mismatch("GET", Reply::text("a"), Reply::Null), Some(Mismatch::Shape));
        assert_eq!(mismatch("GET", Reply::Null, Reply::NullArray), None);
        assert_eq!(mismatch("SET", Reply::status("OK"), Reply::Ok), None);
        assert_eq!(mismatch("MGET", words(&["a", "b"]), words(&["b", "a"])), Some(Mismatch::Value));
        assert_eq!(mismatch("KEYS", words(&["a", "b"]), words(&["b", "a"])), None);
        assert_eq!(mismatch("KEYS", words(&["a", "b"]), words(&["b", "b"])), Some(Mismatch::Value));
        assert_eq!(mismatch("RANDOMKEY", Reply::text("a"), Reply::text("b")), None);
        assert_eq!(mismatch("RANDOMKEY", Reply::text("a"), Reply::Null), Some(Mismatch::Shape));
        assert_eq!(mismatch("GET", Reply::error("ERR a"), Reply::error("ERR b")), Some(Mismatch::Error));
        assert_eq!(mismatch("GET", Reply::error("ERR a"), Reply::Null), Some(Mismatch::Error));
        let pair = || vec![(Reply::text("a"), Reply::ONE)];
        assert_eq!(mismatch("XREAD", Reply::Map(pair()), Reply::Entries(pair())), None);
        assert_eq!(mismatch("GET", Reply::Double(1.5), Reply::text("1.5")), None);
        assert_eq!(
            mismatch(
                "GET",
                Reply::Set(vec![Reply::ONE, Reply::ZERO]),
                Reply::Set(vec![Reply::ZERO, Reply::ONE])
            ),
            None
        );
    }

    #[test]
    fn replies_of_resp2_have_no_maps_and_sets() {
        let pair = || vec![(Reply::text("a"), Reply::ONE)];
        let flat = Reply::Array(vec![Reply::text("a"), Reply::ONE]);
        let nested = Reply::Array(vec![flat.clone()]);
        let command = lookup(b"GET").unwrap();
        let set = Reply::Set(vec![Reply::ONE, Reply::text("a")]);
        for (theirs, ours) in [(&flat, Reply::Map(pair())), (&nested, Reply::Entries(pair())), (&flat, set)] {
            assert_eq!(compare(command, theirs, &ours, Protocol::Resp2), None, "{ours:?}");
        }
        let other = Reply::Map(vec![(Reply::text("b"), Reply::ONE)]);
        assert_eq!(compare(command, &flat, &other, Protocol::Resp2), Some(Mismatch::Value));
    }

    #[test]
    fn contents_are_not_shown() {
        assert_eq!(redacted(&Reply::text("secret")), "6 bytes");
        assert_eq!(redacted(&Reply::error("ERR no such secret")), "error ERR");
    }
}
