//! Rules about the text of files.

use super::{Facts, verdict};
use crate::source::{is_word, lines_with};

/// The files that may hold `unsafe`, and for what.
const UNSAFE: &[(&str, &str)] = &[
    ("benches/src/alloc.rs", "a global allocator that counts in child processes"),
    ("crates/earmark/src/clock.rs", "clock_gettime(CLOCK_BOOTTIME), which counts the time of a suspend"),
    ("crates/earmark/tests/alloc.rs", "a global allocator that counts"),
];
const LINES_MAX: usize = 600;
/// First folders of absolute paths that belong to somebody's machine.
const MACHINE_FOLDERS: &[&str] = &["work", "root", "home"];
/// First labels of hosts from which crates are fetched; the lock file names the index of crates.io only.
const REGISTRY_HOSTS: &[&str] = &["static", "index", "registry"];

/// The list is exact: a file that no longer needs its place on it loses it.
pub(super) fn unsafe_is_listed(facts: &Facts) -> Result<String, Vec<String>> {
    let mut broken = Vec::new();
    let mut held = Vec::new();
    for (file, code) in facts.rust() {
        let lines = lines_with(code, "unsafe");
        if lines.is_empty() {
            continue;
        }
        if UNSAFE.iter().any(|(path, _)| *path == file.path) {
            held.push(file.path.as_str());
        } else {
            broken.extend(lines.iter().map(|line| format!("{}:{line}", file.path)));
        }
    }
    let idle = UNSAFE.iter().filter(|(path, _)| !held.contains(path));
    broken.extend(idle.map(|(path, why)| format!("{path} is listed ({why}) and holds none")));
    verdict(held.join(", "), broken)
}

pub(super) fn no_machine(facts: &Facts) -> Result<String, Vec<String>> {
    let mut broken = Vec::new();
    for file in &facts.files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(found) = machine_in(line) {
                broken.push(format!("{}:{}: {found}", file.path, number + 1));
            }
        }
    }
    if facts.files.is_empty() {
        broken.push("no file was found".into());
    }
    verdict(format!("{} files", facts.files.len()), broken)
}

fn machine_in(line: &str) -> Option<String> {
    let paths = MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/"));
    let hosts = REGISTRY_HOSTS.iter().map(|label| format!("://{label}."));
    // A folder of that name inside a relative path or a URL is nobody's machine.
    let absolute = |at: usize| !line[..at].chars().next_back().is_some_and(|c| is_word(c) || ".-/".contains(c));
    paths
        .filter(|path| line.match_indices(path.as_str()).any(|(at, _)| absolute(at)))
        .chain(hosts.filter(|host| line.contains(host.as_str())))
        .next()
}

pub(super) fn short_files(facts: &Facts) -> Result<String, Vec<String>> {
    let lengths: Vec<(usize, &String)> =
        facts.rust().map(|(file, _)| (file.text.lines().count(), &file.path)).collect();
    let Some((longest, path)) = lengths.iter().max() else {
        return Err(vec!["no Rust file was found".into()]);
    };
    let long = lengths.iter().filter(|(lines, _)| *lines > LINES_MAX);
    let broken = long.map(|(lines, path)| format!("{path}: {lines} lines, at most {LINES_MAX}"));
    verdict(format!("longest is {path}, {longest} lines"), broken.collect())
}

/// Time in tests comes from the manual clock; a sleep as synchronisation is a race.
pub(super) fn no_sleep_in_tests(facts: &Facts) -> Result<String, Vec<String>> {
    let outlined = outlined_test_modules(facts);
    let mut broken = Vec::new();
    let mut looked_at = 0;
    for (file, code) in facts.rust() {
        let whole = is_test_file(&file.path, &outlined);
        let first = if whole { Some(1) } else { inline_tests(code) };
        let Some(first) = first else { continue };
        looked_at += 1;
        let mut lines = lines_with(code, "thread::sleep");
        let imports = |line: &str| line.contains("thread::{") && !lines_with(line, "sleep").is_empty();
        lines.extend(code.lines().enumerate().filter(|(_, line)| imports(line)).map(|(n, _)| n + 1));
        broken.extend(lines.iter().filter(|line| **line >= first).map(|line| format!("{}:{line}", file.path)));
    }
    if looked_at == 0 {
        broken.push("no test was found".into());
    }
    verdict(format!("{looked_at} files with tests"), broken)
}

