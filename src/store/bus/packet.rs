//! What travels on the bus, and how it is written into notifications. Hot path.
//!
//! A notification on the bus's channel is a packet: `process.number;` and items. The number makes every packet different, for Postgres
//! drops a notification that repeats one of the same transaction. An item is a letter and its fields; bytes are a field
//! `t LENGTH : TEXT` or, where Postgres would not take them as text, `b LENGTH : BASE64`. What does not fit a packet is a row of
//! `respg.messages`; the item then is `@ID;`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

/// The channel of packets. Not to be had by PUBLISH from SQL's point of view.
pub const CHANNEL: &str = "respg:bus";

/// Postgres takes payloads shorter than this.
const PAYLOAD_LIMIT: usize = 8000;
/// Longest packet.
pub const MOST_PACKET: usize = PAYLOAD_LIMIT - 1;
/// Longest item in a packet, which needs room for its head.
pub const MOST_ITEM: usize = PAYLOAD_LIMIT - 40;
/// Postgres takes names of channels up to this length.
const MOST_CHANNEL: usize = 63;

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Channel,
    Pattern,
    Shard,
    /// A key that clients wait for in blocking commands (a topic of `state/waiters`).
    Key,
}

impl Kind {
    /// What clients subscribe to.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

    pub fn letter(self) -> &'static str {
        match self {
            Kind::Channel => "c",
            Kind::Pattern => "p",
            Kind::Shard => "s",
            Kind::Key => "k",
        }
    }

    pub fn from_letter(letter: &str) -> Option<Kind> {
        Kind::ALL.into_iter().chain([Kind::Key]).find(|kind| kind.letter() == letter)
    }
}

/// One thing that is said to all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// PUBLISH and SPUBLISH.
    Message { kind: Kind, channel: Bytes, body: Bytes },
    /// So many clients of the sending process have subscribed to this.
    Count { kind: Kind, name: Bytes, clients: i64 },
    /// Something internal has happened.
    Signal(Bytes),
    /// A process is gone.
    Gone(i32),
    /// Nothing; whoever sees it has seen all before it.
    Mark,
    /// An item in `respg.messages`.
    Stored(i64),
}

/// An item as columns of `respg.messages`.
pub struct Columns<'i> {
    pub kind: &'static str,
    pub number: i64,
    pub name: &'i [u8],
    pub body: &'i [u8],
}

impl Item {
    /// About how many bytes it takes in a packet, and not less.
    pub fn most_length(&self) -> usize {
        let field = |bytes: &Bytes| bytes.len() / 3 * 4 + 16;
        match self {
            Item::Message { channel, body, .. } => 1 + field(channel) + field(body),
            Item::Count { name, .. } => 24 + field(name),
            Item::Signal(topic) => 1 + field(topic),
            Item::Gone(_) | Item::Mark | Item::Stored(_) => 24,
        }
    }

    pub fn columns(&self) -> Columns<'_> {
        let columns = |kind, number, name, body| Columns { kind, number, name, body };
        match self {
            Item::Message { kind, channel, body } => columns(message_letter(*kind), 0, channel, body),
            Item::Count { kind, name, clients } => columns(kind.letter(), *clients, name, b""),
            Item::Signal(topic) => columns("w", 0, topic, b""),
            Item::Gone(process) => columns("g", i64::from(*process), b"", b""),
            Item::Mark => columns("n", 0, b"", b""),
            Item::Stored(id) => columns("@", *id, b"", b""),
        }
    }

    /// The item that a row of `respg.messages` holds.
    pub fn from_columns(kind: &str, number: i64, name: Bytes, body: Bytes) -> Option<Item> {
        Some(match kind {
            "m" => Item::Message { kind: Kind::Channel, channel: name, body },
            "h" => Item::Message { kind: Kind::Shard, channel: name, body },
            "w" => Item::Signal(name),
            "g" => Item::Gone(i32::try_from(number).ok()?),
            "n" => Item::Mark,
            "@" => Item::Stored(number),
            letter => Item::Count { kind: Kind::from_letter(letter)?, name, clients: number },
        })
    }

    /// Appends the item to a packet.
    pub fn write(&self, encoding: Encoding, packet: &mut String) {
        let Columns { kind, number, name, body } = self.columns();
        packet.push_str(kind);
        match self {
            Item::Message { .. } => {
                encoding.write_field(name, packet);
                encoding.write_field(body, packet);
            }
            Item::Count { .. } => {
                encoding.write_field(name, packet);
                packet.push_str(&format!("{number};"));
            }
            Item::Signal(_) => encoding.write_field(name, packet),
            Item::Gone(_) | Item::Stored(_) => packet.push_str(&format!("{number};")),
            Item::Mark => {}
        }
    }
}

fn message_letter(kind: Kind) -> &'static str {
    match kind {
        Kind::Shard => "h",
        Kind::Channel | Kind::Pattern | Kind::Key => "m",
    }
}

/// What the database takes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// Any other server encoding: ASCII is in all of them.
    Ascii,
}

impl Encoding {
    /// The bytes as text, if Postgres takes them.
    pub fn text(self, bytes: &[u8]) -> Option<&str> {
        let text = std::str::from_utf8(bytes).ok()?;
        let fits = !bytes.contains(&0) && (self == Encoding::Utf8 || text.is_ascii());
        fits.then_some(text)
    }

    fn write_field(self, bytes: &[u8], packet: &mut String) {
        match self.text(bytes) {
            Some(text) => {
                packet.push_str(&format!("t{}:", text.len()));
                packet.push_str(text);
            }
            None => {
                packet.push_str(&format!("b{}:", bytes.len().div_ceil(3) * 4));
                BASE64_STANDARD.encode_string(bytes, packet);
            }
        }
    }

