//! The sale as it runs: bars on a terminal, a line a second elsewhere.
//!
//! Plain ANSI: each frame moves up over the last one and overwrites it. No line is longer than the terminal is
//! wide, so none wraps; a terminal whose size has changed is cleared, because nobody knows where the last frame
//! then stands; one that is too small gets lines. Nothing is hidden or switched, so nothing is left behind when
//! the sale is interrupted.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::SaleClock;
use super::live::{self, Live};
use super::order::CHANNELS;
use super::sale::{Mode, Sale};
use super::screen::{self, Screen, Size, show};
use super::shop::{Look, Shop};
use super::text::{cut, length, thousands};
use super::world::World;

/// Cells of a bar, where there is room, and at least; and columns beside it.
const BAR_MAX: usize = 34;
const BAR_MIN: usize = 8;
const BESIDE: usize = 42;
/// The narrowest terminal on which there is a picture.
const COLUMNS_MIN: usize = 32;
const FRAME_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// What there is to see.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) sale: &'a Sale,
    pub(crate) world: &'a World,
    pub(crate) clock: &'a SaleClock,
    pub(crate) open_ns: u64,
    pub(crate) agents: &'a [Live],
    /// Nobody, where there is no hammer.
    pub(crate) hammers: &'a [Live],
}

/// The frame that stands on the terminal.
#[derive(Debug, Clone, Copy)]
struct Standing {
    lines: usize,
    size: Size,
}

/// The painter, and what it painted last.
#[derive(Debug)]
pub(crate) struct Picture {
    screen: Screen,
    colour: bool,
    standing: Option<Standing>,
    told: Option<Instant>,
    /// Pairs and the time they took, and what that made a second.
    pairs: (u64, u64),
    rate: f64,
}

impl Picture {
    pub(crate) fn new(screen: Screen) -> Picture {
        Picture { screen, colour: screen::colour(), standing: None, told: None, pairs: (0, 0), rate: 0.0 }
    }

    /// How long to wait for the next frame.
    pub(crate) fn pause(&self) -> Duration {
        FRAME_EVERY
    }

