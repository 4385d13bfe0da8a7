//! Text for people: numbers that read well, and lines that fit a terminal of the usual width.

use std::fmt;

/// Columns of the usual terminal.
const COLUMNS: usize = 80;
/// Where what is said begins, beside its label.
const INDENT: usize = 21;

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

/// One thing that there is to say, over as many lines as it takes.
pub(crate) fn entry(f: &mut fmt::Formatter<'_>, label: &str, what: fmt::Arguments<'_>) -> fmt::Result {
    let mut label = label;
    for line in wrapped(&what.to_string(), COLUMNS - INDENT) {
        writeln!(f, " {label:<19} {line}")?;
        label = "";
    }
    Ok(())
}

/// Broken between words; a word that is longer than a line stays whole.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        let width = line.chars().count();
        if width > 0 && width + 1 + word.chars().count() > columns {
            lines.push(word.to_string());
        } else {
            line.push_str(if width > 0 { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}

/// A text that is cut where it would be longer than so many columns. Colours take none, and are ended.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let (mut cut, mut width, mut colour) = (String::new(), 0, false);
    for c in text.chars() {
        match (c, colour) {
            ('\x1b', _) => colour = true,
            ('m', true) => colour = false,
            (_, true) => {}
            (_, false) if width == columns => {
                cut.push_str(if text.contains('\x1b') { "\x1b[0m" } else { "" });
                break;
            }
            (_, false) => width += 1,
        }
        cut.push(c);
    }
    cut
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
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one twothreefour five", 7), ["one", "twothreefour", "five"]);
        assert_eq!(wrapped("", 7), [""]);
    }

    #[test]
    fn a_cut_line_leaves_no_colour_behind() {
        assert_eq!(cut("12345", 5), "12345");
        assert_eq!(cut("12345", 4), "1234");
        assert_eq!(cut("\x1b[32m███\x1b[0m 12", 6), "\x1b[32m███\x1b[0m 12");
        assert_eq!(cut("\x1b[32m███\x1b[0m 12", 2), "\x1b[32m██\x1b[0m");
    }
}
