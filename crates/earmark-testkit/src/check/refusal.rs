//! Rule (b): "sold out" is true only if at some instant of the call the units may have been missing.
//!
//! The most that can be missing over a call is a maximum of a step function over an interval. Calls are taken
//! in order of their return, and a stack keeps the steps that no later step outdoes:
//!
//! ```text
//!   promised - stock      stack (falling):  a  c  e        a call on [from, to] finds the first stack entry
//!      a                                                   that still holds at `from`: nothing after it,
//!       \_b__   c                                          up to `to`, is higher
//!            \__/ \_d_/e
//! ```

use crate::history::{Call, Op, Outcome};

use super::options::Figures;
use super::report::{Report, Violation};
use super::sweep::{Level, Step};

/// A refused quantity of one line, to be judged against the line's steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    line: u32,
    call: u32,
    from: u64,
    to: u64,
    asked: u64,
    proof: Proof,
}

/// What the query must show.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// The refusal named this item, perhaps with a figure.
    Named(Option<u64>),
    /// One item of this cart, by its place among the carts, must have been short.
    AnyOf(u32),
}

/// Refusals to be judged.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    queries: Vec<Query>,
    carts: Vec<Cart>,
}

#[derive(Debug)]
struct Cart {
    call: u32,
    line: u32,
    asked: u64,
    least_available: i128,
    short: bool,
}

impl Refusals {
    /// Notes a refusal as sold out; other calls pass by.
    pub(super) fn note(&mut self, index: usize, call: &Call) {
        let Outcome::Insufficient(shorts) = &call.result else {
            return;
        };
        if !matches!(call.op, Op::Reserve | Op::AdjustDown | Op::Block) {
            return;
        }
        let index = index as u32;
        let query =
            |line, asked, proof| Query { line, call: index, from: call.call_ns, to: call.return_ns, asked, proof };
        let named = shorts.as_slice();
        if named.is_empty() {
            let wanted = super::by_line(call.items.iter());
            if let [only] = wanted[..] {
                let alone = query(only.line, only.qty, Proof::Named(None));
                self.queries.push(alone);
                return;
            }
            let cart = self.carts.len() as u32;
            self.carts.push(Cart {
                call: index,
                line: wanted[0].line,
                asked: wanted[0].qty,
                least_available: 0,
                short: false,
            });
            let any = wanted.iter().map(|item| query(item.line, item.qty, Proof::AnyOf(cart)));
            self.queries.extend(any);
        }
        for short in named {
            let of_line = call.items.iter().filter(|item| item.line == short.line);
            let asked = of_line.fold(0_u64, |sum, item| sum.saturating_add(item.qty));
            self.queries.push(query(short.line, asked, Proof::Named(short.available)));
        }
    }

    /// Judges all of them against `steps`, which are sorted and lean towards "missing".
    pub(super) fn judge(mut self, steps: &[Step], figures: Figures, report: &mut Report) {
        self.queries.sort_unstable_by_key(|query| (query.line, query.to));
        let mut lines = steps.chunk_by(|a, b| a.line == b.line).peekable();
        let mut peak = Peak::default();
        for queries in self.queries.chunk_by(|a, b| a.line == b.line) {
            let line = queries[0].line;
            while lines.peek().is_some_and(|steps| steps[0].line < line) {
                lines.next();
            }
            let steps = lines.next_if(|steps| steps[0].line == line).unwrap_or(&[]);
            peak.clear();
            let mut instants = steps.chunk_by(|a, b| a.at == b.at).peekable();
            for query in queries {
                while let Some(instant) = instants.next_if(|instant| instant[0].at <= query.to) {
                    peak.push(instant);
                }
                let least_available = -peak.highest_since(query.from);
                answer(query, least_available, figures, &mut self.carts, report);
            }
        }
        for cart in self.carts.iter().filter(|cart| !cart.short) {
            report.add(Violation::FalseSoldOut {
                call: cart.call as usize,
                line: cart.line,
                asked: cart.asked,
                least_available: cart.least_available,
            });
        }
    }
}

fn answer(query: &Query, least_available: i128, figures: Figures, carts: &mut [Cart], report: &mut Report) {
    let short = least_available < i128::from(query.asked);
    match query.proof {
        Proof::AnyOf(cart) => {
            let cart = &mut carts[cart as usize];
            cart.short |= short;
            if cart.line == query.line {
                cart.least_available = least_available;
            }
        }
        Proof::Named(_) if !short => report.add(Violation::FalseSoldOut {
            call: query.call as usize,
            line: query.line,
            asked: query.asked,
            least_available,
        }),
        Proof::Named(Some(told)) if figures == Figures::Judge => {
            if told >= query.asked || i128::from(told) < least_available {
                report.add(Violation::WrongAvailable {
                    call: query.call as usize,
                    line: query.line,
                    asked: query.asked,
                    told,
                    least_available,
                });
            }
        }
        Proof::Named(_) => {}
    }
}

/// The highest value of a line's step function since an instant, while the line is read forwards.
#[derive(Debug, Default)]
struct Peak {
    level: Level,
    /// When each value began. The first, zero, holds from the beginning of time.
    began: Vec<u64>,
    /// Places in `began` with their values; falling, so that the first one in range is the highest.
    falling: Vec<(usize, i128)>,
}

impl Peak {
    fn clear(&mut self) {
        self.level = Level::default();
        self.began.clear();
        self.began.push(0);
        self.falling.clear();
        self.falling.push((0, 0));
    }

    fn push(&mut self, instant: &[Step]) {
        for step in instant {
            self.level.apply(step);
        }
        let at = instant[0].at;
        let value = self.level.promised - self.level.stock;
        if at == 0 {
            self.falling.clear(); // nothing was before the beginning of time
            self.began.clear();
        }
        while self.falling.last().is_some_and(|(_, lower)| *lower <= value) {
            self.falling.pop();
        }
        self.falling.push((self.began.len(), value));
        self.began.push(at);
    }

    fn highest_since(&self, from: u64) -> i128 {
        let holds = self.began.partition_point(|at| *at <= from) - 1;
        let first = self.falling.partition_point(|(place, _)| *place < holds);
        self.falling[first].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::sweep::Timeline;

    #[test]
    fn the_stack_finds_every_maximum() {
        // A small fixed pseudo-random walk against the plain maximum, all intervals.
        let mut state = 7_u64;
        let mut walk = Timeline::default();
        for at in 0..60 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            walk.promised(0, at * 2, ((state >> 33) % 9) as i64 - 4);
        }
        let steps = walk.sorted();
        let value = |t: u64| -> i128 {
            let before = steps.iter().filter(|step| step.at <= t);
            before.map(|step| i128::from(step.delta)).sum()
        };
        for to in 0..122 {
            let mut peak = Peak::default();
            peak.clear();
            for instant in steps.chunk_by(|a, b| a.at == b.at) {
                if instant[0].at <= to {
                    peak.push(instant);
                }
            }
            for from in 0..=to {
                let highest = (from..=to).map(value).max();
                assert_eq!(Some(peak.highest_since(from)), highest, "{from}..={to}");
            }
        }
    }
}
