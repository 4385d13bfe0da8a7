//! The file that `--history` names: it is there whole, or as it was before.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use earmark_testkit::history::{Call, jsonl};

/// Where a history will be.
#[derive(Debug)]
pub(crate) struct HistoryFile {
    path: PathBuf,
    /// What is written first, and takes the file's name at the end. `None`: a device or a pipe, written straight.
    beside: Option<PathBuf>,
}

impl HistoryFile {
    /// Tries whether it can be written, so that a bad path costs no sale, and leaves nothing there. `trace` is
    /// what is read meanwhile.
    pub(crate) fn new(path: &Path, trace: Option<&Path>) -> Result<HistoryFile, String> {
        let told = |error: io::Error| format!("{}: {error}", path.display());
        // Where a link leads; what is not there yet is no link.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if trace.is_some_and(|trace| trace.canonicalize().is_ok_and(|trace| trace == real)) {
            return Err(format!("{}: is the trace itself, choose another file", path.display()));
        }
        match fs::metadata(&real) {
            Ok(is) if is.is_dir() => return Err(format!("{}: is a directory", path.display())),
            Ok(is) if !is.is_file() => return Ok(HistoryFile { path: real, beside: None }),
            _ => {}
        }
        let mut name = real.file_name().map(OsString::from).ok_or(format!("{}: is no file", path.display()))?;
        name.push(format!(".{}.part", std::process::id()));
        let beside = real.with_file_name(name);
        File::create(&beside).and_then(|_| fs::remove_file(&beside)).map_err(told)?;
        Ok(HistoryFile { path: real, beside: Some(beside) })
    }

    /// Writes all calls.
    pub(crate) fn write(&self, calls: &[Call]) -> io::Result<()> {
        let Some(beside) = &self.beside else {
            return jsonl::write(File::options().write(true).open(&self.path)?, calls);
        };
        let written = File::create(beside).and_then(|file| jsonl::write(file, calls));
        let moved = written.and_then(|()| fs::rename(beside, &self.path));
        if moved.is_err() {
            let _ = fs::remove_file(beside);
        }
        moved
    }
}
