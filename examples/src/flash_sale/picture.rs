//! The sale as it runs: bars on a terminal, a line a second elsewhere.
//!
//! Plain ANSI: each frame moves up over the last one and overwrites it. Lines stay below 80 columns, so
//! that none wraps. Nothing is hidden or switched, so nothing is left behind when the sale is interrupted.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use super::SaleClock;
use super::live::{self, Live};
use super::order::CHANNELS;
use super::sale::{Mode, Sale};
use super::shop::{Look, Shop};
use super::world::World;

/// Cells of a bar.
const BAR: usize = 34;
const FRAME_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where a sale is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Screen {
    /// A picture on a terminal.
    Picture,
    /// A line a second.
    Lines,
    /// Nowhere.
    Off,
}

impl Screen {
    /// A picture if standard output is a terminal, else lines.
    pub fn of_stdout() -> Screen {
        if std::io::stdout().is_terminal() { Screen::Picture } else { Screen::Lines }
    }
}

/// What there is to see.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) sale: &'a Sale,
    pub(crate) world: &'a World,
    pub(crate) clock: &'a SaleClock,
    pub(crate) open_ns: u64,
    pub(crate) live: &'a [Live],
}

/// The painter, and what it painted last.
#[derive(Debug)]
pub(crate) struct Picture {
    screen: Screen,
    colour: bool,
    /// Lines of the frame that stands on the terminal.
    standing: usize,
    painted: Option<Instant>,
    pairs: (u64, u64),
    rate: f64,
}

impl Picture {
    pub(crate) fn new(screen: Screen) -> Picture {
        let colour = std::env::var_os("NO_COLOR").is_none();
        Picture { screen, colour, standing: 0, painted: None, pairs: (0, 0), rate: 0.0 }
    }

    /// How long to wait for the next frame.
    pub(crate) fn pause(&self) -> Duration {
        FRAME_EVERY
    }

    /// Shows how it stands, if it is time.
    pub(crate) fn paint<S: Shop>(&mut self, view: &View<'_>, shop: &S) {
        let every = match self.screen {
            Screen::Off => return,
            Screen::Picture => Duration::ZERO,
            Screen::Lines => LINE_EVERY,
        };
        if self.painted.is_some_and(|painted| painted.elapsed() < every) {
            return;
        }
        self.painted = Some(Instant::now());
        // What comes after the closing is waiting, not selling.
        let close_ns = view.open_ns + (view.sale.seconds * 1e9) as u64;
        let now = view.clock.ns().min(close_ns);
        let pairs = live::sum(view.live, |live| &live.pairs);
        let (before, at) = self.pairs;
        let since = now - at.max(view.open_ns).min(now);
        if since > 0 {
            self.rate = (pairs - before) as f64 / since as f64 * 1e9;
        }
        self.pairs = (pairs, now);
        match self.screen {
            Screen::Picture => {
                let frame = self.frame(view, shop, now);
                self.show(&frame);
            }
            _ => put(&self.line(view, shop, now)),
        }
    }

    /// A remark below the picture.
    pub(crate) fn say(&self, remark: &str) {
        match self.screen {
            Screen::Off => eprintln!("{remark}"),
            _ => put(&format!("{remark}\n")),
        }
    }

    fn show(&mut self, frame: &str) {
        let mut out = String::new();
        if self.standing > 0 {
            let _ = write!(out, "\x1b[{}A", self.standing);
        }
        for line in frame.lines() {
            let _ = writeln!(out, "\x1b[2K{line}");
        }
        self.standing = frame.lines().count();
        put(&out);
    }

