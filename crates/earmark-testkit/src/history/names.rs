//! Numbers for the names that a file uses: `"mug"` is line 0 from its first mention on.

use std::collections::HashMap;

use super::Id;

/// Upper half of ids made from names that are not 128-bit numbers themselves.
const NAMED: u64 = u64::MAX;

/// The names of a file's lines and reservations, numbered in the order in which they appear.
///
/// ```
/// use earmark_testkit::history::Names;
///
/// let mut names = Names::default();
/// assert_eq!(names.line("mug"), 0);
/// assert_eq!(names.line("plate"), 1);
/// assert_eq!(names.line("mug"), 0);
/// assert_eq!(names.line_name(1), Some("plate"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Names {
    lines: HashMap<Box<str>, u32>,
    line_names: Vec<Box<str>>,
    ids: HashMap<Box<str>, u64>,
}

impl Names {
    /// The number of a line's name; a new name gets the next number.
    pub fn line(&mut self, name: &str) -> u32 {
        if let Some(line) = self.lines.get(name) {
            return *line;
        }
        let line = u32::try_from(self.line_names.len()).expect("fewer than 2^32 lines");
        self.line_names.push(name.into());
        self.lines.insert(name.into(), line);
        line
    }

    /// The name of a line, if the file named it.
    pub fn line_name(&self, line: u32) -> Option<&str> {
        self.line_names.get(line as usize).map(|name| &**name)
    }

    /// The id that a text stands for: itself if it is 32 hexadecimal digits or a UUID, else a number of its own.
    pub fn id(&mut self, text: &str) -> Id {
        if let Ok(id) = text.parse() {
            return id;
        }
        let next = self.ids.len() as u64;
        let number = match self.ids.get(text) {
            Some(number) => *number,
            None => {
                self.ids.insert(text.into(), next);
                next
            }
        };
        Id::from_parts(NAMED, number)
    }
}
