//! Rules of the house that no compiler checks.
//!
//! A rule is a function of facts, so that its test can show it a bad tree. `Ok` says what was seen,
//! `Err` lists every place that breaks it. To add a rule, write the function and add a row to [`RULES`].

mod examples;
mod manifest;
mod modules;
mod outcomes;
mod text;

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::house::House;
use crate::parse::Seen;
use crate::source::code_of;
use crate::stage::Stage;

/// What the rules look at.
#[derive(Debug, Default)]
struct Facts {
    files: Vec<File>,
    /// `cargo tree` of the engine with its default features: name and version of each crate.
    tree: Vec<String>,
    /// `cargo metadata` of the workspace with every feature on.
    metadata: serde_json::Value,
}

/// A text file of the checkout.
#[derive(Debug)]
struct File {
    path: String,
    text: String,
    /// The text of a Rust file without comments and strings.
    code: Option<String>,
}

type Check = fn(&Facts) -> Result<String, Vec<String>>;

const RULES: &[(&str, Check)] = &[
    ("default tree of the engine is small", manifest::small_default_tree),
    ("published crates depend on published crates", manifest::published_on_published),
    ("testkit is a development dependency of the engine", manifest::testkit_is_dev_only),
    ("no dependency asks for a newer compiler than we declare", manifest::msrv),
    ("unsafe stands in listed files only", text::unsafe_is_listed),
    ("no file names a machine or a registry host", text::no_machine),
    ("files are short", text::short_files),
    ("tests do not sleep", text::no_sleep_in_tests),
    ("every ignored test says why", text::ignored_with_reason),
    ("stock, reservation, wheel and their like do not know each other", modules::middle_is_apart),
    ("what is public in the engine has an example that runs", examples::all_shown),
    ("every public outcome has classes in the model", outcomes::outcomes_have_classes),
];

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    let started = Instant::now();
    let Some(facts) = gather(stage)? else {
        return Ok(());
    };
    let mut seen = Seen::default();
    for (name, check) in RULES {
        match check(&facts) {
            Ok(what) => {
                stage.say(&format!("ok: {name}: {what}"));
                seen.passed += 1;
            }
            Err(places) => {
                places.iter().for_each(|place| stage.fail(format!("{name}: {place}")));
                seen.failed += 1;
            }
        }
    }
    seen.ran.push(format!("{} rules over {} files", RULES.len(), facts.files.len()));
    stage.report().seen.push(seen);
    stage.report().ran_for += started.elapsed();
    Ok(())
}

fn gather(stage: &mut Stage<'_>) -> io::Result<Option<Facts>> {
    let tree = ["tree", "-p", "earmark", "-e", "normal", "--prefix", "none"];
    let metadata = ["metadata", "--format-version", "1", "--all-features"];
    let Some(tree) = cargo(stage, &tree)? else {
        return Ok(None);
    };
    let Some(metadata) = cargo(stage, &metadata)? else {
        return Ok(None);
    };
    Ok(Some(Facts {
        files: files(stage.house())?,
        tree: manifest::crates_of_tree(&tree),
        metadata: serde_json::from_str(&metadata.concat())?,
    }))
}

/// What cargo answers; megabytes of it are nothing for a log.
fn cargo(stage: &mut Stage<'_>, args: &[&str]) -> io::Result<Option<Vec<String>>> {
    let output = stage.house().cargo(None, "").args(args).output()?;
    if output.status.success() {
        return Ok(Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    stage.fail(format!("cargo {}: {}: {}", args.join(" "), output.status, said.trim()));
    Ok(None)
}

/// Every text file that is, or is about to be, in the repository. Without git: every file but those
/// that are built.
fn files(house: &House) -> io::Result<Vec<File>> {
    let listed = house
        .command("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()
        .filter(|git| git.status.success() && !git.stdout.is_empty());
    let paths: Vec<String> = match listed {
        Some(git) => String::from_utf8_lossy(&git.stdout).split_terminator('\0').map(str::to_string).collect(),
        None => {
            let mut paths = Vec::new();
            walk(house.root(), "", &mut paths)?;
            paths
        }
    };
    // A file may be deleted and still listed, and what is not UTF-8 is no text.
    let read = |path: String| Some(File::new(&path, &std::fs::read_to_string(house.root().join(&path)).ok()?));
    Ok(paths.into_iter().filter_map(read).collect())
}

fn walk(root: &Path, inside: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
        match entry.file_type()? {
            kind if kind.is_dir() && !["target", ".git"].contains(&name.as_str()) => walk(root, &path, paths)?,
            kind if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
    Ok(())
}

impl File {
    fn new(path: &str, text: &str) -> File {
        let code = path.ends_with(".rs").then(|| code_of(text));
        File { path: path.to_string(), text: text.to_string(), code }
    }
}

impl Facts {
    /// Rust files with their code.
    fn rust(&self) -> impl Iterator<Item = (&File, &str)> {
        self.files.iter().filter_map(|file| Some((file, file.code.as_deref()?)))
    }
}

/// The answer of a rule: what it saw, or where it is broken.
fn verdict(what: impl Into<String>, broken: Vec<String>) -> Result<String, Vec<String>> {
    if broken.is_empty() { Ok(what.into()) } else { Err(broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Facts {
        /// A checkout that holds these files.
        pub(super) fn with(files: &[(&str, &str)]) -> Facts {
            let files = files.iter().map(|(path, text)| File::new(path, text)).collect();
            Facts { files, ..Facts::default() }
        }
    }

    #[test]
    fn a_rule_that_finds_nothing_to_look_at_is_broken() {
        let nothing = Facts::default();
        for (name, check) in RULES {
            assert!(check(&nothing).is_err(), "{name} passes an empty checkout");
        }
    }
}