    fn frame<S: Shop>(&self, view: &View<'_>, shop: &S, now: u64) -> String {
        let Numbers { sold, refused, expired, p50, p99 } = Numbers::of(view, shop);
        let mut frame = String::new();
        let how = match view.sale.mode {
            Mode::Earmark => "earmark: read, reserve, pay, confirm",
            Mode::Naive => "naive: read, pay, decrement",
        };
        let _ = writeln!(frame, " {}", self.tint("1", how));
        let _ = writeln!(
            frame,
            " {} agents, {} channels, {} threads    {:.1} of {:.0} s, {:.0} s simulated",
            thousands(view.sale.agents as u64),
            CHANNELS.len(),
            view.sale.threads,
            (now - view.open_ns) as f64 / 1e9,
            view.sale.seconds,
            view.clock.simulated_s(now - view.open_ns),
        );
        let looks: Vec<Look> = (0..view.world.lines.len()).map(|line| shop.look(line as u32)).collect();
        let (hot, tail) = looks.split_at(view.world.hot);
        for (line, look) in view.world.lines.iter().zip(hot) {
            let _ = writeln!(frame, " {:<13} {}", line.sku, self.bar(*look));
        }
        let all = tail.iter().fold(Look::default(), |sum, look| Look {
            left: sum.left + look.left,
            held: sum.held + look.held,
            sold: sum.sold + look.sold,
        });
        let _ = writeln!(frame, " {:<13} {}", format!("{} others", tail.len()), self.bar(all));
        let _ = writeln!(
            frame,
            " sold {}   refused {}   expired {}   {} pairs/s",
            self.tint("1", &thousands(sold)),
            thousands(refused),
            thousands(expired),
            thousands(self.rate as u64),
        );
        let _ = writeln!(frame, " reserve: p50 {}, p99 {}", length(p50), length(p99));
        frame
    }

    fn line<S: Shop>(&self, view: &View<'_>, shop: &S, now: u64) -> String {
        let Numbers { sold, refused, expired, p50, p99 } = Numbers::of(view, shop);
        let left: i64 = (0..view.world.hot as u32).map(|line| shop.look(line).left).sum();
        format!(
            "{:5.1} s: sold {sold}, hot left {left}, refused {refused}, expired {expired}, {:.0} pairs/s, p50 {}, p99 {}\n",
            (now - view.open_ns) as f64 / 1e9,
            self.rate,
            length(p50),
            length(p99),
        )
    }

    /// What is left, held and sold, of all there ever was.
    fn bar(&self, look: Look) -> String {
        let left = u64::try_from(look.left).unwrap_or(0);
        let over = look.left.min(0).unsigned_abs();
        let all = (left + look.held + look.sold).max(1);
        let cells = |units: u64| (units as f64 / all as f64 * BAR as f64).round() as usize;
        let left_cells = cells(left).max(usize::from(left > 0));
        let held_cells = cells(look.held).max(usize::from(look.held > 0)).min(BAR - left_cells);
        let over_cells = cells(over).max(usize::from(over > 0)).min(BAR - left_cells - held_cells);
        let sold_cells = BAR - left_cells - held_cells - over_cells;
        let bar = [
            self.tint("32", &"█".repeat(left_cells)),
            self.tint("33", &"▒".repeat(held_cells)),
            self.tint("90", &"░".repeat(sold_cells)),
            self.tint("31", &"▓".repeat(over_cells)),
        ];
        let state = match over {
            0 => format!("{:>7} left {:>6} held", thousands(left), thousands(look.held)),
            _ => self.tint("31", &format!("{:>7} OVERSOLD", thousands(over))),
        };
        format!("{} {state}", bar.concat())
    }

    fn tint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// The numbers of every picture.
struct Numbers {
    sold: u64,
    refused: u64,
    expired: u64,
    p50: u64,
    p99: u64,
}

impl Numbers {
    fn of<S: Shop>(view: &View<'_>, shop: &S) -> Numbers {
        Numbers {
            sold: live::sum(view.live, |live| &live.sold),
            refused: live::sum(view.live, |live| &live.refused),
            expired: shop.expired(),
            p50: live::quantile(view.live, 0.5),
            p99: live::quantile(view.live, 0.99),
        }
    }
}

/// Writes and flushes; somebody who stopped reading is no reason to stop selling.
pub(crate) fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Nanoseconds in a unit that fits.
pub(crate) fn length(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        _ => format!("{:.1} ms", ns as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([420, 12_345, 12_345_678].map(length), ["420 ns", "12.3 µs", "12.3 ms"]);
    }

    #[test]
    fn a_bar_is_as_long_as_any_other() {
        let picture = Picture { colour: false, ..Picture::new(Screen::Picture) };
        for (left, held, sold) in [(10, 0, 0), (0, 0, 0), (1, 1, 1_000), (0, 5_000, 1), (-30, 0, 130)] {
            let bar = picture.bar(Look { left, held, sold });
            let cells = bar.chars().filter(|c| "█▒░▓".contains(*c)).count();
            assert_eq!(cells, BAR, "{bar}");
            assert!(bar.chars().count() < 66, "{bar}");
        }
    }
}
