//! The inner rule of the core: `inventory` knows the four in the middle, they do not know each other.

use super::{Facts, verdict};
use crate::source::is_word;

const CORE: &str = "crates/earmark/src/";
/// Those whose files must be there.
const MIDDLE: &[&str] = &["stock", "reservation", "wheel"];
/// Those that may come later and keep the same rule.
const LATER: &[&str] = &["escrow"];
const ABOVE: &str = "inventory";

pub(super) fn middle_is_apart(facts: &Facts) -> Result<String, Vec<String>> {
    let mut broken = Vec::new();
    let mut looked_at = Vec::new();
    for (file, code) in facts.rust() {
        let Some(inside) = file.path.strip_prefix(CORE) else {
            continue;
        };
        let home = inside.split(['/', '.']).next().unwrap_or("");
        if !MIDDLE.contains(&home) && !LATER.contains(&home) {
            continue;
        }
        looked_at.push(home);
        for (line, named) in named_from_the_root(code, depth(inside)) {
            let other = MIDDLE.contains(&named.as_str()) || LATER.contains(&named.as_str());
            if named == ABOVE || (other && named != home) {
                broken.push(format!("{}:{line} names {named}", file.path));
            }
        }
    }
    let absent = MIDDLE.iter().filter(|name| !looked_at.contains(name));
    broken.extend(absent.map(|name| format!("{CORE}{name} has no file: is the rule still about something?")));
    verdict(format!("{} files", looked_at.len()), broken)
}

/// How many `super` lead from a file to the crate: `stock/mod.rs` and `stock.rs` one, `stock/table.rs` two.
fn depth(inside: &str) -> usize {
    let parts = inside.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    parts.max(1)
}

/// The modules that stand right behind `crate::` or behind enough `super::`, with their line. Groups
/// are opened: `use crate::{stock::Line, word}` names `stock` and `word`.
fn named_from_the_root(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // A module inside the file is one deeper, so any number of `super` from `depth` on may reach the root.
    let supers = (depth..depth + 3).map(|n| "super::".repeat(n));
    for root in supers.chain(["crate::".to_string()]) {
        for (at, _) in code.match_indices(root.as_str()) {
            let before = &code[..at];
            if before.chars().next_back().is_some_and(is_word) || before.ends_with("super::") {
                continue;
            }
            let line = before.matches('\n').count() + 1;
            let rest = code[at + root.len()..].trim_start();
            found.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// `a::b` names `a`; `{a::{b, c}, d}` names `a` and `d`.
fn first_names(path: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let mut names = vec![word(group)];
    let mut open = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => names.push(word(&group[at + 1..])),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str, code: &str) -> Vec<String> {
        let filler: Vec<String> = MIDDLE.iter().map(|name| format!("{CORE}{name}/mod.rs")).collect();
        let mut files: Vec<(&str, &str)> = filler.iter().map(|path| (path.as_str(), "mod x;")).collect();
        files.push((path, code));
        middle_is_apart(&Facts::with(&files)).err().unwrap_or_default()
    }

    #[test]
    fn the_middle_may_use_the_nouns_and_itself() {
        let code = "use crate::{sku::Sku, word::Word};\nuse crate::stock::table; // crate::wheel\nuse super::ring;";
        assert_eq!(find("crates/earmark/src/stock/counter.rs", code), [""; 0]);
    }

    #[test]
    fn every_way_to_name_another_is_found() {
        let path = "crates/earmark/src/stock/counter.rs";
        for code in [
            "use crate::wheel::Ring;",
            "use crate::{\n    sku::Sku,\n    wheel::{Ring, X},\n};",
            "fn f() { crate::inventory::go() }",
            "use super::super::reservation::Id;",
            "use crate::escrow;",
        ] {
            assert_eq!(find(path, code).len(), 1, "{code}");
        }
        assert_eq!(find("crates/earmark/src/wheel/mod.rs", "use super::stock;").len(), 1);
        assert_eq!(find("crates/earmark/src/wheel.rs", "mod t { use super::super::stock; }").len(), 1);
    }

    #[test]
    fn others_may_name_all_of_them() {
        assert_eq!(find("crates/earmark/src/inventory/carts.rs", "use crate::{stock, wheel};"), [""; 0]);
        assert_eq!(find("crates/earmark-testkit/src/stock/a.rs", "use crate::wheel;"), [""; 0]);
    }

    #[test]
    fn a_missing_module_is_found() {
        let found = middle_is_apart(&Facts::with(&[("crates/earmark/src/stock.rs", "")])).unwrap_err();
        assert_eq!(found.len(), 2);
    }
}
