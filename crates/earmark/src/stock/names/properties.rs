//! The table of names beside a plain map, with hashes that collide.

use std::collections::HashMap;

use proptest::prelude::*;

use super::tests::Coarse;
use super::*;

type Name = (String, Option<String>);

/// Of all lengths, few letters: many share a beginning, an end, or all but where the location begins.
fn part(len: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![9 => Just('a'), 1 => Just('b'), 1 => Just('\0')], len)
        .prop_map(|letters| letters.into_iter().collect())
}

fn name() -> impl Strategy<Value = Name> {
    let short = || part(1..=SHORT_BYTES_MAX + 2);
    let sku = prop_oneof![short(), part(1..=NAME_BYTES_MAX)];
    (sku, prop_oneof![2 => Just(None), 1 => short().prop_map(Some), 1 => part(1..=NAME_BYTES_MAX).prop_map(Some)])
}

/// Declares the names in turn, beside a plain map, and looks for all of them and others after each.
fn agrees<S: BuildHasher>(names: &Names<S>, declared: &[Name], asked: &[Name]) -> Result<(), TestCaseError> {
    let mut map = HashMap::new();
    let mut lines: Vec<Name> = Vec::new();
    let find = |lines: &[Name], (sku, location): &Name| {
        let is = |line: StockId| lines[line.index()] == (sku.clone(), location.clone());
        names.find(sku, location.as_deref(), is).map(|line| line.index())
    };
    for name in declared {
        prop_assert_eq!(find(&lines, name), map.get(name).copied());
        if map.contains_key(name) {
            continue;
        }
        names.make_room(lines.len());
        names.insert(&name.0, name.1.as_deref(), StockId::new(lines.len() as u32));
        map.insert(name.clone(), lines.len());
        lines.push(name.clone());
        for name in declared.iter().chain(asked) {
            prop_assert_eq!(find(&lines, name), map.get(name).copied(), "{:?}", name);
        }
    }
    Ok(())
}

proptest! {
    /// With no bit of hash all names stand in one row; with a few, in some that meet.
    #[test]
    fn n1_n2_n3_names_agree_with_a_plain_map(
        declared in proptest::collection::vec(name(), 1..40),
        asked in proptest::collection::vec(name(), 1..20),
        bits in 0_u32..6,
    ) {
        agrees(&Names::with(declared.len(), CELLS_MIN, Coarse(bits)), &declared, &asked)?;
        agrees(&Names::new(declared.len()), &declared, &asked)?;
    }
}

#[test]
fn every_length_is_found_and_no_neighbour_of_it() {
    let names = Names::coarse(1_000, 0);
    let sku = |len: usize| "x".repeat(len);
    for len in 1..=NAME_BYTES_MAX {
        names.make_room(len - 1);
        names.insert(&sku(len), None, StockId::new(len as u32));
    }
    for len in 1..=NAME_BYTES_MAX {
        let is = |line: StockId| line.index() == len;
        assert_eq!(names.find(&sku(len), None, is), Some(StockId::new(len as u32)));
        // The same bytes, some of them the location.
        for location in 1..len {
            assert_eq!(names.find(&sku(len - location), Some(&sku(location)), |_| false), None);
        }
    }
    assert_eq!(names.find(&sku(NAME_BYTES_MAX + 1), None, |_| true), None);
    assert_eq!(names.find("x", Some(&sku(NAME_BYTES_MAX + 1)), |_| true), None);
    assert_eq!(names.find("", None, |_| true), None);
    assert_eq!(names.find("x", Some(""), |_| true), None);
}
