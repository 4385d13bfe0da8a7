//! The lines that are sold, and the order in which they are asked for.
//!
//! The same for every subject: 100,000 names of 12 bytes, and for each thread a sequence of 2^20 lines, uniform or
//! by Zipf's law. What is asked lies in the order of asking, so that the key is warm, as after parsing a request.

/// Lines of every workload.
pub const LINES: usize = 100_000;
/// Steps of a sequence; after the last comes the first again.
pub const STEPS: usize = 1 << 20;
/// `SKU-` and eight digits.
const NAME_BYTES: usize = 12;
/// Spreads numbers over names: a prime, and a prime modulus, so no two names are equal.
const SPREAD: usize = 7_919;
const NAMES_MODULUS: usize = 100_000_007;

/// The names, by number of line.
#[derive(Debug)]
pub struct Names(Vec<Box<str>>);

impl Names {
    /// The first `lines` of them.
    #[must_use]
    pub fn new(lines: usize) -> Self {
        let name = |line: usize| format!("SKU-{:08}", line * SPREAD % NAMES_MODULUS).into_boxed_str();
        Self((0..lines).map(name).collect())
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.0.len()
    }

    /// The name of a line.
    #[must_use]
    pub fn of(&self, line: u32) -> &str {
        &self.0[line as usize]
    }

    /// All of them, in order of line.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// What a thread asks for, step by step.
pub trait Keys<Asked: ?Sized>: Send + Sync + 'static {
    /// What step `step` asks for.
    fn at(&self, step: usize) -> &Asked;
}

impl<Id: Send + Sync + 'static> Keys<Id> for Vec<Id> {
    #[inline]
    fn at(&self, step: usize) -> &Id {
        &self[step % STEPS]
    }
}

/// Names in the order of asking, one behind the other.
#[derive(Debug)]
pub struct Texts(String);

impl Texts {
    /// The names of these lines.
    #[must_use]
    pub fn new(names: &Names, sequence: &[u32]) -> Self {
        Self(sequence.iter().map(|line| names.of(*line)).collect())
    }
}

impl Keys<str> for Texts {
    #[inline]
    fn at(&self, step: usize) -> &str {
        let start = step % STEPS * NAME_BYTES;
        &self.0[start..start + NAME_BYTES]
    }
}

/// xorshift64*: fast, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Of this seed; each gives a sequence of its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.next();
        random
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, by the high bits.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// In 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How lines are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Each as often as any other.
    Uniform,
    /// Zipf with exponent 1: the line of rank r as often as 1/r; ranks lie scattered over the lines.
    Zipf,
    /// One line alone.
    Hot,
}

/// What thread `thread` asks for, by number of line.
#[must_use]
pub fn sequence(draw: Draw, lines: usize, thread: usize) -> Vec<u32> {
    let mut random = Random::new(thread as u64);
    match draw {
        Draw::Uniform => (0..STEPS).map(|_| random.below(lines as u64) as u32).collect(),
        Draw::Hot => vec![(lines / 2) as u32; STEPS],
        Draw::Zipf => {
            let weights = (1..=lines).map(|rank| 1.0 / rank as f64);
            let shares: Vec<f64> = weights
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect();
            let all = shares[lines - 1];
            let rank = |share: f64| shares.partition_point(|sum| *sum < share * all).min(lines - 1);
            (0..STEPS).map(|_| (rank(random.unit()) * SPREAD % lines) as u32).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_have_twelve_bytes() {
        let names = Names::new(LINES);
        let all: std::collections::HashSet<&str> = names.iter().collect();
        assert_eq!(all.len(), LINES);
        assert!(all.iter().all(|name| name.len() == NAME_BYTES));
        assert_eq!(names.of(1), "SKU-00007919");
    }

    #[test]
    fn what_is_asked_by_name_is_what_is_asked_by_number() {
        let names = Names::new(LINES);
        let sequence = sequence(Draw::Uniform, LINES, 3);
        let texts = Texts::new(&names, &sequence);
        for step in [0, 1, STEPS - 1, STEPS, STEPS + 7] {
            assert_eq!(texts.at(step), names.of(*sequence.at(step)));
        }
    }

    #[test]
    fn uniform_meets_every_line_and_zipf_prefers_few() {
        let count = |draw| {
            let mut counts = vec![0u32; 1_000];
            sequence(draw, 1_000, 0).iter().for_each(|line| counts[*line as usize] += 1);
            counts.sort_unstable();
            counts
        };
        let (uniform, zipf) = (count(Draw::Uniform), count(Draw::Zipf));
        assert!(uniform[0] > 850);
        assert!(uniform[999] < 1_250);
        // 1 / H(1000) = 0.1336 of all, and 1/2 of that.
        assert!((136_000..145_000).contains(&zipf[999]), "{}", zipf[999]);
        assert!((66_000..74_000).contains(&zipf[998]), "{}", zipf[998]);
        assert_ne!(sequence(Draw::Uniform, 1_000, 0), sequence(Draw::Uniform, 1_000, 1));
    }
}
