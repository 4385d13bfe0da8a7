//! What is sold and where it lies, by name; and the small number that stands for the pair.

use std::fmt;
use std::sync::Arc;

/// Longest SKU, location, category, source, reason or channel label: 128 bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest external reference: 256 bytes.
pub const REFERENCE_BYTES_MAX: usize = 256;

/// A stock line of one inventory: a SKU, or a SKU at a location. `Copy`, and the key of the hot path.
///
/// It means something only to the inventory that made it, and only in this process: store names, not
/// this. Given to another inventory it names some other line, or is refused as unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StockId(u32);

impl StockId {
    pub(crate) const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The line's number: 0 for the first declared, then upwards without gaps.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) const fn raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for StockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.0)
    }
}

/// A label that is empty or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {bytes} bytes: choose 1 to {bytes_max} bytes of UTF-8")]
#[non_exhaustive]
pub struct NameError {
    /// Which label: `SKU`, `location`, ...
    pub what: &'static str,
    /// Its length in bytes.
    pub bytes: usize,
    /// The longest allowed.
    pub bytes_max: usize,
}

/// Checks a label's length.
pub(crate) fn check_name(what: &'static str, name: &str, bytes_max: usize) -> Result<(), NameError> {
    if name.is_empty() || name.len() > bytes_max {
        return Err(NameError { what, bytes: name.len(), bytes_max });
    }
    Ok(())
}

/// What to declare: a SKU, perhaps at a location, perhaps with a category label.
///
/// ```
/// use earmark::LineSpec;
/// let spec = LineSpec::new("TEE-RED-M").with_location("berlin").with_category("apparel");
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct LineSpec {
    pub(crate) sku: Arc<str>,
    pub(crate) location: Option<Arc<str>>,
    pub(crate) category: Option<Arc<str>>,
}

impl LineSpec {
    /// A line for this SKU: any UTF-8 of 1 to 128 bytes, case matters. Checked when it is declared.
    #[must_use]
    pub fn new(sku: &str) -> Self {
        Self { sku: sku.into(), location: None, category: None }
    }

    /// The place where it lies. The same SKU at two locations is two lines.
    #[must_use]
    pub fn with_location(mut self, location: &str) -> Self {
        self.location = Some(location.into());
        self
    }

    /// A label shared by many lines.
    #[must_use]
    pub fn with_category(mut self, category: &str) -> Self {
        self.category = Some(category.into());
        self
    }

    pub(crate) fn check(&self) -> Result<(), NameError> {
        check_name("SKU", &self.sku, NAME_BYTES_MAX)?;
        if let Some(location) = &self.location {
            check_name("location", location, NAME_BYTES_MAX)?;
        }
        if let Some(category) = &self.category {
            check_name("category", category, NAME_BYTES_MAX)?;
        }
        Ok(())
    }
}

/// The name of a declared line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LineName {
    /// What is sold.
    pub sku: Arc<str>,
    /// Where it lies, if the line has a location.
    pub location: Option<Arc<str>>,
    /// Its category label.
    pub category: Option<Arc<str>>,
    /// Its number in this inventory.
    pub id: StockId,
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} at {location}", self.sku),
            None => f.write_str(&self.sku),
        }
    }
}
