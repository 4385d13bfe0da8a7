//! What is public shows itself at work.
//!
//! A `pub` item of the engine can be reached from outside: the lint `unreachable_pub` sees to that. So the
//! text of the files tells what is public API. Methods of traits carry no `pub` and are not asked.

use super::{Facts, verdict};
use crate::source::is_word;

const ENGINE: &str = "crates/earmark/src/";
const KINDS: &[&str] = &["fn", "struct", "enum", "union", "trait", "type", "const", "static"];
/// What may stand between `pub` and the kind.
const BEFORE_KIND: &[&str] = &["const", "async", "unsafe", "extern"];
/// Items that need no example of their own: file, kind and name, why.
const WITHOUT: &[(&str, &str, &str)] = &[];

/// An item, with the line it stands on.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    line: usize,
    /// Kind and name.
    what: String,
    /// Its doc comment has an example that runs.
    shown: bool,
}

pub(super) fn all_shown(facts: &Facts) -> Result<String, Vec<String>> {
    shown_but(facts, WITHOUT)
}

/// The list is exact: an item that no longer needs its place on it loses it.
fn shown_but(facts: &Facts, without: &[(&str, &str, &str)]) -> Result<String, Vec<String>> {
    let (mut broken, mut shown, mut held) = (Vec::new(), 0, Vec::new());
    for (file, code) in facts.rust().filter(|(file, _)| file.path.starts_with(ENGINE)) {
        for Item { line, what, shown: is_shown } in items(&file.text, code) {
            let listed = without.iter().find(|(path, item, _)| *path == file.path && *item == what);
            match listed {
                _ if is_shown => shown += 1,
                Some(listed) => held.push(listed),
                None => broken.push(format!("{}:{line}: {what} has no example that runs", file.path)),
            }
        }
    }
    if shown == 0 {
        broken.push(format!("no example was found in {ENGINE}"));
    }
    let idle = without.iter().filter(|listed| !held.contains(listed));
    broken.extend(idle.map(|(path, what, why)| format!("{path}: {what} is listed ({why}) and needs no place there")));
    verdict(format!("{shown} items"), broken)
}

/// The public items of a file. `code` has the same lines as `text`, without comments and strings.
fn items(text: &str, code: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let (mut shown, mut in_fence, mut brackets) = (false, false, 0usize);
    for (at, (text, code)) in text.lines().zip(code.lines()).enumerate() {
        let code = code.trim();
        if let Some(doc) = text.trim_start().strip_prefix("///") {
            if let Some(info) = doc.trim_start().strip_prefix("```") {
                shown |= !in_fence && runs(info);
                in_fence = !in_fence;
            }
        } else if brackets > 0 || code.starts_with("#[") {
            brackets = (brackets + code.matches('[').count()).saturating_sub(code.matches(']').count());
        } else if !code.is_empty() {
            found.extend(public_item(code).map(|what| Item { line: at + 1, what, shown }));
            (shown, in_fence) = (false, false);
        }
    }
    found
}

/// Whether `cargo test` compiles and runs a block that begins so.
fn runs(info: &str) -> bool {
    info.split(',').all(|word| matches!(word.trim(), "" | "rust" | "should_panic"))
}

