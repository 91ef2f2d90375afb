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

const PATTERNS: [&str; 8] = ["*", "a", "?", "[a-c]", "[^a]", "*\\**", "", "f*"];

/// What stands where something sensible is expected. Nothing here makes a large string or a short expiry.
pub const NONSENSE: [&[u8]; 9] =
    [b"", b"x", b"-1", b"9223372036854775807", b"9223372036854775808", b"1.5", b"NX", b" 1", b"\xff"];

/// Times far enough ahead that nothing expires while a program runs, never the same twice: conditions (GT, LT) are
/// decided by more than the moments at which two servers run a command.
pub struct Times {
    counter: u64,
    now: u64,
}

impl Times {
    pub fn new(now: u64) -> Times {
        Times { counter: 0, now }
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
            _ => word(name, random),
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
