//! Keyspace notifications: the classes of notify-keyspace-events, and the events of commands.

use std::fmt;

/// A set of classes: those of events, and where they are published (`K`, `E`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes(u32);

/// Letters in the order in which Redis prints them; those up to `n` are left out for `A`.
const LETTERS: [(u8, Classes); 15] = [
    (b'g', Classes::GENERIC),
    (b'$', Classes::STRING),
    (b'l', Classes::LIST),
    (b's', Classes::SET),
    (b'h', Classes::HASH),
    (b'z', Classes::ZSET),
    (b'x', Classes::EXPIRED),
    (b'e', Classes::EVICTED),
    (b't', Classes::STREAM),
    (b'd', Classes::MODULE),
    (b'n', Classes::NEW),
    (b'K', Classes::KEYSPACE),
    (b'E', Classes::KEYEVENT),
    (b'm', Classes::MISS),
    (b'A', Classes::ALL),
];

impl Classes {
    pub const NONE: Classes = Classes(0);
    pub const KEYSPACE: Classes = Classes(1);
    pub const KEYEVENT: Classes = Classes(1 << 1);
    pub const GENERIC: Classes = Classes(1 << 2);
    pub const STRING: Classes = Classes(1 << 3);
    pub const LIST: Classes = Classes(1 << 4);
    pub const SET: Classes = Classes(1 << 5);
    pub const HASH: Classes = Classes(1 << 6);
    pub const ZSET: Classes = Classes(1 << 7);
    pub const EXPIRED: Classes = Classes(1 << 8);
    pub const EVICTED: Classes = Classes(1 << 9);
    pub const STREAM: Classes = Classes(1 << 10);
    pub const MISS: Classes = Classes(1 << 11);
    pub const MODULE: Classes = Classes(1 << 12);
    pub const NEW: Classes = Classes(1 << 13);
    /// `A`.
    pub const ALL: Classes = Classes(0b1_0111_1111_1100);

    /// Reads the value of notify-keyspace-events.
    pub fn parse(text: &[u8]) -> Option<Classes> {
        text.iter().try_fold(Classes::NONE, |classes, letter| {
            let (_, class) = LETTERS.iter().find(|(known, _)| known == letter)?;
            Some(classes.and(*class))
        })
    }

    /// Every class by its own letter: what CONFIG GET shows leaves out `n` beside `A`.
    pub fn letters(self) -> String {
        let named = LETTERS[..LETTERS.len() - 1].iter().filter(|(_, class)| self.has(*class));
        named.map(|(letter, _)| char::from(*letter)).collect()
    }

    pub const fn from_bits(bits: u32) -> Classes {
        Classes(bits)
    }

    pub const fn bits(self) -> u32 {
        self.0
    }

    pub const fn and(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }

    pub const fn has(self, other: Classes) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The classes whose events are published anywhere: none without `K` or `E`.
    pub const fn published(self) -> Classes {
        match self.0 & (Classes::KEYSPACE.0 | Classes::KEYEVENT.0) {
            0 => Classes::NONE,
            _ => self,
        }
    }
}

impl fmt::Display for Classes {
    /// As CONFIG GET shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.has(Classes::ALL);
        if all {
            f.write_str("A")?;
        }
        LETTERS[..LETTERS.len() - 1]
            .iter()
            .filter(|(_, class)| self.has(*class) && !(all && (Classes::ALL.and(Classes::NEW)).has(*class)))
            .try_for_each(|(letter, _)| write!(f, "{}", char::from(*letter)))
    }
}

/// Something that has happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub class: Classes,
    pub name: &'static str,
}

macro_rules! events {
    ($($name:ident: $class:ident $text:literal;)*) => {
        impl Event {
            $(pub const $name: Event = Event { class: Classes::$class, name: $text };)*
        }
    };
}

events! {
    NEW: NEW "new";
    MISS: MISS "keymiss";
    EXPIRED: EXPIRED "expired";
    DEL: GENERIC "del";
    EXPIRE: GENERIC "expire";
    PERSIST: GENERIC "persist";
    RENAME_FROM: GENERIC "rename_from";
    RENAME_TO: GENERIC "rename_to";
    MOVE_FROM: GENERIC "move_from";
    MOVE_TO: GENERIC "move_to";
    COPY_TO: GENERIC "copy_to";
    RESTORE: GENERIC "restore";
    SET: STRING "set";
    APPEND: STRING "append";
    SETRANGE: STRING "setrange";
    INCRBY: STRING "incrby";
    INCRBYFLOAT: STRING "incrbyfloat";
    SETBIT: STRING "setbit";
    XADD: STREAM "xadd";
    XTRIM: STREAM "xtrim";
    XDEL: STREAM "xdel";
    XSETID: STREAM "xsetid";
    XGROUP_CREATE: STREAM "xgroup-create";
    XGROUP_DESTROY: STREAM "xgroup-destroy";
    XGROUP_SETID: STREAM "xgroup-setid";
    XGROUP_CREATECONSUMER: STREAM "xgroup-createconsumer";
    XGROUP_DELCONSUMER: STREAM "xgroup-delconsumer";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_redis_reads_and_writes_them() {
        for (text, shown) in [
            ("", ""),
            ("A", "A"),
            ("AKE", "AKE"),
            ("g$lshzxetdKEmn", "AKEm"),
            ("KEg", "gKE"),
            ("gKE$", "g$KE"),
            ("Kn", "nK"),
            ("KEAmn", "AKEm"),
            ("m", "m"),
            ("td", "td"),
            ("Ax", "A"),
        ] {
            assert_eq!(Classes::parse(text.as_bytes()).unwrap().to_string(), shown, "{text}");
        }
        let all = Classes::parse(b"AKEmn").unwrap();
        assert_eq!(Classes::parse(all.letters().as_bytes()), Some(all));
        assert_eq!(Classes::parse(b"KEy"), None);
        assert!(Classes::parse(b"Ax").unwrap().published().is_none());
        assert!(!Classes::ALL.has(Classes::MISS) && !Classes::ALL.has(Classes::NEW));
    }
}
