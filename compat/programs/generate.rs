//! Random programs from the grammar: two or three connections, transactions, pipelines.

use std::time::{SystemTime, UNIX_EPOCH};

use super::grammar::{Grammar, expand};
use super::play::{Program, Step};
use super::random::Random;
use super::words::{NONSENSE, Times};

const STEPS: usize = 60;

/// Commands that get no nonsense: the cursor's meaning is a server's own, and 7.2 looks at arguments before the key
/// where 7.0 did not.
const CAREFUL: [&str; 3] = ["SCAN", "BITCOUNT", "BITPOS"];

pub struct Generator {
    grammar: &'static Grammar,
    seed: u64,
    now: u64,
    /// A syntax line stands here as often as its weight says.
    lines: Vec<&'static str>,
}

impl Generator {
    /// `known` says which commands may be used.
    pub fn new(
        grammar: &'static Grammar,
        seed: u64,
        known: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generator, String> {
        let lines = grammar.lines().filter(|(_, syntax)| known(syntax.split(' ').next().unwrap_or_default()));
        let lines: Vec<_> = lines.flat_map(|(weight, syntax)| std::iter::repeat_n(syntax, weight)).collect();
        if lines.is_empty() {
            return Err("the subject knows no command, or does not answer".into());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        Ok(Generator { grammar, seed, now, lines })
    }

    /// Program `number` of this seed.
    pub fn program(&mut self, number: u64) -> Program {
        let mut random = Random::new(self.seed.wrapping_mul(0x1_0000_0001).wrapping_add(number));
        let mut times = Times::new(self.now);
        let scripted = self.grammar.scripted;
        let connections = if scripted { 4 } else { 1 + random.below(3) };
        let mut in_transaction = [false; 4];
        let mut current = 0;
        // A pipeline is committed together, and who waits for what it writes wakes up then.
        let pipelining = if scripted { 0 } else { *random.pick(&[0, 40, 90]) };
        let mut steps = Vec::new();
        for _ in 0..STEPS {
            if random.percent(if scripted { 70 } else { 25 }) {
                current = random.below(connections);
            }
            let args = self.step(&mut in_transaction[current], &mut random, &mut times);
            steps.push(Step { connection: current, args, pipelined: random.percent(pipelining) });
        }
        for (connection, _) in in_transaction.iter().enumerate().filter(|(_, open)| **open) {
            steps.push(Step { connection, args: vec![b"EXEC".to_vec()], pipelined: false });
        }
        let program = Program { resp: if random.percent(50) { 2 } else { 3 }, scripted, steps };
        program.without_known_differences()
    }

    fn step(&self, in_transaction: &mut bool, random: &mut Random, times: &mut Times) -> Vec<Vec<u8>> {
        let dice = random.below(100);
        let word = |name: &str| vec![name.as_bytes().to_vec()];
        match (*in_transaction, dice) {
            (true, 0..15) => {
                *in_transaction = false;
                word("EXEC")
            }
            (true, 15..17) => {
                *in_transaction = false;
                word("DISCARD")
            }
            (false, 0..6) => {
                *in_transaction = true;
                word("MULTI")
            }
            (false, 6..10) => {
                let mut args = word("WATCH");
                (0..1 + random.below(2)).for_each(|_| args.extend(times.word(self.grammar.keys, random)));
                args
            }
            (false, 10) => word("UNWATCH"),
            (false, 11) => word("EXEC"),
            _ => self.command(random, times),
        }
    }

    fn command(&self, random: &mut Random, times: &mut Times) -> Vec<Vec<u8>> {
        let syntax = *random.pick(&self.lines);
        // Both closures need the numbers; only one of them runs at a time.
        let random = std::cell::RefCell::new(random);
        let mut args = expand(syntax, &mut |bound| random.borrow_mut().below(bound), &mut |name| {
            times.word(name, &mut random.borrow_mut())
        });
        let random = random.into_inner();
        let careful = self.grammar.scripted || CAREFUL.iter().any(|name| syntax.starts_with(name));
        if random.percent(4) && args.len() > 1 && !careful {
            match random.below(3) {
                0 => {
                    args.pop();
                }
                1 => args.push(random.pick(&NONSENSE).to_vec()),
                _ => {
                    let at = 1 + random.below(args.len() - 1);
                    args[at] = random.pick(&NONSENSE).to_vec();
                }
            }
        }
        args
    }
}
