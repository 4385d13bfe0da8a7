//! Lines and quantities of a call, kept small: ten million calls must fit in memory.

use std::fmt;

/// Some units of one stock line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Item {
    /// Which stock line.
    pub line: u32,
    /// How many units of it.
    pub qty: u64,
}

/// The items of a call: none, one, or a cart. 16 bytes; only a cart allocates.
///
/// ```
/// use earmark_testkit::history::{Item, Items};
///
/// let cart: Items = [(0, 2), (4, 1)].into();
/// assert_eq!(cart.len(), 2);
/// assert_eq!(cart.iter().next(), Some(Item { line: 0, qty: 2 }));
/// assert!(Items::none().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Items(Repr);

#[derive(Clone, PartialEq, Eq, Default)]
enum Repr {
    #[default]
    None,
    // Fields side by side rather than an `Item`: the tag then fits beside `line`.
    One {
        line: u32,
        qty: u64,
    },
    Many(Box<Cart>),
}

// Behind a thin pointer, so that a call without a cart does not pay for the fat one.
#[derive(Clone, PartialEq, Eq)]
struct Cart(Box<[Item]>);

const _: () = assert!(size_of::<Items>() == 16);

impl Items {
    /// No items: the call names none, or means everything its id holds.
    pub const fn none() -> Items {
        Items(Repr::None)
    }

    /// One item.
    pub const fn one(line: u32, qty: u64) -> Items {
        Items(Repr::One { line, qty })
    }

    /// How many items; equal lines count apart.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::None => 0,
            Repr::One { .. } => 1,
            Repr::Many(cart) => cart.0.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = Item> + '_ {
        let (one, many): (Option<Item>, &[Item]) = match &self.0 {
            Repr::None => (None, &[]),
            Repr::One { line, qty } => (Some(Item { line: *line, qty: *qty }), &[]),
            Repr::Many(cart) => (None, &cart.0),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

impl FromIterator<Item> for Items {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Items {
        let mut items = items.into_iter();
        match (items.next(), items.next()) {
            (None, _) => Items::none(),
            (Some(only), None) => Items::one(only.line, only.qty),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(items).collect();
                Items(Repr::Many(Box::new(Cart(all))))
            }
        }
    }
}

impl<const N: usize> From<[(u32, u64); N]> for Items {
    fn from(pairs: [(u32, u64); N]) -> Items {
        pairs.into_iter().map(|(line, qty)| Item { line, qty }).collect()
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|item| (item.line, item.qty))).finish()
    }
}

/// An item that a refusal named as short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Short {
    /// Which of the call's lines.
    pub line: u32,
    /// How many units the refusal said there were, if it said so.
    pub available: Option<u64>,
}

/// Which items a refusal named as short. Empty: the answer did not say, one of them must have been.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Shorts(Option<Box<ShortList>>);

#[derive(Clone, PartialEq, Eq)]
struct ShortList(Box<[Short]>);

impl Shorts {
    /// The refusal did not say which item was short.
    pub const fn unlisted() -> Shorts {
        Shorts(None)
    }

    /// The items it named.
    pub fn as_slice(&self) -> &[Short] {
        self.0.as_ref().map_or(&[], |list| &list.0)
    }
}

impl FromIterator<Short> for Shorts {
    fn from_iter<I: IntoIterator<Item = Short>>(shorts: I) -> Shorts {
        let list: Box<[Short]> = shorts.into_iter().collect();
        Shorts((!list.is_empty()).then(|| Box::new(ShortList(list))))
    }
}

impl fmt::Debug for Shorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice().iter().map(|short| (short.line, short.available))).finish()
    }
}
