//! Medians and spreads.

/// One measurement of one server under one load.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Median with the smallest and largest value seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// `None` when there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, low, high })
    }
}

/// The median rate of `ours` over that of `theirs`; its spread is that of the ratio round by round.
pub fn ratio(ours: &[Sample], theirs: &[Sample]) -> Option<Spread> {
    let median = |samples: &[Sample]| Spread::of(samples.iter().map(|s| s.per_second)).map(|s| s.median);
    let rounds = ours.iter().zip(theirs).map(|(a, b)| a.per_second / b.per_second);
    let spread = Spread::of(rounds)?;
    Some(Spread { median: median(ours)? / median(theirs)?, ..spread })
}

/// The value below which `part` of the sorted values lie.
pub fn percentile(sorted: &[u32], part: f64) -> u32 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(0)
}
