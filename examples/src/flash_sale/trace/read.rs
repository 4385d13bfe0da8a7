//! From the file's rows to invoices: what came together is one cart, in the order of first rows.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::ByteRecord;
use earmark::{NAME_BYTES_MAX, UNITS_MAX};
use flate2::read::MultiGzDecoder;

/// What begins every gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A year's sales, or whatever the file holds.
#[derive(Debug, Default)]
pub(crate) struct Sales {
    /// Names of SKUs; their places are their numbers.
    pub(crate) skus: Vec<String>,
    /// Per SKU: the sum of its positive quantities.
    pub(crate) demand: Vec<u64>,
    /// Per SKU: the sum of all its quantities without their signs.
    pub(crate) moved: Vec<u64>,
    pub(crate) invoices: Vec<Invoice>,
    /// Data rows in the file.
    pub(crate) rows: u64,
    /// Rows that were passed over, by kind.
    pub(crate) bad: BTreeMap<&'static str, u64>,
}

/// All rows with one invoice number. Every list holds one entry for each SKU, by number.
#[derive(Debug, Default)]
pub(crate) struct Invoice {
    pub(crate) number: String,
    /// Sold together.
    pub(crate) cart: BTreeMap<u32, u64>,
    /// Cancelled: comes back.
    pub(crate) returned: BTreeMap<u32, u64>,
    /// Other negative rows: leaves, as far as it is there.
    pub(crate) written_off: BTreeMap<u32, u64>,
}

/// One row that can be used.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    invoice: &'a str,
    sku: &'a str,
    quantity: i64,
}

/// Where the columns are.
#[derive(Debug)]
struct Columns {
    invoice: usize,
    sku: usize,
    quantity: usize,
    all: usize,
}

/// Reads a file, packed or not: its first bytes say which.
pub(crate) fn read_file(path: &Path) -> Result<Sales, Box<dyn std::error::Error>> {
    let read = || {
        let mut file = BufReader::new(File::open(path)?);
        let packed = file.fill_buf()?.starts_with(&GZIP);
        if packed { read(MultiGzDecoder::new(file)) } else { read(file) }
    };
    read().map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Reads all rows. A row that makes no sense is counted and passed over; only a source that cannot be
/// read, or has other columns, is an error.
pub(crate) fn read(source: impl Read) -> Result<Sales, Box<dyn std::error::Error>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 16).from_reader(source);
    let columns = Columns::of(reader.byte_headers()?)?;
    let mut sales = Sales::default();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        sales.rows += 1;
        let entered = columns.row(&record).and_then(|row| sales.enter(&row, &mut numbers, &mut places));
        if let Err(kind) = entered {
            *sales.bad.entry(kind).or_default() += 1;
        }
    }
    Ok(sales)
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Columns, String> {
        let find = |name: &str| {
            let mut names = header.iter().map(|field| field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field));
            names.position(|field| field == name.as_bytes()).ok_or(format!("the first line has no column {name}"))
        };
        Ok(Columns {
            invoice: find("InvoiceNo")?,
            sku: find("StockCode")?,
            quantity: find("Quantity")?,
            all: header.len(),
        })
    }

    fn row<'a>(&self, record: &'a ByteRecord) -> Result<Row<'a>, &'static str> {
        if record.len() != self.all {
            return Err("wrong number of fields");
        }
        let text = |at: usize| std::str::from_utf8(&record[at]).map_err(|_| "not UTF-8");
        let row = Row {
            invoice: text(self.invoice)?,
            sku: text(self.sku)?,
            quantity: text(self.quantity)?.trim().parse().map_err(|_| "quantity is no whole number")?,
        };
        let cancelled = row.invoice.starts_with('C');
        match row {
            Row { invoice: "", .. } => Err("no invoice number"),
            Row { sku: "", .. } => Err("no SKU"),
            Row { sku, .. } if sku.len() > NAME_BYTES_MAX => Err("SKU too long"),
            Row { quantity: 0, .. } => Err("zero quantity"),
            Row { quantity, .. } if quantity > 0 && cancelled => Err("cancellation of a positive quantity"),
            row => Ok(row),
        }
    }
}

impl Sales {
    /// Enters a row where it belongs.
    fn enter(
        &mut self,
        row: &Row<'_>,
        numbers: &mut HashMap<String, u32>,
        places: &mut HashMap<String, usize>,
    ) -> Result<(), &'static str> {
        let units = row.quantity.unsigned_abs();
        let known = numbers.get(row.sku).copied();
        let before = known.map_or(0, |sku| self.moved[sku as usize]);
        // Then no line can ever hold too much, however its rows are ordered.
        if before.saturating_add(units) > u64::from(UNITS_MAX) {
            return Err("too many units of a SKU");
        }
        let sku = known.unwrap_or_else(|| {
            let sku = self.skus.len() as u32;
            self.skus.push(row.sku.to_string());
            self.demand.push(0);
            self.moved.push(0);
            numbers.insert(row.sku.to_string(), sku);
            sku
        });
        let place = places.get(row.invoice).copied().unwrap_or_else(|| {
            self.invoices.push(Invoice { number: row.invoice.to_string(), ..Invoice::default() });
            places.insert(row.invoice.to_string(), self.invoices.len() - 1);
            self.invoices.len() - 1
        });
        let invoice = &mut self.invoices[place];
        let list = match (row.quantity > 0, row.invoice.starts_with('C')) {
            (true, _) => &mut invoice.cart,
            (false, true) => &mut invoice.returned,
            (false, false) => &mut invoice.written_off,
        };
        *list.entry(sku).or_default() += units;
        self.moved[sku as usize] += units;
        if row.quantity > 0 {
            self.demand[sku as usize] += units;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sales(rows: &str) -> Sales {
        read(format!("InvoiceNo,StockCode,Quantity\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn rows_of_one_invoice_are_one_cart_wherever_they_stand() {
        let sales = sales("1,A,2\n2,A,1\n1,a,3\n1,A,4\n");
        assert_eq!(sales.skus, ["A", "a"]);
        assert_eq!(sales.invoices.len(), 2);
        assert_eq!(sales.invoices[0].cart, BTreeMap::from([(0, 6), (1, 3)]));
        assert_eq!(sales.demand, [7, 3]);
    }

    #[test]
    fn what_makes_no_sense_is_counted_by_kind() {
        let sales = sales("1,A,0\n1,A\n1,A,x\n,A,1\n1,,1\nC1,A,1\n1,B,1073741824\n1,A,1.5\n1,A,1\n");
        assert_eq!(sales.rows, 9);
        assert_eq!(sales.bad.values().sum::<u64>(), 8);
        assert_eq!(sales.bad["quantity is no whole number"], 2);
        assert_eq!(sales.skus, ["A"], "a bad row names nothing");
    }

    #[test]
    fn other_columns_are_an_error_that_names_the_one_that_lacks() {
        let error = read("Invoice,StockCode,Quantity\n".as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the first line has no column InvoiceNo");
    }
}
