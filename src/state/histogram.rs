//! A histogram of durations with an error of at most 1/32, in a few kilobytes and without locks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Steps per power of two.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Durations from 2^36 ns (a minute) on are counted together.
const LARGEST_BITS: u32 = 36;
const BUCKETS: usize = (LARGEST_BITS - STEP_BITS + 1) as usize * STEPS as usize;

/// Counts of durations in nanoseconds.
pub struct Histogram(Box<[AtomicU64]>);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    pub fn record(&self, nanos: u64, times: u64) {
        self.0[bucket(nanos)].fetch_add(times, Relaxed);
    }

    pub fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Relaxed));
    }

    /// The durations below which these fractions of the counts lie, in nanoseconds.
    pub fn quantiles<const N: usize>(&self, fractions: [f64; N]) -> [u64; N] {
        let counts = self.counts();
        let total: u64 = counts.iter().sum();
        fractions.map(|fraction| {
            let wanted = ((total as f64 * fraction).ceil() as u64).max(1);
            let mut seen = 0;
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            found.map_or(0, largest)
        })
    }

    /// Cumulative counts by powers of two: for each that adds something, its exponent (at least `least`) and the count up to there.
    pub fn by_power(&self, least: u32) -> Vec<(u32, u64)> {
        let mut powers: Vec<(u32, u64)> = Vec::new();
        let mut seen = 0;
        for (index, count) in self.counts().into_iter().enumerate().filter(|(_, count)| *count > 0) {
            seen += count;
            let power = (u64::BITS - largest(index).saturating_sub(1).leading_zeros()).max(least);
            match powers.last_mut() {
                Some((last, total)) if *last == power => *total = seen,
                _ => powers.push((power, seen)),
            }
        }
        powers
    }

    fn counts(&self) -> Vec<u64> {
        self.0.iter().map(|count| count.load(Relaxed)).collect()
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << LARGEST_BITS) - 1);
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

/// The largest duration of a bucket.
fn largest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_all_durations() {
        for nanos in (0..2000).chain([1 << 20, (1 << 20) + 12345, (1 << 36) - 1]) {
            let bucket = bucket(nanos);
            assert!(largest(bucket) >= nanos && largest(bucket) - nanos <= nanos / 32, "{nanos}");
            assert!(bucket == 0 || largest(bucket - 1) < nanos, "{nanos}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_and_powers() {
        let histogram = Histogram::default();
        histogram.record(1000, 98);
        histogram.record(5000, 1);
        histogram.record(1_000_000, 1);
        let [half, most, all] = histogram.quantiles([0.5, 0.99, 1.0]);
        assert!((1000..1032).contains(&half) && (5000..5200).contains(&most) && all >= 1_000_000);
        assert_eq!(histogram.by_power(10), [(10, 98), (13, 99), (20, 100)]);
        histogram.reset();
        assert_eq!(histogram.by_power(10), []);
    }
}
