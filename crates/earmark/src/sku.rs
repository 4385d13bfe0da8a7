//! What is sold and where it lies, by name; and the small number that stands for the pair.

use std::fmt;
use std::sync::Arc;

/// Longest SKU, location, category, source, reason or channel label: 128 bytes of UTF-8.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// assert!(inventory.declare(LineSpec::new(&"x".repeat(NAME_BYTES_MAX))).is_ok());
/// assert!(inventory.declare(LineSpec::new(&"é".repeat(NAME_BYTES_MAX))).is_err()); // two bytes each
/// ```
pub const NAME_BYTES_MAX: usize = 128;
/// Longest external reference: 256 bytes.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let cause = Cause::none().with_external_ref(&"x".repeat(REFERENCE_BYTES_MAX + 1));
/// assert!(matches!(inventory.receive(tee, Quantity::ONE, &cause), Err(StockError::Name(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const REFERENCE_BYTES_MAX: usize = 256;

/// A stock line of one inventory: a SKU, or a SKU at a location. `Copy`, and the key of the hot path.
///
/// It means something only to the inventory that made it, and only in this process: store names, not
/// this. Given to another inventory it names some other line, or is refused as unknown.
///
/// ```
/// # use earmark::*;
/// let [small, other] = [Inventory::new(), Inventory::new()];
/// let tee = small.declare(LineSpec::new("TEE"))?;
/// assert_eq!(small.available(tee), Ok(0));
/// assert!(matches!(other.available(tee), Err(StockError::UnknownLine { .. })));
/// # Ok::<(), DeclareError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StockId(u32);

impl StockId {
    pub(crate) const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The line's number: 0 for the first declared, then upwards without gaps.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let lines = [inventory.declare(LineSpec::new("TEE"))?, inventory.declare(LineSpec::new("CAP"))?];
    /// let prices = [19_90, 12_50]; // the caller's own table beside the lines
    /// assert_eq!(prices[lines[1].index()], 12_50);
    /// # Ok::<(), DeclareError>(())
    /// ```
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
///
/// ```
/// # use earmark::*;
/// let refused = Inventory::new().declare(LineSpec::new("TEE").with_location(""));
/// let Err(DeclareError::Name(error)) = refused else { panic!("{refused:?}") };
/// assert_eq!((error.what, error.bytes, error.bytes_max), ("location", 0, 128));
/// ```
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
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let spec = LineSpec::new("TEE-RED-M").with_location("berlin").with_category("apparel");
/// let line = inventory.declare(spec.clone())?;
/// assert_eq!(inventory.declare(spec)?, line); // declared again it is found
/// # Ok::<(), DeclareError>(())
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
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let tee = inventory.declare(LineSpec::new("TEE-RED-M"))?;
    /// assert_ne!(inventory.declare(LineSpec::new("tee-red-m"))?, tee);
    /// assert!(inventory.declare(LineSpec::new("")).is_err());
    /// # Ok::<(), DeclareError>(())
    /// ```
    #[must_use]
    pub fn new(sku: &str) -> Self {
        Self { sku: sku.into(), location: None, category: None }
    }

    /// The place where it lies. The same SKU at two locations is two lines.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let berlin = inventory.declare(LineSpec::new("TEE").with_location("berlin"))?;
    /// let paris = inventory.declare(LineSpec::new("TEE").with_location("paris"))?;
    /// assert_ne!(berlin, paris);
    /// # Ok::<(), DeclareError>(())
    /// ```
    #[must_use]
    pub fn with_location(mut self, location: &str) -> Self {
        self.location = Some(location.into());
        self
    }

    /// A label shared by many lines.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let tee = inventory.declare(LineSpec::new("TEE").with_category("apparel"))?;
    /// let category = inventory.name(tee).and_then(|name| name.category);
    /// assert_eq!(category.as_deref(), Some("apparel"));
    /// # Ok::<(), DeclareError>(())
    /// ```
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
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let tee = inventory.declare(LineSpec::new("TEE").with_location("berlin"))?;
/// let name = inventory.name(tee).expect("declared");
/// assert_eq!((name.to_string().as_str(), name.id), ("TEE at berlin", tee));
/// # Ok::<(), DeclareError>(())
/// ```
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

impl LineName {
    /// Whether these are its SKU and location.
    pub(crate) fn is(&self, sku: &str, location: Option<&str>) -> bool {
        &*self.sku == sku && self.location.as_deref() == location
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} at {location}", self.sku),
            None => f.write_str(&self.sku),
        }
    }
}
