//! One line of comma separated text, split into its fields.
//!
//! A quote opens a field that may hold commas, and a quote as two. It must close on its line: the format has
//! no field of several lines, so a quote left open spoils one row and never the rest of the file.

/// A quote was opened and not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenQuote;

/// The fields of a line, side by side in one buffer that the next line uses again.
#[derive(Debug, Default)]
pub(super) struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    /// Takes the fields of a line in place of those before.
    pub(super) fn split(&mut self, line: &[u8]) -> Result<(), OpenQuote> {
        self.text.clear();
        self.ends.clear();
        let (mut quoted, mut first) = (false, true);
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let begins = std::mem::replace(&mut first, false);
            match byte {
                b'"' if quoted && bytes.next_if_eq(&b'"').is_some() => self.text.push(b'"'),
                b'"' if quoted || begins => quoted = !quoted,
                b',' if !quoted => {
                    self.ends.push(self.text.len());
                    first = true;
                }
                byte => self.text.push(byte),
            }
        }
        self.ends.push(self.text.len());
        if quoted { Err(OpenQuote) } else { Ok(()) }
    }

    /// How many there are: one at least.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.at(at))
    }

    /// One of them.
    pub(super) fn at(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<Vec<String>, OpenQuote> {
        let mut fields = Fields::default();
        fields.split(b"left,over")?;
        fields.split(line.as_bytes())?;
        Ok(fields.iter().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect())
    }

    #[test]
    fn a_quoted_field_holds_commas_and_quotes() {
        assert_eq!(split(r#"1,"a tee, red",6"#).unwrap(), ["1", "a tee, red", "6"]);
        assert_eq!(split(r#""7"" tall","",x"#).unwrap(), [r#"7" tall"#, "", "x"]);
        assert_eq!(split(r#"7" tall,"""""#).unwrap(), [r#"7" tall"#, r#"""#]);
        assert_eq!(split("").unwrap(), [""]);
        assert_eq!(split(",").unwrap(), ["", ""]);
    }

    #[test]
    fn a_quote_left_open_is_told() {
        for line in [r#"1,"a tee"#, r#"""#, r#"1,"a"","#] {
            assert_eq!(split(line), Err(OpenQuote), "{line}");
        }
    }
}