fn is_test_file(path: &str, outlined: &[String]) -> bool {
    let in_folder = path.split('/').rev().skip(1).any(|folder| folder == "tests");
    in_folder || path.ends_with("tests.rs") || outlined.iter().any(|module| path.starts_with(module.as_str()))
}

/// `#[cfg(test)] mod model;` makes `model.rs` and `model/` tests, whatever they are called.
fn outlined_test_modules(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for (file, code) in facts.rust() {
        let home = match file.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_string(),
            _ => file.path.trim_end_matches(".rs").to_string(),
        };
        for (_, item) in test_items(code) {
            let module = item.split_once("mod ").map(|(_, rest)| rest.trim_start());
            let name: String = module.unwrap_or("").chars().take_while(|c| is_word(*c)).collect();
            if !name.is_empty() && item.trim_end().ends_with(';') {
                found.extend([format!("{home}/{name}.rs"), format!("{home}/{name}/")]);
            }
        }
    }
    found
}

/// The line on which the tests at the bottom of a file begin.
fn inline_tests(code: &str) -> Option<usize> {
    let is_inline = |(_, item): &(usize, &str)| item.contains("mod ") && item.trim_end().ends_with('{');
    test_items(code).into_iter().find(is_inline).map(|(at, _)| code[..at].lines().count() + 1)
}

/// What follows each `#[cfg(... test ...)]`, up to its `{` or `;`, with its place.
fn test_items(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("#[cfg(") {
        let Some((condition, item)) = code[at..].split_once(']') else {
            continue;
        };
        if lines_with(condition, "test").is_empty() || condition.contains("not(test") {
            continue;
        }
        if let Some(end) = item.find(['{', ';']) {
            found.push((at, &item[..=end]));
        }
    }
    found
}

pub(super) fn ignored_with_reason(facts: &Facts) -> Result<String, Vec<String>> {
    let mut broken = Vec::new();
    let mut with_reason = 0;
    for (file, code) in facts.rust() {
        for (number, line) in code.lines().enumerate() {
            let bare = |line: &str| line.contains("#[ignore]") || (line.contains("cfg_attr") && ends_bare(line));
            if bare(line) {
                broken.push(format!("{}:{}", file.path, number + 1));
            }
            with_reason += usize::from(line.contains("#[ignore ="));
        }
    }
    if facts.rust().next().is_none() {
        broken.push("no Rust file was found".into());
    }
    verdict(format!("{with_reason} ignored"), broken)
}

