//! Every public enum of the engine is a class of outcomes that the model must reach, or is known to be none.

use super::{Facts, verdict};
use crate::source::lines_with;

const ENGINE: &str = "crates/earmark/src/";
const CLASSES: &str = "crates/earmark/src/inventory/model/classes.rs";
/// Public enums that are no outcome, each with what it is instead.
const NO_OUTCOME: &[(&str, &str)] = &[
    ("CloseMode", "said by the caller"),
    ("Resolution", "said by the caller"),
    ("Shortage", "said by the caller"),
    ("PendingPolicy", "a setting"),
    ("Difference", "found by verify in an engine that is broken"),
];

pub(super) fn outcomes_have_classes(facts: &Facts) -> Result<String, Vec<String>> {
    let classes = facts.rust().find(|(file, _)| file.path == CLASSES);
    let Some((_, classes)) = classes else {
        return Err(vec![format!("{CLASSES} is not there: is the rule still about something?")]);
    };
    let mut broken = Vec::new();
    let mut enums = Vec::new();
    for (file, code) in facts.rust().filter(|(file, _)| file.path.starts_with(ENGINE)) {
        let named = |line: &str| {
            let rest = line.trim_start().strip_prefix("pub enum ")?;
            Some(rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_string())
        };
        for name in code.lines().filter_map(named) {
            let excused = NO_OUTCOME.iter().any(|(known, _)| *known == name);
            if !excused && lines_with(classes, &name).is_empty() {
                broken.push(format!("{}: {name} has no classes in {CLASSES}", file.path));
            }
            enums.push(name);
        }
    }
    let gone = NO_OUTCOME.iter().filter(|(name, _)| !enums.iter().any(|known| known == name));
    broken
        .extend(gone.map(|(name, _)| format!("{name} is on the list of those that are no outcome, and is not there")));
    verdict(format!("{} enums", enums.len()), broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(code: &str) -> Vec<String> {
        let known: String = NO_OUTCOME.iter().map(|(name, _)| format!("pub enum {name} {{}}\n")).collect();
        let classes = "classes!(CONFIRM, confirm, Result<(), ConfirmError>, {})";
        let files =
            [("crates/earmark/src/a.rs", known.as_str()), ("crates/earmark/src/b.rs", code), (CLASSES, classes)];
        outcomes_have_classes(&Facts::with(&files)).err().unwrap_or_default()
    }

    #[test]
    fn an_enum_without_classes_is_found_and_one_with_them_or_a_private_one_is_fine() {
        assert_eq!(find("pub enum ConfirmError {}\npub(crate) enum Inner {}"), [""; 0]);
        assert_eq!(find("pub enum ConfirmErrors {}").len(), 1);
        assert_eq!(find("#[derive(Debug)]\npub enum NewError<T> {}").len(), 1);
    }

    #[test]
    fn an_excuse_for_what_is_gone_is_found() {
        let found = outcomes_have_classes(&Facts::with(&[(CLASSES, "")])).unwrap_err();
        assert_eq!(found.len(), NO_OUTCOME.len());
    }
}
