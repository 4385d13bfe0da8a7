//! What the output of `cargo test` says: which tests passed, failed, were ignored or did not run.
//!
//! Two words of the house are read besides libtest's own: a line `ran: ...` says what a test explored
//! (it goes to the final table), and a line `not run: REASON` says that a test returned without having
//! tested. The second kind is counted as skipped, not as passed, although libtest calls it ok.

use std::collections::{BTreeMap, BTreeSet};

/// A test as its binary knows it. Suites that run the same binary agree on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TestId {
    pub(crate) binary: String,
    pub(crate) name: String,
}

impl std::fmt::Display for TestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.binary, self.name)
    }
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// As libtest counts: a test that said `not run` is among them.
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Tests that came to an end, either way.
    pub(crate) ended: BTreeSet<TestId>,
    /// Tests that were left out, with the reason their attribute gives.
    pub(crate) ignored: BTreeMap<TestId, String>,
    /// Names of what failed.
    pub(crate) failures: Vec<String>,
    /// The `ran: ...` lines, without that word.
    pub(crate) ran: Vec<String>,
    /// Who did not run, and why. One entry per test that said so.
    pub(crate) not_run: Vec<(String, String)>,
    /// Each binary with the number of tests that it ran.
    pub(crate) binaries: Vec<(String, u64)>,
}

/// Reads lines in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    seen: Seen,
    binary: String,
    /// The test whose captured output follows (`---- NAME stdout ----`).
    showing: Option<String>,
    ignored_here: u64,
}

impl Reader {
    pub(crate) fn finish(self) -> Seen {
        self.seen
    }

    pub(crate) fn line(&mut self, line: &str) {
        let text = line.trim();
        if let Some(binary) = binary_of(text) {
            self.binary = binary;
            self.showing = None;
            self.ignored_here = 0;
            self.seen.binaries.push((self.binary.clone(), 0));
        } else if let Some(name) = text.strip_prefix("---- ").and_then(|t| t.strip_suffix(" stdout ----")) {
            self.showing = Some(name.to_string());
        } else if let Some(counts) = Counts::of(text) {
            self.counts(counts);
        } else if let Some((name, outcome)) = test_line(text) {
            self.test(name, outcome);
        } else {
            self.word(text);
        }
    }

    fn counts(&mut self, counts: Counts) {
        self.seen.passed += counts.passed;
        self.seen.failed += counts.failed;
        if let Some((_, ran)) = self.seen.binaries.last_mut() {
            *ran += counts.passed + counts.failed;
        }
        // With output that is not captured, another thread's line may hide the name.
        for unnamed in self.ignored_here..counts.ignored {
            let id = self.id(&format!("(ignored, name not read, {unnamed})"));
            self.seen.ignored.insert(id, String::new());
        }
        self.showing = None;
        self.ignored_here = 0;
    }

    fn test(&mut self, name: &str, outcome: &str) {
        let id = self.id(name);
        let (word, reason) = outcome.split_once(", ").unwrap_or((outcome, ""));
        match word.split(' ').next() {
            Some("ok") => _ = self.seen.ended.insert(id),
            Some("FAILED") => {
                self.seen.failures.push(id.to_string());
                self.seen.ended.insert(id);
            }
            Some("ignored") => {
                self.ignored_here += 1;
                self.seen.ignored.insert(id, reason.to_string());
            }
            _ => self.word(outcome), // uncaptured output behind `test NAME ... `
        }
    }

    fn word(&mut self, text: &str) {
        if let Some(what) = text.strip_prefix("ran: ") {
            if !self.seen.ran.iter().any(|known| known == what) {
                self.seen.ran.push(what.to_string());
            }
        } else if let Some(reason) = text.strip_prefix("not run: ") {
            let who = self.showing.as_deref().map(|name| self.id(name).to_string());
            match who {
                Some(who) if self.seen.not_run.iter().any(|(known, _)| *known == who) => {}
                who => self.seen.not_run.push((who.unwrap_or_default(), reason.to_string())),
            }
        }
    }

    fn id(&self, name: &str) -> TestId {
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        TestId { binary: self.binary.clone(), name: name.to_string() }
    }
}

/// `Running tests/history.rs (target/release/deps/history-0a1b)` is `history`.
fn binary_of(text: &str) -> Option<String> {
    if let Some(krate) = text.strip_prefix("Doc-tests ") {
        return Some(format!("{krate} (doc)"));
    }
    let path = text.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('(')?.1;
    let file = path.rsplit('/').next()?;
    Some(file.rsplit_once('-').map_or(file, |(stem, _hash)| stem).to_string())
}

/// `test model::walk ... ok` is (`model::walk`, `ok`).
fn test_line(text: &str) -> Option<(&str, &str)> {
    let (name, outcome) = text.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name, outcome))
}

