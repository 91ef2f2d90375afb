//! What the lower-case words of the grammar stand for.

use super::random::Random;

/// Few, so that commands meet; some are bytes that need care.
pub const KEYS: [&[u8]; 8] = [b"a", b"b", b"c", b"d", b"e", b"", b"f\x00", b"\xff\r\n"];

pub const DATABASES: usize = 3;

const INTEGERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "10",
    "100",
    "-100",
    "255",
    "65536",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775806",
    "-9223372036854775807",
    "4611686018427387904",
    "9223372036854775808",
    "01",
];

const FLOATS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "0.1",
    "0.5",
    "-0.25",
    "1.5",
    "3.0e3",
    "1e-5",
    "-1e2",
    "0.3333333333",
    "100.001",
    "1e17",
    "-0",
    "inf",
    "12345678.9",
];

const BIT_TYPES: [&str; 12] = ["u1", "u2", "u4", "u8", "u16", "u31", "u32", "u63", "i4", "i8", "i32", "i64"];

const STREAMS: [&[u8]; 4] = [b"s", b"s", b"t", b"\x00u\r\n"];

const CHANNELS: [&[u8]; 4] = [b"one", b"two", b"", b"\xff\x00"];

const CHANNEL_PATTERNS: [&str; 4] = ["*", "o*", "[ot]?[eo]", "?*"];

const PATTERNS: [&str; 8] = ["*", "a", "?", "[a-c]", "[^a]", "*\\**", "", "f*"];

/// What stands where something sensible is expected. Nothing here makes a large string or a short expiry.
pub const NONSENSE: [&[u8]; 9] =
    [b"", b"x", b"-1", b"9223372036854775807", b"9223372036854775808", b"1.5", b"NX", b" 1", b"\xff"];

/// Times far enough ahead that nothing expires while a program runs, never the same twice: conditions (GT, LT) are
/// decided by more than the moments at which two servers run a command.
pub struct Times {
    counter: u64,
    now: u64,
    /// The time in the newest stream id; of most entries, so that later commands meet them.
    id: u64,
}

impl Times {
    pub fn new(now: u64) -> Times {
        Times { counter: 0, now, id: 1 }
    }

    fn ahead(&mut self) -> u64 {
        self.counter += 1;
        100_000 + self.counter * 7919 % 100_000 * 10
    }

    pub fn word(&mut self, name: &str, random: &mut Random) -> Vec<Vec<u8>> {
        let text = |value: String| vec![value.into_bytes()];
        match name {
            "seconds" if random.percent(10) => text((*random.pick(&["0", "-1", "-100"])).into()),
            "seconds" => text(self.ahead().to_string()),
            "milliseconds" if random.percent(10) => text((*random.pick(&["0", "-1"])).into()),
            "milliseconds" => text((self.ahead() * 1000).to_string()),
            "moment" | "moment-milliseconds" if random.percent(15) => text("1".into()),
            "moment" => text((self.now + self.ahead()).to_string()),
            "moment-milliseconds" => {
                text(((self.now + self.ahead()) * 1000 + self.counter % 1000).to_string())
            }
            "expiry" => {
                // Always ahead: redis counts a key that SET has made in the past until somebody looks at it.
                let (ahead, now) = (self.ahead(), self.now);
                let (option, time) = *random.pick(&[
                    ("EX", ahead),
                    ("PX", ahead * 1000),
                    ("EXAT", now + ahead),
                    ("PXAT", (now + ahead) * 1000),
                ]);
                vec![option.as_bytes().to_vec(), time.to_string().into_bytes()]
            }
            "newid" => text(self.new_id(random)),
            "id" => text(self.id(random)),
            "bound" => text(match random.below(6) {
                0 | 1 => "-".into(),
                2 | 3 => "+".into(),
                4 => format!("({}", self.id(random)),
                _ => self.id(random),
            }),
            _ => word(name, random),
        }
    }

    /// Larger than those before, most of the time.
    fn new_id(&mut self, random: &mut Random) -> String {
        self.id += 1;
        match random.below(12) {
            0 => format!("{}-*", self.id - random.below(2) as u64),
            1 => self.id.to_string(),
            2 => self.id(random),
            3 if random.percent(20) => "18446744073709551615-18446744073709551615".into(),
            _ => format!("{}-1", self.id),
        }
    }

    /// Of an entry that there may be.
    fn id(&self, random: &mut Random) -> String {
        let before = self.id.saturating_sub(random.below(9) as u64);
        match random.below(10) {
            0 => before.to_string(),
            1 => format!("{before}-0"),
            2 if random.percent(30) => "0-0".into(),
            _ => format!("{before}-1"),
        }
    }
}

fn word(name: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let text = |value: &&str| value.as_bytes().to_vec();
    vec![match name {
        "key" => random.pick(&KEYS).to_vec(),
        "value" => value(random),
        "integer" if random.percent(40) => (random.next() as i64).to_string().into_bytes(),
        "integer" => text(random.pick(&INTEGERS)),
        "float" => text(random.pick(&FLOATS)),
        "small" => random.below(5).to_string().into_bytes(),
        "index" => (random.below(60) as i64 - 30).to_string().into_bytes(),
        "offset" => random.below(40).to_string().into_bytes(),
        "bit" if random.percent(30) => format!("#{}", random.below(8)).into_bytes(),
        "bit" => random.below(200).to_string().into_bytes(),
        "bittype" => text(random.pick(&BIT_TYPES)),
        "database" => random.below(DATABASES).to_string().into_bytes(),
        "stream" => random.pick(&STREAMS).to_vec(),
        "group" => text(random.pick(&["g", "g", "h"])),
        "consumer" => text(random.pick(&["a", "b", "c"])),
        "count" => (1 + random.below(4)).to_string().into_bytes(),
        "entries" => text(random.pick(&["0", "1", "3", "-1", "100"])),
        "idle" => text(random.pick(&["0", "0", "50000", "1000000000"])),
        "word" => text(random.pick(&["f", "g", ""])),
        "channel" => random.pick(&CHANNELS).to_vec(),
        "channel-pattern" => text(random.pick(&CHANNEL_PATTERNS)),
        "pattern" => text(random.pick(&PATTERNS)),
        other => panic!("the grammar has a word without a meaning: {other}"),
    }]
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..=3 => random.pick(&INTEGERS).as_bytes().to_vec(),
        4 => random.pick(&FLOATS).as_bytes().to_vec(),
        5 => Vec::new(),
        6 => (0..random.below(2000)).map(|_| *random.pick(b"ab\x00")).collect(),
        _ => (0..random.below(30)).map(|_| random.next() as u8).collect(),
    }
}
