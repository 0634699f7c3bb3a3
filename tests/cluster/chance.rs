//! Chance that a seed repeats.

/// A generator of numbers; its debug text is its seed.
#[derive(Debug)]
pub struct Chance {
    seed: u64,
    #[expect(dead_code, reason = "it is printed")]
    variable: &'static str,
    drawn: u64,
}

impl Chance {
    /// From `INFINITIC_CHAOS_SEED`, or another one each time.
    pub fn from_environment() -> Self {
        let variable = "INFINITIC_CHAOS_SEED";
        let given = std::env::var(variable).ok();
        let seed = given.and_then(|text| text.parse().ok());
        let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        Self {
            seed: seed.unwrap_or_else(now),
            variable,
            drawn: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self.seed ^ self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound, 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap();
            all.swap(last, other);
        }
    }
}
