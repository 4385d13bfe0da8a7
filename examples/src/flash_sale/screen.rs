//! Where a sale is shown, and how much of it fits there.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write as _};

/// Where a sale is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Screen {
    /// A picture on a terminal, as long as it fits.
    Picture,
    /// A line a second.
    Lines,
    /// Nowhere.
    Off,
}

impl Screen {
    /// A picture if standard output is a terminal that can move its cursor, else lines.
    pub fn of_stdout() -> Screen {
        let moves = io::stdout().is_terminal() && moves(std::env::var_os("TERM"));
        if moves { Screen::Picture } else { Screen::Lines }
    }
}

/// Whether a terminal of this kind moves its cursor.
fn moves(term: Option<OsString>) -> bool {
    term.is_none_or(|term| term != "dumb")
}

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Size {
    /// The terminal as it is now. One that does not know its size is taken for a usual one.
    pub(crate) fn of_stdout() -> Size {
        let size = termsize::get().filter(|size| size.cols > 0 && size.rows > 0);
        size.map_or(Size { columns: 80, rows: 24 }, |size| Size { columns: size.cols.into(), rows: size.rows.into() })
    }
}

/// Whether colours are wanted.
pub(crate) fn colour() -> bool {
    wanted(std::env::var_os("NO_COLOR"))
}

/// <https://no-color.org>: it counts if it is not empty, whatever it says.
fn wanted(no_color: Option<OsString>) -> bool {
    no_color.is_none_or(|set| set.is_empty())
}

/// Shows it at once. Somebody who stopped reading is no reason to stop selling.
pub(crate) fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_heard() {
        assert_eq!(
            [None, Some("xterm"), Some("dumb")].map(|term| moves(term.map(OsString::from))),
            [true, true, false]
        );
        assert_eq!([None, Some(""), Some("0")].map(|set| wanted(set.map(OsString::from))), [true, true, false]);
    }
}
