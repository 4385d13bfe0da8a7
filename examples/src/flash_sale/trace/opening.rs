//! What is in stock when the doors open: a share of all that will be asked for.

use earmark::UNITS_MAX;

use super::Share;
use super::read::Sales;

/// Units by SKU, and where it was less than the share.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) units: Vec<u64>,
    pub(super) cut: Vec<Cut>,
}

/// A SKU whose line cannot hold the share, with what comes back on top of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The SKU.
    pub sku: String,
    /// Its share of the demand.
    pub wanted: u64,
    /// What it opens with.
    pub opening: u64,
}

impl Opening {
    /// Of every SKU its share, as far as the line can hold it: sold units stay on it, units return to it.
    pub(super) fn of(sales: &Sales, share: Share) -> Opening {
        let mut cut = Vec::new();
        let lines = sales.skus.iter().zip(&sales.demand).zip(&sales.returned);
        let units = lines.map(|((sku, demand), returned)| {
            let wanted = share.floor_of(*demand);
            let opening = wanted.min(u64::from(UNITS_MAX) - returned); // the reader bounds what returns
            if opening < wanted {
                cut.push(Cut { sku: sku.clone(), wanted, opening });
            }
            opening
        });
        Opening { units: units.collect(), cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_line_cannot_hold_is_cut() {
        let most = u64::from(UNITS_MAX);
        let sales = Sales {
            skus: ["A", "B", "C"].map(String::from).to_vec(),
            demand: vec![most, 2 * most, most],
            returned: vec![0, 0, 5],
            ..Sales::default()
        };
        let opening = Opening::of(&sales, "1".parse().unwrap());
        assert_eq!(opening.units, [most, most, most - 5]);
        let cut = |sku: &str, wanted, opening| Cut { sku: sku.into(), wanted, opening };
        assert_eq!(opening.cut, [cut("B", 2 * most, most), cut("C", most, most - 5)]);
        assert!(Opening::of(&sales, "0.5".parse().unwrap()).cut.is_empty());
    }
}