/// `pub const fn index(self)` is `fn index`. A field, a `use`, a `mod` and what is `pub(crate)` are none.
fn public_item(code: &str) -> Option<String> {
    let words = code.strip_prefix("pub ")?.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(BEFORE_KIND.len() + 2).collect();
    let is_kind = |pair: &[&str]| KINDS.contains(&pair[0]) && !KINDS.contains(&pair[1]);
    let at = words.windows(2).position(is_kind)?;
    let before = words[..at].iter().all(|word| BEFORE_KIND.contains(word));
    before.then(|| words[at..at + 2].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "crates/earmark/src/a/b.rs";
    const SHOWN: &str = "/// What.\n///\n/// ```\n/// assert!(true);\n/// ```\n";

    fn find(text: &str) -> Vec<String> {
        all_shown(&Facts::with(&[(FILE, text)])).err().unwrap_or_default()
    }

    #[test]
    fn an_item_whose_example_is_removed_is_found() {
        for item in [
            "pub fn f() {}",
            "    pub const fn f(self) {}",
            "pub async fn f() {}",
            "pub const unsafe extern \"C\" fn f() {}",
            "pub struct S;",
            "pub struct S<'a>(u32);",
            "pub enum E {}",
            "pub trait T: Send {}",
            "pub const C: u32 = 1;",
            "pub type A = u32;",
        ] {
            assert_eq!(find(&format!("{SHOWN}{item}\n")), [""; 0], "{item}");
            let removed = format!("{SHOWN}pub fn other() {{}}\n\n/// What.\n{item}\n");
            let found = find(&removed);
            assert_eq!(found.len(), 1, "{item}: {found:?}");
            assert!(found[0].starts_with(&format!("{FILE}:9: ")), "{found:?}");
        }
        let found = find(&format!("{SHOWN}pub fn f() {{}}\npub const fn g() {{}}"));
        assert_eq!(found, [format!("{FILE}:7: fn g has no example that runs")]);
    }

    #[test]
    fn what_is_not_run_is_no_example() {
        for info in ["text", "ignore", "no_run", "rust,no_run", "compile_fail", "json"] {
            let text = format!("{SHOWN}pub fn other() {{}}\n/// ```{info}\n/// x\n/// ```\npub fn f() {{}}");
            assert_eq!(find(&text).len(), 1, "{info}");
        }
        for info in ["", "rust", "should_panic", "rust, should_panic"] {
            assert_eq!(find(&format!("/// ```{info}\n/// x\n/// ```\npub fn f() {{}}")), [""; 0], "{info}");
        }
        let both = "/// ```text\n/// x\n/// ```\n///\n/// ```\n/// x\n/// ```\npub fn f() {}";
        assert_eq!(find(both), [""; 0]);
        let quoted = format!("{SHOWN}pub fn other() {{}}\n// ```\npub fn f(s: &str = \"```\") {{}}");
        assert_eq!(find(&quoted).len(), 1);
    }

    #[test]
    fn attributes_and_comments_may_stand_between() {
        let attributes = "#[must_use]\n#[allow(\n    dead_code,\n    reason = \"]\"\n)]\n\n// why\npub fn f() {}";
        assert_eq!(find(&format!("{SHOWN}{attributes}")), [""; 0]);
        let in_macro = "/// ```\n#[doc = $setup]\n/// f();\n/// ```\n#[inline]\npub fn f() {}";
        assert_eq!(find(in_macro), [""; 0]);
    }

    #[test]
    fn what_is_no_item_of_the_public_face_is_not_asked() {
        for other in [
            "pub(crate) fn f() {}",
            "fn f() {}",
            "pub use a::b;",
            "pub mod docs;",
            "pub struct_of: u32,",
            "pub line: fn() -> u32,",
            "// pub fn f() {}",
            "let s = \"\npub fn f() {}\";",
        ] {
            assert_eq!(find(&format!("{SHOWN}pub fn shown() {{}}\n{other}\n")), [""; 0], "{other}");
        }
        let elsewhere = [(FILE, &*format!("{SHOWN}pub fn f() {{}}")), ("crates/xtask/src/a.rs", "pub fn f() {}")];
        assert_eq!(all_shown(&Facts::with(&elsewhere)), Ok("1 items".into()));
    }

    #[test]
    fn a_listed_item_may_be_without_and_must_need_its_place() {
        let facts = Facts::with(&[(FILE, &format!("{SHOWN}pub fn f() {{}}\n\npub fn g() {{}}"))]);
        let listed = |what| shown_but(&facts, &[(FILE, what, "shown at f")]);
        assert_eq!(listed("fn g"), Ok("1 items".into()));
        let idle = format!("{FILE}: fn f is listed (shown at f) and needs no place there");
        assert_eq!(listed("fn f").unwrap_err(), [format!("{FILE}:8: fn g has no example that runs"), idle]);
    }
}