/// The figures of a line `test result: ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    pub(crate) fn of(text: &str) -> Option<Counts> {
        let (_, figures) = text.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let figure =
            |word: &str| figures.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok());
        Some(Counts { passed: figure("passed")?, failed: figure("failed")?, ignored: figure("ignored")? })
    }
}

/// The names of breaks in a Rust source: quoted strings of the form `B8_...` or `L_...`.
pub(crate) fn break_names(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split('"').skip(1).step_by(2).filter(|text| is_break_name(text)).map(str::to_string).collect()
}

fn is_break_name(text: &str) -> bool {
    let Some((head, rest)) = text.split_once('_') else {
        return false;
    };
    let numbered = head.strip_prefix('B').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (numbered || head == "L") && !rest.is_empty() && rest.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Seen {
        let mut reader = Reader::default();
        output.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    const CAPTURED: &str = r"
   Compiling earmark v0.1.0
     Running unittests src/lib.rs (target/debug/deps/earmark-5d1c7c9be0a1b2c3)

running 4 tests
test model::walk ... ignored, heavy: run by cargo xtask test
test stock::packs ... ok
test stock::refuses - should panic ... ok
test wheel::fires ... FAILED

successes:

---- stock::packs stdout ----
ran: stock packs, 12 cases
ran: stock packs, 12 cases

failures:

---- wheel::fires stdout ----
thread 'wheel::fires' (7) panicked at crates/earmark/src/wheel/ring.rs:1:1:

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.12s

     Running tests/real_data.rs (target/debug/deps/real_data-99)
test replay ... ok
---- replay stdout ----
not run: EARMARK_ONLINE_RETAIL is not set
not run: EARMARK_ONLINE_RETAIL is not set
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests earmark
test crates/earmark/src/lib.rs - (line 9) ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s
";

    #[test]
    fn counts_are_summed_over_binaries() {
        let seen = read(CAPTURED);
        assert_eq!((seen.passed, seen.failed), (4, 1));
        let binaries: Vec<(&str, u64)> = seen.binaries.iter().map(|(b, n)| (b.as_str(), *n)).collect();
        assert_eq!(binaries, [("earmark", 3), ("real_data", 1), ("earmark (doc)", 1)]);
    }

    #[test]
    fn names_reasons_and_failures_are_kept() {
        let seen = read(CAPTURED);
        assert_eq!(seen.failures, ["earmark wheel::fires"]);
        let (id, reason) = seen.ignored.first_key_value().unwrap();
        assert_eq!(id.to_string(), "earmark model::walk");
        assert_eq!(reason, "heavy: run by cargo xtask test");
        assert!(seen.ended.iter().any(|id| id.name == "stock::refuses"));
        assert!(seen.ended.iter().any(|id| id.name == "crates/earmark/src/lib.rs - (line 9)"));
    }

    #[test]
    fn a_test_that_did_not_run_is_one_entry_however_often_it_says_so() {
        let seen = read(CAPTURED);
        let expected = ("real_data replay".to_string(), "EARMARK_ONLINE_RETAIL is not set".to_string());
        assert_eq!(seen.not_run, [expected]);
    }

    #[test]
    fn ran_lines_are_found_captured_and_behind_a_test_name() {
        assert_eq!(read(CAPTURED).ran, ["stock packs, 12 cases"]);
        let seen = read("test loom_a ... ran: loom a 12 permutations, bound none, 0.1 s\nok\nthat one ran: no\n");
        assert_eq!(seen.ran, ["loom a 12 permutations, bound none, 0.1 s"]);
    }

    #[test]
    fn an_ignored_test_whose_name_was_hidden_still_counts() {
        let seen = read(
            "Running unittests src/lib.rs (t/deps/a-1)\ntest result: ok. 0 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!(seen.ignored.len(), 2);
    }

    #[test]
    fn a_line_that_only_looks_like_a_result_is_none() {
        assert_eq!(Counts::of("test result: ok. many passed"), None);
        assert_eq!(Counts::of("the test result: ok. 1 passed; 0 failed; 0 ignored"), None);
    }

    #[test]
    fn break_names_are_the_quoted_ones_outside_comments() {
        let source = r#"
            // "B1_in_a_comment" is none
            pub const ALL: &[(&str, Break)] = &[("B8_load_then_store", A), ("L_key_unclaimed", B)];
            const OTHER: &str = "B_8"; const X: &str = "Block_it"; const Y: &str = "L_"; const Z: &str = "B8_No";
        "#;
        assert_eq!(break_names(source), ["B8_load_then_store", "L_key_unclaimed"].map(String::from).into());
    }
}