    /// The name under which SQL can LISTEN to a channel, if there is one.
    pub fn sql_channel(self, channel: &[u8]) -> Option<&str> {
        let fits = (1..=MOST_CHANNEL).contains(&channel.len());
        self.text(channel).filter(|name| fits && *name != CHANNEL)
    }

    /// What LISTEN of a message's channel receives: the text itself; bytes that are no text in hexadecimal; `None` if that is too long.
    pub fn sql_payload(self, body: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
        match self.text(body) {
            Some(text) => Some(text.into()).filter(|_| text.len() < PAYLOAD_LIMIT),
            None if body.len() * 2 + 2 < PAYLOAD_LIMIT => {
                let digits = body.iter().map(|byte| format!("{byte:02x}"));
                Some(std::iter::once("\\x".to_owned()).chain(digits).collect::<String>().into())
            }
            None => None,
        }
    }
}

/// What LISTEN receives of a message that is too long for it.
pub fn stored_payload(id: i64) -> String {
    format!("respg.message({id})")
}

/// Begins a packet.
pub fn head(process: i32, number: u64) -> String {
    format!("{process}.{number};")
}

/// A packet's sender and number, and the text of its items.
pub fn read_head(packet: &str) -> Option<(i32, u64, &str)> {
    let (head, items) = packet.split_once(';')?;
    let (process, number) = head.split_once('.')?;
    Some((process.parse().ok()?, number.parse().ok()?, items))
}

/// Reads the items of a packet; stops at what it does not understand (of a newer respg).
pub fn items(mut text: &str) -> impl Iterator<Item = Item> {
    std::iter::from_fn(move || {
        let letter = text.get(..1)?;
        text = &text[1..];
        let (mut number, mut name, mut body) = (0, Bytes::new(), Bytes::new());
        match letter {
            "m" | "h" => (name, body) = (read_field(&mut text)?, read_field(&mut text)?),
            "w" => name = read_field(&mut text)?,
            "g" | "@" => number = read_number(&mut text, ';')?,
            "n" => {}
            _ => (name, number) = (read_field(&mut text)?, read_number(&mut text, ';')?),
        }
        Item::from_columns(letter, number, name, body)
    })
}

fn read_number(text: &mut &str, end: char) -> Option<i64> {
    let (digits, rest) = text.split_once(end)?;
    *text = rest;
    digits.parse().ok()
}

fn read_field(text: &mut &str) -> Option<Bytes> {
    let form = text.get(..1)?;
    *text = &text[1..];
    let length = usize::try_from(read_number(text, ':')?).ok()?;
    let content = text.get(..length)?;
    *text = &text[length..];
    match form {
        "t" => Some(Bytes::copy_from_slice(content.as_bytes())),
        "b" => BASE64_STANDARD.decode(content).ok().map(Bytes::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back() {
        let message = |kind, channel: &'static [u8], body: &'static [u8]| Item::Message {
            kind,
            channel: Bytes::from_static(channel),
            body: Bytes::from_static(body),
        };
        let sent = [
            message(Kind::Channel, b"news", b"hello; t3:abc"),
            message(Kind::Channel, b"", b""),
            message(Kind::Shard, "käse".as_bytes(), b"\x00\xff"),
            Item::Count { kind: Kind::Pattern, name: Bytes::from_static(b"a*\xff"), clients: 12 },
            Item::Signal(Bytes::from_static(b"k\0")),
            Item::Gone(7),
            Item::Mark,
            Item::Stored(i64::MAX),
        ];
        for encoding in [Encoding::Utf8, Encoding::Ascii] {
            let mut packet = head(3, 99);
            for item in &sent {
                let before = packet.len();
                item.write(encoding, &mut packet);
                assert!(packet.len() - before <= item.most_length(), "{item:?}");
            }
            assert!(!packet.contains('\0'));
            let (process, number, text) = read_head(&packet).unwrap();
            assert_eq!((process, number), (3, 99));
            assert_eq!(items(text).collect::<Vec<_>>(), sent);
            for item in &sent {
                let Columns { kind, number, name, body } = item.columns();
                let (name, body) = (Bytes::copy_from_slice(name), Bytes::copy_from_slice(body));
                assert_eq!(Item::from_columns(kind, number, name, body).as_ref(), Some(item));
            }
        }
    }

    #[test]
    fn nonsense_is_no_panic() {
        for text in ["", "m", "mt", "mt5:ab", "mb3:???t0:", "zzz", "ct1:ax;", "mt1:ä", "é"] {
            assert_eq!(items(text).count(), 0, "{text}");
        }
        assert_eq!(read_head("1.x;"), None);
    }

    #[test]
    fn what_sql_sees() {
        let utf8 = Encoding::Utf8;
        assert_eq!(utf8.sql_channel("é".as_bytes()), Some("é"));
        assert_eq!(Encoding::Ascii.sql_channel("é".as_bytes()), None);
        for unfit in [&b""[..], b"a\0", b"\xff", &[b'x'; 64], CHANNEL.as_bytes()] {
            assert_eq!(utf8.sql_channel(unfit), None);
        }
        assert_eq!(utf8.sql_payload(b"text").as_deref(), Some("text"));
        assert_eq!(utf8.sql_payload(b"\x01\xff").as_deref(), Some("\\x01ff"));
        assert_eq!(utf8.sql_payload(&[b'x'; 7999]).map(|text| text.len()), Some(7999));
        assert_eq!(utf8.sql_payload(&[b'x'; 8000]), None);
        assert_eq!(utf8.sql_payload(&[0xff; 3999]), None);
    }
}
