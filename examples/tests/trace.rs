//! Replayed sales: a small file made by hand with everything that can be wrong, and the real one.

use std::io::Write;
use std::path::{Path, PathBuf};

use earmark_examples::flash_sale::trace::{Replay, TraceOutcome};

/// Invoice 1 stands in two places; `tee` and `TEE` are two SKUs; CAP is never sold.
const ROWS: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,TEE,\"a tee, red\",6,2010-12-01 08:26:00,2.55,17850,United Kingdom
2,tee,another,10,2010-12-01 08:26:00,2.55,17850,United Kingdom
1,MUG,a mug,4,2010-12-01 08:26:00,2.55,17850,United Kingdom
C3,CAP,never sold,-5,2010-12-01 08:26:00,2.55,17850,United Kingdom
C3,TEE,back,-3,2010-12-01 08:26:00,2.55,17850,United Kingdom
4,MUG,nothing,0,2010-12-01 08:26:00,2.55,17850,United Kingdom
4,MUG,no number,four,2010-12-01 08:26:00,2.55,17850,United Kingdom
4,MUG,short row,4
,MUG,no invoice,4,2010-12-01 08:26:00,2.55,17850,United Kingdom
4,,no SKU,4,2010-12-01 08:26:00,2.55,17850,United Kingdom
C5,MUG,backwards,4,2010-12-01 08:26:00,2.55,17850,United Kingdom
6,TEE,,4,2010-12-01 08:26:00,2.55,,United Kingdom
7,tee,damaged,-90,2010-12-01 08:26:00,0,,United Kingdom
8,MUG,,5,2010-12-01 08:26:00,2.55,,United Kingdom
8,tee,,1,2010-12-01 08:26:00,2.55,,United Kingdom
";

fn replay(path: &Path, threads: usize, stock_share: &str) -> TraceOutcome {
    let replay = Replay { threads, stock_share: stock_share.parse().unwrap() };
    replay.of_file(path).unwrap().0
}

