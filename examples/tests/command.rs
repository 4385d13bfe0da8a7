//! The command line as a whole: what it prints, what it leaves behind, how it exits.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use earmark_examples::flash_sale;

const ROWS: &str = "InvoiceNo,StockCode,Quantity\n1,TEE,6\n2,TEE,4\n";

fn run(args: &[&str]) -> (ExitCode, String) {
    let mut out = Vec::new();
    let exit = flash_sale::main(["flash_sale"].iter().chain(args).map(OsString::from), &mut out);
    (exit, String::from_utf8(out).unwrap())
}

/// An empty folder of one test's own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().into()
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn one_object_and_nothing_else() {
    let folder = folder("json");
    let trace = file(&folder, "trace.csv", ROWS);
    let (exit, out) = run(&["--json", "--trace", &trace]);
    assert_eq!((exit, out.lines().count()), (ExitCode::SUCCESS, 1));
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["carts"], 2);
    let (exit, out) = run(&["--json", "--seconds", "0.1"]);
    assert_eq!((exit, out.lines().count()), (ExitCode::SUCCESS, 1));
    serde_json::from_str::<serde_json::Value>(&out).unwrap();
}

#[test]
fn a_trace_without_sales_is_no_failure() {
    let folder = folder("no-sales");
    let trace = file(&folder, "trace.csv", "InvoiceNo,StockCode,Quantity\n1,TEE,zero\n");
    assert_eq!(run(&["--trace", &trace]).0, ExitCode::SUCCESS);
}

/// A full disk, or a reader that has gone.
#[test]
fn a_report_that_nobody_gets_is_a_failure() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = folder("full");
    let trace = file(&folder, "trace.csv", ROWS);
    let history = folder.join("history.jsonl");
    for args in [&["--help"][..], &["--trace", &trace], &["--json", "--trace", &trace]] {
        let args = [&["flash_sale"], args, &["--history", history.to_str().unwrap()]].concat();
        assert_eq!(flash_sale::main(args.iter().map(OsString::from), &mut Full), ExitCode::FAILURE);
    }
    assert!(history.exists(), "the history is worth having all the same");
}

#[test]
fn a_history_never_takes_the_place_of_its_trace() {
    let folder = folder("same-file");
    let trace = file(&folder, "trace.csv", ROWS);
    let round_about = folder.join("../same-file/trace.csv");
    for history in [trace.as_str(), round_about.to_str().unwrap()] {
        assert_eq!(run(&["--trace", &trace, "--history", history]).0, ExitCode::FAILURE);
    }
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), ROWS);
    assert_eq!(names(&folder), ["trace.csv"]);
}

#[test]
fn an_earlier_history_stays_until_there_is_a_new_one() {
    let folder = folder("earlier");
    let trace = file(&folder, "trace.csv", ROWS);
    let broken = file(&folder, "broken.csv", "no,such,columns\n");
    let history = file(&folder, "history.jsonl", "what a run before this one wrote");
    assert_eq!(run(&["--trace", &broken, "--history", &history]).0, ExitCode::FAILURE);
    assert_eq!(std::fs::read_to_string(&history).unwrap(), "what a run before this one wrote");
    assert_eq!(run(&["--trace", &trace, "--history", &history]).0, ExitCode::SUCCESS);
    // One opening, and a reserve for each cart, of which one is sold.
    assert_eq!(std::fs::read_to_string(&history).unwrap().lines().count(), 4);
    assert_eq!(names(&folder), ["broken.csv", "history.jsonl", "trace.csv"]);
}

#[cfg(unix)]
#[test]
fn a_device_stays_a_device() {
    use std::os::unix::fs::FileTypeExt;

    let folder = folder("device");
    let trace = file(&folder, "trace.csv", ROWS);
    assert_eq!(run(&["--trace", &trace, "--history", "/dev/null"]).0, ExitCode::SUCCESS);
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_place_that_cannot_be_written_costs_no_sale() {
    let folder = folder("nowhere");
    let trace = file(&folder, "trace.csv", ROWS);
    for history in [folder.join("no/such/folder.jsonl"), folder.clone()] {
        let (exit, out) = run(&["--trace", &trace, "--history", history.to_str().unwrap()]);
        assert_eq!((exit, out.as_str()), (ExitCode::FAILURE, ""));
    }
}
