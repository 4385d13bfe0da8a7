//! Violations as sentences.

use std::fmt;

use crate::history::Ended;

use super::report::Violation;

impl Violation {
    /// The violation as a sentence, its line called what `line` says.
    ///
    /// ```
    /// use earmark_testkit::{Options, check};
    /// use earmark_testkit::history::{Call, Op};
    ///
    /// let calls = [Call::new(Op::Reserve, 1, 2).with_item(3, 4).with_id(5_u64)];
    /// let report = check(&calls, &Options::default());
    /// let told = report.details()[0].in_words(|line| format!("mug {line}"));
    /// assert_eq!(told, "mug 3: 4 units promised of 0, from 2 ns on; 4 too many at the worst moment");
    /// ```
    pub fn in_words(&self, line: impl Fn(u32) -> String) -> String {
        match *self {
            Violation::Oversold { line: at, at_ns, until_ns, held, stock, worst_by } => {
                let until = if until_ns == u64::MAX { "on".into() } else { format!("to {until_ns} ns") };
                let line = line(at);
                format!(
                    "{line}: {held} units promised of {stock}, from {at_ns} ns {until}; \
                     {worst_by} too many at the worst moment"
                )
            }
            Violation::FalseSoldOut { call, line: at, asked, least_available } => {
                let line = line(at);
                format!("{line}: {asked} units refused (call {call}), though {least_available} were there all the time")
            }
            Violation::WrongAvailable { call, line: at, asked, told, least_available } => {
                let line = line(at);
                format!(
                    "{line}: asked for {asked}, told of {told} (call {call}), at least {least_available} were there"
                )
            }
            Violation::LateConfirm { call, id, deadline_ns } => {
                format!("{id}: confirmed (call {call}) after its deadline, {deadline_ns} ns")
            }
            Violation::LateMove { call, id, deadline_ns } => {
                format!("{id}: its deadline was moved (call {call}) after it had come, at {deadline_ns} ns")
            }
            Violation::EarlyExpiry { call, id } => {
                format!("{id}: said to be expired (call {call}) before its deadline")
            }
            Violation::DoubleEnd { call, id, first, second } => {
                let [first, second] = [first, second].map(ended);
                format!("{id}: {second} (call {call}) after it had been {first}")
            }
            Violation::WrongWinner { call, id, told } => {
                format!("{id}: said to be {} (call {call}), which cannot be", ended(told))
            }
            Violation::AfterEnd { call, id, ended_ns } => {
                format!("{id}: a call succeeded (call {call}) after it had ended, by {ended_ns} ns")
            }
            Violation::OverRelease { id, line: at, held, given } => {
                format!("{id}: {given} units of {} given back or confirmed, {held} held", line(at))
            }
            Violation::LostReservation { call, id } => format!("{id}: not found (call {call}), though it was live"),
            Violation::UnknownId { call, id } => format!("{id}: answered for (call {call}), and never issued before"),
            Violation::DuplicateId { call, id } => format!("{id}: issued again (call {call})"),
            Violation::Snapshot { line: at, figure, told, least, most } => {
                format!("{}: {told} {figure} at rest, by the history {least} to {most}", line(at))
            }
            Violation::OverGiven { line: at, at_ns, given, confirmed } => {
                let line = line(at);
                format!("{line}: {given} units shipped or cancelled by {at_ns} ns, {confirmed} confirmed")
            }
            Violation::Malformed { call, what } => format!("call {call} makes no sense: {what}"),
        }
    }
}

/// With its line by number.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(|line| format!("line {line}")))
    }
}

fn ended(how: Ended) -> &'static str {
    match how {
        Ended::Confirmed => "confirmed",
        Ended::Released => "released",
        Ended::Expired => "expired",
        Ended::Replaced => "replaced",
        Ended::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Id;

    #[test]
    fn what_lasts_has_no_end_and_nothing_is_printed_raw() {
        let oversold = |until_ns| Violation::Oversold { line: 1, at_ns: 5, until_ns, held: 9, stock: 7, worst_by: 3 };
        let told = "line 1: 9 units promised of 7, from 5 ns to 8 ns; 3 too many at the worst moment";
        assert_eq!(oversold(8).to_string(), told);
        assert_eq!(oversold(u64::MAX).to_string(), told.replace("ns to 8 ns", "ns on"));
        let twice =
            Violation::DoubleEnd { call: 4, id: Id::from(1_u64), first: Ended::Released, second: Ended::Confirmed };
        assert!(twice.to_string().ends_with(": confirmed (call 4) after it had been released"), "{twice}");
    }
}