fn scratch(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Opening stock at 0.9: TEE 9 of 10, tee 9 of 11, MUG 8 of 9, CAP none.
fn assert_as_by_hand(outcome: &TraceOutcome) {
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!(outcome.matches_reference(), Some(true), "{outcome}");
    assert_eq!((outcome.rows, outcome.skus, outcome.invoices), (15, 4, 6));
    let bad: Vec<_> = outcome.bad.iter().map(|(kind, rows)| (*kind, *rows)).collect();
    assert_eq!(
        bad,
        [
            ("cancellation of a positive quantity", 1),
            ("no SKU", 1),
            ("no invoice number", 1),
            ("quantity is no whole number", 1),
            ("wrong number of fields", 1),
            ("zero quantity", 1),
        ]
    );
    // 1: 6 TEE and 4 MUG. 2: 10 tee, of 9. 6: 4 TEE, 3 left and 3 back. 7: the 9 tee go. 8: no tee, 4 MUG.
    assert_eq!((outcome.carts, outcome.carts_reserved, outcome.carts_short), (4, 2, 2));
    assert_eq!(outcome.figures.sold, 6 + 4 + 4);
    assert_eq!((outcome.returned, outcome.to_write_off, outcome.written_off), (8, 90, 9));
}

#[test]
fn a_file_with_everything_that_can_be_wrong() {
    assert_as_by_hand(&replay(&scratch("by-hand.csv", ROWS.as_bytes()), 1, "0.9"));
}

#[test]
fn the_same_packed() {
    assert_as_by_hand(&replay(&scratch("by-hand.csv.gz", &packed(ROWS.as_bytes())), 1, "0.9"));
}

#[test]
fn shares_at_both_ends() {
    let path = scratch("shares.csv", ROWS.as_bytes());
    let none = replay(&path, 1, "0");
    assert!(none.is_clean(), "{none}");
    assert_eq!((none.carts_reserved, none.carts_short), (0, 4));
    let plenty = replay(&path, 1, "20");
    assert!(plenty.is_clean(), "{plenty}");
    assert_eq!((plenty.carts_reserved, plenty.carts_short), (4, 0));
}

#[test]
fn several_threads_are_judged_but_not_compared() {
    let outcome = replay(&scratch("threads.csv", ROWS.as_bytes()), 3, "0.9");
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!(outcome.matches_reference(), None);
    assert_eq!(outcome.to_json()["matches_reference"], serde_json::Value::Null);
}

#[test]
fn what_is_no_trace_is_an_error_and_no_panic() {
    let replay = Replay { threads: 1, stock_share: "1".parse().unwrap() };
    let refused = |path: &Path| replay.of_file(path).unwrap_err().to_string();
    assert!(refused(Path::new("nowhere/at-all.csv")).starts_with("nowhere/at-all.csv: "));
    assert!(refused(&scratch("other.csv", b"a,b\n1,2\n")).ends_with("the first line has no column InvoiceNo"));
    let mut cut = packed(ROWS.as_bytes());
    cut.truncate(cut.len() / 2);
    assert!(refused(&scratch("cut.csv.gz", &cut)).contains("cut.csv.gz: "));
    assert!(refused(&scratch("empty.csv", b"")).ends_with("empty.csv: is empty"));
    assert!(refused(&scratch("empty.csv.gz", &packed(b""))).ends_with("empty.csv.gz: is empty"));
}

#[test]
fn a_file_without_sales_is_a_clean_run() {
    for (name, rows) in [("no-rows.csv", ""), ("no-usable-rows.csv", "1,MUG,0\n,MUG,1\n")] {
        let outcome = replay(&scratch(name, format!("InvoiceNo,StockCode,Quantity\n{rows}").as_bytes()), 1, "0.9");
        assert!(outcome.is_clean() && outcome.figures.conserved, "{outcome}");
        let text = outcome.to_string();
        assert!(text.contains("0 calls: every promise was kept"), "{text}");
        assert_eq!(outcome.to_json()["sold"], 0);
    }
}

/// Also the last quote of the file, which no other can close by chance.
#[test]
fn an_open_quote_costs_exactly_its_line() {
    let open = ROWS.replacen("TEE,,4", "TEE,\"it\"\"s,4", 1);
    assert_eq!(open.matches('"').count(), ROWS.matches('"').count() + 3);
    let outcome = replay(&scratch("open-quote.csv", open.as_bytes()), 1, "0.9");
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!((outcome.rows, outcome.bad_rows(), outcome.bad["open quote"]), (15, 7, 1));
    assert_eq!(outcome.carts, 3, "only the cart of that row is gone");
}

#[test]
fn what_follows_the_packed_data_is_a_remark() {
    let both = [packed(&ROWS.as_bytes()[..200]), packed(&ROWS.as_bytes()[200..])].concat();
    let outcome = replay(&scratch("two-parts.csv.gz", &both), 1, "0.9");
    assert_eq!(outcome.left_over, 0);
    assert_as_by_hand(&outcome);
    for (after, left_over) in [(&b"some text"[..], 9), (b"\0\0\0\0", 0)] {
        let outcome = replay(&scratch("after.csv.gz", &[&both[..], after].concat()), 1, "0.9");
        assert_eq!(outcome.left_over, left_over);
        assert_as_by_hand(&outcome);
    }
}

/// Ten carts of 2^30 - 1 units: no line holds 0.9 of that.
#[test]
fn stock_that_fits_no_line_is_told() {
    let rows: String = (0..10).map(|n| format!("{n},BIG,1073741823\n{n},MUG,1\n")).collect();
    let path = scratch("big.csv", format!("InvoiceNo,StockCode,Quantity\n{rows}").as_bytes());
    let outcome = replay(&path, 1, "0.9");
    assert_eq!((outcome.matches_reference(), outcome.kept(), outcome.is_clean()), (Some(true), true, false));
    assert_eq!((outcome.cut.len(), &*outcome.cut[0].sku, outcome.cut[0].opening), (1, "BIG", 1_073_741_823));
    assert!(outcome.to_string().contains("BIG: 1,073,741,823 of 9,663,676,407"), "{outcome}");
    assert!(replay(&path, 1, "0.1").is_clean(), "one tenth fits");
}

/// Sold units stay on the line, so what returns needs room above the opening stock, and nothing else does.
#[test]
fn stock_is_bounded_by_what_opens_and_returns_alone() {
    let rows = "1,BIG,600000000\n2,BIG,-600000000\n3,BIG,400000000\nC4,BIG,-73741823\n";
    let path = scratch("returns.csv", format!("InvoiceNo,StockCode,Quantity\n{rows}").as_bytes());
    let outcome = replay(&path, 1, "1");
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!((outcome.carts_reserved, outcome.carts_short), (1, 1));
    assert_eq!((outcome.to_write_off, outcome.written_off), (600_000_000, 400_000_000));
}

#[test]
fn a_cart_that_fits_no_request_is_passed_over() {
    let long: String = (0..65_537).map(|sku| format!("1,{sku},1\n")).collect();
    let path = scratch("long.csv", format!("InvoiceNo,StockCode,Quantity\n{long}2,0,1\n").as_bytes());
    let outcome = replay(&path, 1, "1");
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!((outcome.carts, outcome.carts_reserved, outcome.carts_too_long), (2, 1, 1));
    assert!(outcome.to_string().contains("1 carts of more than 65,536 SKUs"), "{outcome}");
}

/// Online Retail (Chen 2015, UCI, DOI 10.24432/C5BW33, CC BY 4.0). The figures are those of a script in
/// another language.
#[test]
fn the_real_file_equals_a_plain_book_keeping() {
    let Some(path) = std::env::var_os("EARMARK_ONLINE_RETAIL") else {
        println!("not run: EARMARK_ONLINE_RETAIL does not name the file online-retail.csv.gz");
        return;
    };
    let outcome = replay(Path::new(&path), 1, "0.9");
    assert!(outcome.is_clean(), "{outcome}");
    assert_eq!(outcome.matches_reference(), Some(true));
    assert_eq!((outcome.rows, outcome.invoices, outcome.skus), (541_909, 25_900, 4_070));
    assert_eq!(outcome.bad_rows(), 0);
    assert_eq!((outcome.carts, outcome.carts_reserved, outcome.carts_short), (20_728, 17_292, 3_436));
    assert_eq!(outcome.figures.sold, 4_173_080);
    assert_eq!((outcome.returned, outcome.to_write_off, outcome.written_off), (277_574, 206_957, 103_705));
    let raced = replay(Path::new(&path), 4, "0.9");
    assert!(raced.is_clean(), "{raced}");
}
