//! What the judge may assume, and what was seen at rest.

/// How a history is judged. The defaults are strict; every knob gives the engine something.
///
/// ```
/// use earmark_testkit::{Options, check};
///
/// let options = Options::default().with_clock_slack_ns(1_000_000).with_details_max(5);
/// assert!(check(&[], &options).is_clean());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How far the engine's clock may be from the history's, either way, when it judges a deadline. 0.
    pub clock_slack_ns: u64,
    /// How long past its deadline a reservation may still keep its units from others. 0: not at all.
    ///
    /// Zero is what *no false sold-out* asks for: expired units count as there even if nobody swept them.
    pub expiry_lag_ns: u64,
    /// How many violations of each rule a report describes; it counts them all. 20.
    pub details_max: usize,
    /// Whether the `available` in a refusal must be a figure that was possible. Judged.
    pub figures: Figures,
    /// What was seen of stock lines at rest, to be compared with what the history says. None.
    pub finals: Vec<Final>,
}

/// What to do with the `available` that a refusal carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Figures {
    /// It must be less than what was asked, and at some moment inside the call as low as it says.
    #[default]
    Judge,
    /// It is a hint and proves nothing.
    Ignore,
}

/// One line as seen at rest. `on_hand = available + reserved + committed + blocked` is checked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Final {
    /// Which line.
    pub line: u32,
    /// When it was looked at. Calls that were under way then leave a range, not a figure.
    pub at_ns: u64,
    /// Units physically there.
    pub on_hand: u64,
    /// Units that can be reserved.
    pub available: u64,
    /// Units of live reservations.
    pub reserved: u64,
    /// Units confirmed and not shipped.
    pub committed: u64,
    /// Units set aside, safety stock included.
    pub blocked: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { clock_slack_ns: 0, expiry_lag_ns: 0, details_max: 20, figures: Figures::Judge, finals: Vec::new() }
    }
}

impl Options {
    /// The same with another [`clock_slack_ns`](Options::clock_slack_ns).
    pub fn with_clock_slack_ns(mut self, slack: u64) -> Options {
        self.clock_slack_ns = slack;
        self
    }

    /// The same with another [`expiry_lag_ns`](Options::expiry_lag_ns).
    pub fn with_expiry_lag_ns(mut self, lag: u64) -> Options {
        self.expiry_lag_ns = lag;
        self
    }

    /// The same with another [`details_max`](Options::details_max).
    pub fn with_details_max(mut self, max: usize) -> Options {
        self.details_max = max;
        self
    }

    /// The same with another reading of `available`.
    pub fn with_figures(mut self, figures: Figures) -> Options {
        self.figures = figures;
        self
    }

    /// The same with these lines compared at rest; two snapshots of a line are both compared.
    pub fn with_finals(mut self, finals: impl IntoIterator<Item = Final>) -> Options {
        self.finals.extend(finals);
        self
    }
}
