//! From the file's rows to invoices: what came together is one cart, in the order of first rows.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;

use earmark::{NAME_BYTES_MAX, UNITS_MAX};

use super::line::{Fields, OpenQuote};
use super::source::Source;

/// A year's sales, or whatever the file holds.
#[derive(Debug, Default)]
pub(crate) struct Sales {
    /// Names of SKUs; their places are their numbers.
    pub(crate) skus: Vec<String>,
    /// Per SKU: the sum of its positive quantities.
    pub(crate) demand: Vec<u64>,
    /// Per SKU: all that comes back; a line can hold it.
    pub(crate) returned: Vec<u64>,
    pub(crate) invoices: Vec<Invoice>,
    /// Data rows in the file.
    pub(crate) rows: u64,
    /// Rows that were passed over, by kind.
    pub(crate) bad: BTreeMap<&'static str, u64>,
    /// Bytes after the end of a packed file, passed over.
    pub(crate) left_over: usize,
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

/// Reads all rows of a file. A row that makes no sense is counted and passed over; only a file that cannot
/// be read, is empty or has other columns is an error.
pub(crate) fn read_file(path: &Path) -> Result<Sales, Box<dyn Error>> {
    let read = || match Source::open(path)? {
        Source::Plain(file) => read(file),
        Source::Packed(mut file) => {
            let sales = read(BufReader::new(&mut file))?;
            Ok(Sales { left_over: file.left_over(), ..sales })
        }
    };
    read().map_err(|error| format!("{}: {error}", path.display()).into())
}

fn read(mut source: impl BufRead) -> Result<Sales, Box<dyn Error>> {
    let (mut line, mut fields) = (Vec::new(), Fields::default());
    if source.read_until(b'\n', &mut line)? == 0 {
        return Err("is empty".into());
    }
    let first = fields.split(trimmed(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)));
    first.map_err(|OpenQuote| "the first line has an open quote")?;
    let columns = Columns::of(&fields)?;
    let mut sales = Sales::default();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    line.clear();
    while source.read_until(b'\n', &mut line)? > 0 {
        let text = trimmed(&line);
        if !text.is_empty() {
            sales.rows += 1;
            let row = fields.split(text).map_err(|OpenQuote| "open quote").and_then(|()| columns.row(&fields));
            if let Err(kind) = row.and_then(|row| sales.enter(&row, &mut numbers, &mut places)) {
                *sales.bad.entry(kind).or_default() += 1;
            }
        }
        line.clear();
    }
    Ok(sales)
}

/// A line without what ends it.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Columns {
    fn of(header: &Fields) -> Result<Columns, String> {
        let find = |name: &str| {
            let at = header.iter().position(|field| field == name.as_bytes());
            at.ok_or_else(|| format!("the first line has no column {name}"))
        };
        Ok(Columns {
            invoice: find("InvoiceNo")?,
            sku: find("StockCode")?,
            quantity: find("Quantity")?,
            all: header.len(),
        })
    }

    fn row<'a>(&self, fields: &'a Fields) -> Result<Row<'a>, &'static str> {
        if fields.len() != self.all {
            return Err("wrong number of fields");
        }
        let text = |at: usize| std::str::from_utf8(fields.at(at)).map_err(|_| "not UTF-8");
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
        let (sold, cancelled) = (row.quantity > 0, row.invoice.starts_with('C'));
        let known = numbers.get(row.sku).copied();
        let invoice = places.get(row.invoice).map(|place| &self.invoices[*place]);
        // What has to fit into one quantity with this row: an item of a cart, or all that a line gets back.
        let before = match (known, invoice) {
            (Some(sku), Some(invoice)) if sold => invoice.cart.get(&sku).copied().unwrap_or(0),
            (Some(sku), _) if cancelled => self.returned[sku as usize],
            _ => 0,
        };
        if before.saturating_add(units) > u64::from(UNITS_MAX) {
            return Err("too many units of a SKU");
        }
        let sku = known.unwrap_or_else(|| {
            let sku = self.skus.len() as u32;
            self.skus.push(row.sku.to_string());
            self.demand.push(0);
            self.returned.push(0);
            numbers.insert(row.sku.to_string(), sku);
            sku
        });
        let place = places.get(row.invoice).copied().unwrap_or_else(|| {
            self.invoices.push(Invoice { number: row.invoice.to_string(), ..Invoice::default() });
            places.insert(row.invoice.to_string(), self.invoices.len() - 1);
            self.invoices.len() - 1
        });
        let invoice = &mut self.invoices[place];
        let (list, sum) = match (sold, cancelled) {
            (true, _) => (&mut invoice.cart, Some(&mut self.demand)),
            (false, true) => (&mut invoice.returned, Some(&mut self.returned)),
            (false, false) => (&mut invoice.written_off, None),
        };
        *list.entry(sku).or_default() += units;
        if let Some(sum) = sum {
            sum[sku as usize] += units;
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
    fn what_fits_no_quantity_is_a_bad_row_and_a_sum_of_orders_is_none() {
        let most = 1_073_741_823;
        let sales = sales(&format!("1,A,{most}\n1,A,1\n2,A,{most}\nC3,A,-{most}\nC4,A,-1\n5,A,-{most}\n"));
        assert_eq!(sales.bad, BTreeMap::from([("too many units of a SKU", 2)]));
        assert_eq!((&sales.demand[..], &sales.returned[..]), (&[2 * most][..], &[most][..]));
    }

    #[test]
    fn an_open_quote_costs_its_line() {
        let sales = sales("1,A,2\n2,\"A,1\n3,\"A\",4\n\r\n4,B,5\r\n\"");
        assert_eq!((sales.rows, &sales.bad), (5, &BTreeMap::from([("open quote", 2)])));
        assert_eq!(sales.demand, [6, 5]);
    }

    #[test]
    fn nothing_is_said_to_be_empty() {
        assert_eq!(read(&b""[..]).unwrap_err().to_string(), "is empty");
    }

    #[test]
    fn other_columns_are_an_error_that_names_the_one_that_lacks() {
        let error = read("Invoice,StockCode,Quantity\n".as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the first line has no column InvoiceNo");
    }
}
