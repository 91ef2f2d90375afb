//! What was measured, and the ratios made of it.

use crate::load::{Load, Target};
use crate::server::Kind;
use crate::stats::{Sample, Spread, ratio};

/// The samples of one load, per server in the order of the rounds.
pub struct Row {
    pub load: &'static Load,
    samples: Vec<(Kind, Vec<Sample>)>,
}

impl Row {
    pub fn samples(&self, kind: Kind) -> &[Sample] {
        self.samples.iter().find(|(k, _)| *k == kind).map_or(&[], |(_, samples)| samples)
    }

    pub fn rate(&self, kind: Kind) -> Option<Spread> {
        self.spread(kind, |sample| sample.per_second)
    }

    pub fn spread(&self, kind: Kind, of: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples(kind).iter().map(of))
    }

    /// respg : `kind`
    pub fn ratio(&self, kind: Kind) -> Option<Spread> {
        ratio(self.samples(Kind::Respg), self.samples(kind))
    }
}

/// A target with what was reached.
pub struct Verdict {
    pub target: f64,
    pub reached: Spread,
}

impl Verdict {
    pub fn is_ok(&self) -> bool {
        self.reached.median >= self.target
    }
}

#[derive(Default)]
pub struct Results {
    pub rows: Vec<Row>,
}

impl Results {
    pub fn add(&mut self, load: &'static Load, kind: Kind, sample: Sample) {
        let at = self.rows.iter().position(|row| row.load.name == load.name).unwrap_or_else(|| {
            self.rows.push(Row { load, samples: Vec::new() });
            self.rows.len() - 1
        });
        let samples = &mut self.rows[at].samples;
        match samples.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, list)) => list.push(sample),
            None => samples.push((kind, vec![sample])),
        }
    }

    /// `None` without a target or without the measurements it needs.
    pub fn verdict(&self, row: &Row) -> Option<Verdict> {
        let (target, reached) = match row.load.target {
            Target::None => return None,
            Target::Of(kind, part) => (part, row.ratio(kind)?),
            Target::OfLoad(name, part) => {
                let other = self.rows.iter().find(|row| row.load.name == name)?;
                (part, ratio(row.samples(Kind::Respg), other.samples(Kind::Respg))?)
            }
        };
        Some(Verdict { target, reached })
    }
}
