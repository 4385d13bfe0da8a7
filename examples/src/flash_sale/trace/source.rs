//! The bytes of a trace: a plain file as it is, a packed one unpacked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

/// What begins every gzip file, and every further part of one.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Where the lines come from.
#[derive(Debug)]
pub(super) enum Source {
    Plain(BufReader<File>),
    Packed(Unpacked),
}

/// The content of a packed file, part after part, until something else follows.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// `None` after the last part.
    part: Option<GzDecoder<Cursor<Vec<u8>>>>,
    left_over: usize,
}

impl Source {
    /// Opens a file, packed or not: its first bytes say which.
    pub(super) fn open(path: &Path) -> io::Result<Source> {
        let mut file = BufReader::new(File::open(path)?);
        if !file.fill_buf()?.starts_with(GZIP) {
            return Ok(Source::Plain(file));
        }
        let mut packed = Vec::new();
        file.read_to_end(&mut packed)?;
        let part = GzDecoder::new(Cursor::new(packed));
        Ok(Source::Packed(Unpacked { part: Some(part), left_over: 0 }))
    }
}

impl Unpacked {
    /// Bytes after the last part that belong to nothing; known at the end.
    pub(super) fn left_over(&self) -> usize {
        self.left_over
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = &mut self.part {
            let read = part.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let mut rest = self.part.take().map(GzDecoder::into_inner).unwrap_or_default();
            let left = rest.fill_buf()?;
            if left.starts_with(GZIP) {
                self.part = Some(GzDecoder::new(rest));
            } else if left.iter().any(|byte| *byte != 0) {
                self.left_over = left.len(); // zeros only fill up a block
            }
        }
        Ok(0)
    }
}