/// `#[cfg_attr(miri, ignore)]`.
fn ends_bare(line: &str) -> bool {
    line.match_indices("ignore)").any(|(at, _)| !line[..at].chars().next_back().is_some_and(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(check: fn(&Facts) -> Result<String, Vec<String>>, path: &str, text: &str) -> Vec<String> {
        check(&Facts::with(&[(path, text)])).err().unwrap_or_default()
    }

    #[test]
    fn unsafe_outside_the_list_is_found_and_words_about_it_are_not() {
        let find = |text: &str| {
            let all: Vec<(&str, &str)> = UNSAFE.iter().map(|(path, _)| (*path, "unsafe fn f() {}")).collect();
            let facts = Facts::with(&[&all[..], &[("crates/a/src/lib.rs", text)]].concat());
            unsafe_is_listed(&facts).err().unwrap_or_default()
        };
        assert_eq!(find("fn f() {\n    unsafe { g() }\n}"), ["crates/a/src/lib.rs:2"]);
        assert_eq!(find("#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";"), [""; 0]);
    }

    #[test]
    fn a_place_on_the_list_that_is_not_needed_is_found() {
        let found = broken(unsafe_is_listed, UNSAFE[0].0, "fn safe() {}");
        assert!(found[0].starts_with(UNSAFE[0].0), "{found:?}");
    }

    #[test]
    fn machine_paths_and_registry_hosts_are_found_in_any_file() {
        for folder in MACHINE_FOLDERS {
            let text = format!("see `/{folder}/somebody/x`");
            assert_eq!(broken(no_machine, "README.md", &text), [format!("README.md:1: /{folder}/")]);
        }
        for label in REGISTRY_HOSTS {
            let text = format!("\n[source]\nurl = \"https://{label}.example/\"");
            assert_eq!(broken(no_machine, "a.toml", &text).len(), 1);
        }
    }

    #[test]
    fn relative_paths_and_other_hosts_are_fine() {
        for folder in MACHINE_FOLDERS {
            let fine = format!("target/{folder}/x, ./{folder}/y, ../{folder}/z, https://docs.rs/{folder}/");
            assert_eq!(broken(no_machine, "README.md", &fine), [""; 0]);
        }
    }

    #[test]
    fn a_long_file_is_found() {
        let line = "fn f() {}\n";
        assert_eq!(broken(short_files, "a.rs", &line.repeat(LINES_MAX)), [""; 0]);
        assert_eq!(broken(short_files, "a.rs", &line.repeat(LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn a_sleep_is_found_in_test_folders_in_inline_tests_and_in_outlined_ones() {
        let sleep = "fn f() { std::thread::sleep(d); }";
        assert_eq!(broken(no_sleep_in_tests, "crates/a/tests/b.rs", sleep), ["crates/a/tests/b.rs:1"]);
        assert_eq!(broken(no_sleep_in_tests, "crates/a/src/loom_tests.rs", sleep).len(), 1);
        let grouped = "use std::thread::{self, sleep};";
        assert_eq!(broken(no_sleep_in_tests, "crates/a/tests/b.rs", grouped).len(), 1);
        let inline = format!("fn g() {{}}\n#[cfg(test)]\nmod tests {{\n    {sleep}\n}}\n");
        assert_eq!(broken(no_sleep_in_tests, "crates/a/src/b.rs", &inline), ["crates/a/src/b.rs:4"]);
        let outlined = Facts::with(&[
            ("crates/a/src/lib.rs", "#[cfg(all(test, not(earmark_loom)))]\nmod model;\nmod driver;"),
            ("crates/a/src/model.rs", sleep),
            ("crates/a/src/model/walk.rs", sleep),
            ("crates/a/src/driver.rs", sleep),
        ]);
        let found = no_sleep_in_tests(&outlined).unwrap_err();
        assert_eq!(found, ["crates/a/src/model.rs:1", "crates/a/src/model/walk.rs:1"]);
    }

    #[test]
    fn a_driver_that_waits_is_no_test() {
        let code = "fn drive() { std::thread::sleep(d); }\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(broken(no_sleep_in_tests, "crates/a/src/driver.rs", code), [""; 0]);
    }

    #[test]
    fn an_ignored_test_without_a_reason_is_found() {
        assert_eq!(broken(ignored_with_reason, "a.rs", "#[test]\n#[ignore]\nfn f() {}"), ["a.rs:2"]);
        assert_eq!(broken(ignored_with_reason, "a.rs", "#[cfg_attr(miri, ignore)]"), ["a.rs:1"]);
        let fine = "#[ignore = \"heavy: run by cargo xtask test\"]\n// #[ignore]\nlet s = \"#[ignore]\";";
        assert_eq!(broken(ignored_with_reason, "a.rs", fine), [""; 0]);
    }
}
