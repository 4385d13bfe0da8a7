//! Why a line's books change.

use std::sync::Arc;

use super::request::Key;

/// Why a line's books change: the system that says so, its reference, and a key to make it repeatable.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let cause = Cause::none()
///     .with_source("warehouse-7")
///     .with_external_ref("delivery 4711")
///     .with_key(inventory.key("delivery-4711"));
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// inventory.receive(tee, Quantity::new(40)?, &cause)?;
/// inventory.receive(tee, Quantity::new(40)?, &cause)?; // the same answer, counted once
/// assert_eq!(inventory.available(tee)?, 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    pub(crate) source: Option<Arc<str>>,
    pub(crate) external_ref: Option<Arc<str>>,
    pub(crate) key: Option<Key>,
}

/// A count of a shelf: the new figure, and the one it was made against.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
/// let expected = inventory.levels(tee)?.on_hand; // what the counter's list said
/// assert_eq!(inventory.adjust_set(tee, Count { expected, counted: 38 }, &Cause::none())?.on_hand, 38);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[allow(clippy::exhaustive_structs, reason = "made by callers; a count is these two numbers")]
pub struct Count {
    /// Units on hand that the books showed when the count was made.
    pub expected: u32,
    /// Units found.
    pub counted: u32,
}

impl Cause {
    /// No cause given.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// assert_eq!(inventory.last_change(tee)?.map(|last| (last.source, last.external_ref)), Some((None, None)));
    /// assert_eq!(Cause::none(), Cause::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self { source: None, external_ref: None, key: None }
    }

    /// The system that says so: 1 to 128 bytes.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// inventory.adjust(tee, -1, &Cause::none().with_source("stock-take"))?;
    /// assert_eq!(inventory.last_change(tee)?.and_then(|last| last.source).as_deref(), Some("stock-take"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: &str) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The caller's own reference: 1 to 256 bytes.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// inventory.adjust(tee, -1, &Cause::none().with_external_ref("sheet 9"))?;
    /// assert_eq!(inventory.last_change(tee)?.and_then(|last| last.external_ref).as_deref(), Some("sheet 9"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_external_ref(mut self, reference: &str) -> Self {
        self.external_ref = Some(reference.into());
        self
    }

    /// Makes the command safe to repeat (P7): the same command with the same source and reference gets the
    /// same answer, any other is refused under this key.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let cause = Cause::none().with_key(inventory.key("sheet 9"));
    /// assert_eq!(inventory.adjust(tee, -1, &cause)?, inventory.adjust(tee, -1, &cause)?); // counted once
    /// assert_eq!(inventory.adjust(tee, -2, &cause), Err(StockError::Key(KeyError::Reused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// What makes it another command (P7).
    pub(super) fn told(&self) -> (&Option<Arc<str>>, &Option<Arc<str>>) {
        (&self.source, &self.external_ref)
    }
}
