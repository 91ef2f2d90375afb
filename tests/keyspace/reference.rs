//! A reference server of one test, and random input.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame as Frame;

/// Comparisons per test.
pub fn rounds() -> usize {
    variable("REFERENCE_ROUNDS").unwrap_or(2_000)
}

/// A server program with what came in 7.2.
pub fn newer_server() -> String {
    program("REFERENCE_NEWER", "/opt/respg-oracles/bin/valkey-server")
}

fn program(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.into())
}

fn variable(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// A server that lives as long as this value.
pub struct Reference {
    process: Child,
    folder: PathBuf,
    stream: UnixStream,
}

impl Reference {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> Self {
        Self::start_program(&program("REFERENCE_SERVER", "redis-server"), options)
    }

    pub fn start_program(program: &str, options: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("respg-reference-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the reference server");
        let socket = folder.join("socket");
        let mut process = Process::new(program)
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .args(options)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        for _ in 0..500 {
            if let Ok(stream) = UnixStream::connect(&socket) {
                return Self { process, folder, stream };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        let _ = process.wait();
        panic!("{program} does not listen");
    }

    /// One reply per command.
    pub fn ask(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Frame> {
        let mut requests = Vec::new();
        for command in commands {
            requests.extend(format!("*{}\r\n", command.len()).into_bytes());
            for part in command {
                requests.extend(format!("${}\r\n", part.len()).into_bytes());
                requests.extend_from_slice(part);
                requests.extend_from_slice(b"\r\n");
            }
        }
        let mut writer = self.stream.try_clone().expect("a second handle");
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&requests).expect("the server reads"));
            self.replies(commands.len())
        })
    }

    fn replies(&mut self, count: usize) -> Vec<Frame> {
        let (mut replies, mut received, mut piece) = (Vec::new(), BytesMut::new(), vec![0; 1 << 16]);
        while replies.len() < count {
            match decode_bytes_mut(&mut received).expect("well-formed replies") {
                Some((frame, _, _)) => replies.push(frame),
                None => {
                    let read = self.stream.read(&mut piece).expect("the server answers");
                    assert_ne!(read, 0, "the server hung up");
                    received.extend_from_slice(&piece[..read]);
                }
            }
        }
        replies
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        let seed = variable("REFERENCE_SEED").unwrap_or_else(|| std::process::id() as usize);
        eprintln!("REFERENCE_SEED={seed}");
        Self(seed as u64)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn bytes(&mut self, len: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..len).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    /// Any double but NaN: of all sizes, decimal fractions, integers.
    pub fn double(&mut self) -> f64 {
        let value = match self.below(3) {
            0 => f64::from_bits(self.next()),
            1 => (self.next() as i64 >> self.below(64)) as f64 / 10f64.powi(self.below(20) as i32),
            _ => self.below(1_000_000) as f64 / 1000.0,
        };
        if value.is_nan() { f64::INFINITY } else { value }
    }

    /// Something like a number: short and long decimals, exponents, hexadecimal, infinities, nonsense.
    pub fn number(&mut self) -> Vec<u8> {
        let sign = ["", "", "-", "+"][self.below(4)];
        let (whole, fraction) = (self.digits(22), self.digits(25));
        let small = self.below(60) as i64 - 30;
        let large = self.below(10_200) as i64 - 5_100;
        let text = match self.below(12) {
            0 => whole,
            1..=4 => format!("{whole}.{fraction}"),
            5 => format!("0.{fraction}"),
            6 | 7 => format!("{whole}.{fraction}e{small}"),
            8 => format!("{whole}.{fraction}E{large:+}"),
            9 => format!("0x{:x}.{:x}p{small}", self.next() >> self.below(64), self.next()),
            10 => format!("{}", f64::from_bits(self.next())),
            _ => [
                "inf", "Infinity", "nan", "", ".", " 1", "1 ", "1e", "0x", "0x.8", "-", "1e+", "0x1p",
                "0e9999", "1_0",
            ][self.below(15)]
            .to_string(),
        };
        format!("{sign}{text}").into_bytes()
    }

    fn digits(&mut self, longest: usize) -> String {
        let len = self.below(longest);
        String::from_utf8(self.bytes(len, b"0001234567899")).expect("digits")
    }
}
