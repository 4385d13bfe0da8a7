//! Rust text without its comments and without what stands in its strings.
//!
//! Rules ask for words of the *code*; a comment may well explain `unsafe`, and a test may quote it. The
//! result has the same lines as the source, so that a finding can name its line.

/// Blanks out comments and the contents of strings; keeps every line break and every quote mark.
pub(crate) fn code_of(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let starts_word = at == 0 || !is_word(text[at - 1]);
        let (length, edge) = if let Some(length) = comment(rest) {
            (length, ' ')
        } else if let Some(length) = raw_string(rest).filter(|_| starts_word) {
            (length, '"')
        } else if let Some(length) = quoted(rest) {
            (length, rest[0])
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        out.push(edge);
        out.extend(rest[..length].iter().filter(|c| **c == '\n'));
        out.push(edge);
        at += length;
    }
    out
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The lines (from 1) on which `word` stands as a word of its own. It may hold `::`, not spaces.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let stands = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    code.lines().enumerate().filter(|(_, line)| stands(line)).map(|(n, _)| n + 1).collect()
}

fn comment(text: &[char]) -> Option<usize> {
    match text {
        ['/', '/', ..] => Some(text.iter().position(|c| *c == '\n').unwrap_or(text.len())),
        ['/', '*', ..] => {
            let (mut depth, mut at) = (0usize, 0);
            while at < text.len() {
                match text[at..] {
                    ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
                    ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 {
                    return Some(at);
                }
            }
            Some(text.len())
        }
        _ => None,
    }
}

/// `r"..."`, `r#"..."#`, also with `b` or `c` before it.
fn raw_string(text: &[char]) -> Option<usize> {
    let start = match text {
        ['r', ..] => 1,
        ['b' | 'c', 'r', ..] => 2,
        _ => return None,
    };
    let hashes = text[start..].iter().take_while(|c| **c == '#').count();
    let open = start + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |at: &usize| text[*at] == '"' && text[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..text.len()).find(closes).map_or(text.len(), |at| at + 1 + hashes))
}

/// `"..."` or a character; a lifetime is neither.
fn quoted(text: &[char]) -> Option<usize> {
    let mark = *text.first().filter(|c| matches!(c, '"' | '\''))?;
    let is_lifetime = mark == '\'' && text.get(1) != Some(&'\\') && text.get(2) != Some(&'\'');
    if is_lifetime {
        return None;
    }
    let mut at = 1;
    while at < text.len() && text[at] != mark {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    Some((at + 1).min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_code_stays() {
        let code = code_of("a // unsafe\nb /* x /* unsafe */ y */ c\n/// unsafe\nd");
        assert!(!code.contains("unsafe"));
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(code.lines().count(), 4);
    }

    #[test]
    fn strings_are_emptied_and_lines_are_kept() {
        let code = code_of("let a = \"unsafe \\\" // no\nunsafe\"; let b = r#\"unsafe \" \"#; b\"unsafe\"; unsafe");
        assert_eq!(lines_with(&code, "unsafe"), [2]);
        assert_eq!(code.matches("unsafe").count(), 1);
        assert!(code.contains("let a = \""));
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        let code =
            code_of(r#"fn f<'a>(x: &'a str) { let q = '"'; let e = '\''; let s = "unsafe"; g('/', '*') } // end"#);
        assert!(!code.contains("unsafe"));
        assert!(code.contains("fn f<'a>(x: &'a str)"));
        assert!(code.trim_end().ends_with('}'));
    }

    #[test]
    fn a_name_that_ends_in_r_opens_no_raw_string() {
        assert!(code_of("var\"x\" rest").contains("rest"));
        assert!(code_of("let r = 1; br#keep").contains("keep"));
    }

    #[test]
    fn a_word_is_a_whole_word() {
        assert_eq!(lines_with("unsafe_code\nunsafe {\n#![forbid(unsafe)]\nmy_unsafe", "unsafe"), [2, 3]);
        assert_eq!(lines_with("std::thread::sleep(x)\nthread::sleepy()", "thread::sleep"), [1]);
    }
}