    /// Shows how it stands.
    pub(crate) fn paint<S: Shop>(&mut self, view: &View<'_>, shop: &S) {
        // What comes after the closing is waiting, not selling.
        let close_ns = view.open_ns + (view.sale.seconds * 1e9) as u64;
        let now = view.clock.ns().min(close_ns);
        self.measure(view, now);
        let size = Size::of_stdout();
        let frame = match self.screen {
            Screen::Off => return,
            Screen::Lines => None,
            Screen::Picture => self.frame(view, shop, now, size),
        };
        if let Some(frame) = frame {
            show(&self.over(&frame, size));
        } else if self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            self.standing = None;
            self.told = Some(Instant::now());
            show(&self.line(view, shop, now));
        }
    }

    /// The rate since the last frame: the hammers' while they hammered, or everybody's.
    fn measure(&mut self, view: &View<'_>, now: u64) {
        let (pairs, ns) = match view.hammers.len() as u64 {
            0 => (live::sum(view.agents, |live| &live.pairs), now - view.open_ns),
            hammers => {
                let ns = live::sum(view.hammers, |live| &live.rushed_ns) / hammers;
                (live::sum(view.hammers, |live| &live.pairs), ns)
            }
        };
        let (pairs_before, ns_before) = self.pairs;
        if ns > ns_before {
            self.rate = (pairs - pairs_before) as f64 / (ns - ns_before) as f64 * 1e9;
        }
        self.pairs = (pairs, ns);
    }

    /// A remark below the picture.
    pub(crate) fn say(&self, remark: &str) {
        match self.screen {
            Screen::Off => eprintln!("{remark}"),
            _ => show(&format!("{remark}\n")),
        }
    }

    /// The frame, and what brings it to where the last one stands.
    fn over(&mut self, frame: &str, size: Size) -> String {
        let mut out = match self.standing {
            None => String::new(),
            Some(standing) if standing.size == size => format!("\x1b[{}A", standing.lines),
            Some(_) => "\x1b[2J\x1b[H".into(),
        };
        for line in frame.lines() {
            let _ = writeln!(out, "\x1b[2K{line}");
        }
        self.standing = Some(Standing { lines: frame.lines().count(), size });
        out
    }

    /// The picture, if it fits.
    fn frame<S: Shop>(&self, view: &View<'_>, shop: &S, now: u64, size: Size) -> Option<String> {
        let Numbers { sold, refused, expired, p50, p99, hammer_refused } = Numbers::of(view, shop);
        let bar = size.columns.saturating_sub(BESIDE).clamp(BAR_MIN, BAR_MAX);
        let mut lines = Vec::new();
        let how = match view.sale.mode {
            Mode::Earmark => "earmark: read, reserve, pay, confirm",
            Mode::Naive => "naive: read, pay, decrement",
        };
        lines.push(self.tint("1", how));
        lines.push(format!(
            "{:.1} of {} s, {:.0} s simulated    {} agents, {} channels, {} threads",
            (now - view.open_ns) as f64 / 1e9,
            view.sale.seconds,
            view.clock.simulated_s(now - view.open_ns),
            thousands(view.sale.agents as u64),
            CHANNELS.len(),
            view.sale.threads,
        ));
        let looks: Vec<Look> = (0..view.world.lines.len()).map(|line| shop.look(line as u32)).collect();
        let (hot, tail) = looks.split_at(view.world.hot);
        for (line, look) in view.world.lines.iter().zip(hot) {
            lines.push(format!("{:<13} {}", line.sku, self.bar(*look, bar)));
        }
        let all = tail.iter().fold(Look::default(), |sum, look| Look {
            left: sum.left + look.left,
            held: sum.held + look.held,
            sold: sum.sold + look.sold,
        });
        lines.push(format!("{:<13} {}", format!("{} others", tail.len()), self.bar(all, bar)));
        let sold = self.tint("1", &thousands(sold));
        lines.push(format!("sold {sold}   refused {}   expired {}", thousands(refused), thousands(expired)));
        let rate = thousands(self.rate as u64);
        lines.push(match view.hammers {
            [] => format!("{rate} pairs/s"),
            _ => format!("hammer: {rate} pairs/s, {} refused", thousands(hammer_refused)),
        });
        lines.push(format!("reserve: p50 {}, p99 {}", length(p50), length(p99)));
        // The last column stays free: some terminals wrap once it is taken.
        let fits = size.columns >= COLUMNS_MIN && lines.len() < size.rows;
        fits.then(|| lines.iter().map(|line| format!(" {}\n", cut(line, size.columns - 2))).collect())
    }

    fn line<S: Shop>(&self, view: &View<'_>, shop: &S, now: u64) -> String {
        let Numbers { sold, refused, expired, p50, p99, .. } = Numbers::of(view, shop);
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
    fn bar(&self, look: Look, bar: usize) -> String {
        let left = u64::try_from(look.left).unwrap_or(0);
        let over = look.left.min(0).unsigned_abs();
        let all = (left + look.held + look.sold).max(1);
        let cells = |units: u64| (units as f64 / all as f64 * bar as f64).round() as usize;
        let left_cells = cells(left).max(usize::from(left > 0));
        let held_cells = cells(look.held).max(usize::from(look.held > 0)).min(bar - left_cells);
        let over_cells = cells(over).max(usize::from(over > 0)).min(bar - left_cells - held_cells);
        let sold_cells = bar - left_cells - held_cells - over_cells;
        let cells = [
            self.tint("32", &"█".repeat(left_cells)),
            self.tint("33", &"▒".repeat(held_cells)),
            self.tint("90", &"░".repeat(sold_cells)),
            self.tint("31", &"▓".repeat(over_cells)),
        ];
        let state = match over {
            0 => format!("{:>7} left {:>6} held", thousands(left), thousands(look.held)),
            _ => self.tint("31", &format!("{:>7} OVERSOLD", thousands(over))),
        };
        format!("{} {state}", cells.concat())
    }

    fn tint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// The numbers of every picture: the agents', but for the reserve calls' lengths.
struct Numbers {
    sold: u64,
    refused: u64,
    expired: u64,
    p50: u64,
    p99: u64,
    hammer_refused: u64,
}

impl Numbers {
    fn of<S: Shop>(view: &View<'_>, shop: &S) -> Numbers {
        let all = view.agents.iter().chain(view.hammers);
        Numbers {
            sold: live::sum(view.agents, |live| &live.sold),
            refused: live::sum(view.agents, |live| &live.refused),
            expired: shop.expired(),
            p50: live::quantile(all.clone(), 0.5),
            p99: live::quantile(all, 0.99),
            hammer_refused: live::sum(view.hammers, |live| &live.refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shop::NaiveShop;
    use super::*;

    fn picture() -> Picture {
        Picture { colour: true, ..Picture::new(Screen::Picture) }
    }

    #[test]
    fn a_bar_is_as_long_as_any_other() {
        let picture = Picture { colour: false, ..picture() };
        for (left, held, sold) in [(10, 0, 0), (0, 0, 0), (1, 1, 1_000), (0, 5_000, 1), (-30, 0, 130)] {
            for cells in [BAR_MIN, BAR_MAX] {
                let bar = picture.bar(Look { left, held, sold }, cells);
                assert_eq!(bar.chars().filter(|c| "█▒░▓".contains(*c)).count(), cells, "{bar}");
                assert!(bar.chars().count() < cells + BESIDE - 14, "{bar}");
            }
        }
    }

    #[test]
    fn no_line_is_as_wide_as_the_terminal_and_what_does_not_fit_is_no_picture() {
        let sale = Sale { seconds: 0.3, ..Sale::new(Mode::Naive, 2) };
        let (world, clock) = (World::new(1e6), SaleClock::new(1_000));
        let (shop, live) = (NaiveShop::new(&world), [Live::default(), Live::default()]);
        let view = View { sale: &sale, world: &world, clock: &clock, open_ns: 0, agents: &live, hammers: &live };
        let frame = |columns, rows| picture().frame(&view, &shop, 100_000_000, Size { columns, rows });
        for columns in [COLUMNS_MIN, 40, 60, 80, 200] {
            let frame = frame(columns, 24).expect("it fits");
            for line in frame.lines() {
                let all = cut(line, usize::MAX);
                assert_eq!(cut(line, columns - 1), all, "{columns} columns: {line}");
            }
        }
        assert!(frame(80, 24).unwrap().contains("0.1 of 0.3 s"));
        let lines = frame(80, 24).unwrap().lines().count();
        assert!(frame(80, lines + 1).is_some() && frame(80, lines).is_none(), "the cursor stands below");
        assert_eq!(frame(COLUMNS_MIN - 1, 24), None);
    }

    #[test]
    fn a_frame_stands_where_the_last_one_stood_unless_the_size_changed() {
        let mut picture = picture();
        let size = Size { columns: 80, rows: 24 };
        assert_eq!(picture.over("a\nb\n", size), "\x1b[2Ka\n\x1b[2Kb\n");
        assert!(picture.over("a\nb\n", size).starts_with("\x1b[2A"));
        assert!(picture.over("a\nb\n", Size { columns: 70, ..size }).starts_with("\x1b[2J\x1b[H"));
    }
}
