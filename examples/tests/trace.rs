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
    assert_eq!((outcome.returned, outcome.written_off), (8, 90));
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
    let empty = replay.of_file(&scratch("empty.csv", b"InvoiceNo,StockCode,Quantity\n")).unwrap().0;
    assert!(empty.rows == 0 && empty.report.is_clean());
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
    assert_eq!((outcome.returned, outcome.written_off), (277_574, 206_957));
    let raced = replay(Path::new(&path), 4, "0.9");
    assert!(raced.is_clean(), "{raced}");
}
