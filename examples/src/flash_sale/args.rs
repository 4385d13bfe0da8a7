//! The command line. Read by hand: an argument parser would be a third of what a first build compiles.

use std::ffi::OsString;
use std::path::PathBuf;

use super::sale::SECONDS;
use super::trace::Share;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Thousands of simulated agents race for a few hot SKUs; all calls are judged.

usage: flash_sale [OPTIONS]

  --naive          sell the way the problem arises: read, pay, decrement
  --seed N         what agents want, visit by visit, follows from it (default 1)
  --threads N      worker threads, 1 to 256 (default: cores; 1 for a trace)
  --seconds S      how long doors are open, 0.1 to 60 real seconds (default 6)
  --json           print one JSON object, and nothing else, on standard output
  --history FILE   write each call as a JSON line, for another checker
  --trace FILE     replay real sales: .csv or .csv.gz, with columns InvoiceNo,
                   StockCode and Quantity
  --stock-share X  the part of a trace's demand in stock at first (default 0.9)
  --help           print this

A history holds open, receive, adjust_down (write-offs), read (no promise, not
judged), reserve, begin_payment, confirm, release and get; to expire is no call.
A retry under the same key is recorded as what it found: a reserve as get, or
as refused; a confirm as already_confirmed.
";

const THREADS_MAX: usize = 256;
const STOCK_SHARE: &str = "0.9";

/// What was asked for.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "the options of an example")]
pub struct Args {
    /// Sell the way the problem arises.
    pub naive: bool,
    /// What the agents' choices follow from.
    pub seed: u64,
    /// Worker threads, if a number was asked for.
    pub threads: Option<usize>,
    /// How long the doors are open, in real seconds.
    pub seconds: f64,
    /// Print one JSON object and nothing else.
    pub json: bool,
    /// Where to write the calls.
    pub history: Option<PathBuf>,
    /// Which sales to replay.
    pub trace: Option<PathBuf>,
    /// The part of a trace's demand that is in stock at first.
    pub stock_share: Share,
}

/// Why there is nothing to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Only the help was asked for.
    Help,
    /// The arguments make no sense; says which, and what would.
    Bad(String),
}

impl Args {
    /// Reads a command line, without the program's name. `--name value` and `--name=value` are the same;
    /// of an option given twice the last one counts.
    ///
    /// # Errors
    /// [`Stop`]: the help was asked for, or an argument makes no sense.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, Stop> {
        let stock_share = STOCK_SHARE.parse().map_err(Stop::Bad)?;
        let mut found = Args {
            naive: false,
            seed: 1,
            threads: None,
            seconds: SECONDS,
            json: false,
            history: None,
            trace: None,
            stock_share,
        };
        // Those that mean nothing with a trace, or without one.
        let (mut sale_only, mut trace_only) = (None, None);
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, inline) = split(&arg);
            // What looks like the next option is no value; `=` takes anything.
            let mut next = || args.next().filter(|value| !value.to_string_lossy().starts_with("--"));
            let mut value = || inline.clone().or_else(&mut next).ok_or_else(|| bad(&name, "", "a value"));
            match name.as_str() {
                "--help" | "-h" => return Err(Stop::Help),
                "--naive" | "--json" if inline.is_some() => return Err(Stop::Bad(format!("{name} takes no value"))),
                "--naive" => {
                    sale_only = Some(name);
                    found.naive = true;
                }
                "--json" => found.json = true,
                "--history" => found.history = Some(value()?.into()),
                "--trace" => found.trace = Some(value()?.into()),
                "--seed" => {
                    found.seed = number(&name, &value()?, "a whole number", |_: &u64| true)?;
                    sale_only = Some(name);
                }
                "--threads" => {
                    let fits = |threads: &usize| (1..=THREADS_MAX).contains(threads);
                    found.threads = Some(number(&name, &value()?, "1 to 256", fits)?);
                }
                "--seconds" => {
                    let fits = |seconds: &f64| (0.1..=60.0).contains(seconds); // all calls are kept in memory
                    found.seconds = number(&name, &value()?, "0.1 to 60", fits)?;
                    sale_only = Some(name);
                }
                "--stock-share" => {
                    found.stock_share = number(&name, &value()?, "0 to 1000, with up to 9 decimals", |_: &Share| true)?;
                    trace_only = Some(name);
                }
                _ => return Err(Stop::Bad(format!("{name:?} is no option"))),
            }
        }
        match (found.trace.is_some(), sale_only, trace_only) {
            (true, Some(name), _) => Err(Stop::Bad(format!("{name} and --trace do not go together"))),
            (false, _, Some(name)) => Err(Stop::Bad(format!("{name} needs --trace"))),
            _ => Ok(found),
        }
    }

    /// The number of threads asked for, or what fits the machine.
    pub(crate) fn sale_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The number of threads asked for, or one: only one can be compared with a sequential book-keeping.
    pub(crate) fn trace_threads(&self) -> usize {
        self.threads.unwrap_or(1)
    }
}

/// `--name=value` is a name and a value. A path may be no UTF-8 only as an argument of its own.
fn split(arg: &OsString) -> (String, Option<OsString>) {
    match arg.to_str().and_then(|text| text.split_once('=')) {
        Some((name, value)) if name.starts_with("--") => (name.to_string(), Some(value.into())),
        _ => (arg.to_string_lossy().into_owned(), None),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &OsString, choose: &str, fits: fn(&T) -> bool) -> Result<T, Stop> {
    let parsed = value.to_str().and_then(|text| text.parse().ok());
    parsed.filter(fits).ok_or_else(|| bad(name, &value.to_string_lossy(), choose))
}

fn bad(name: &str, value: &str, choose: &str) -> Stop {
    let given = if value.is_empty() { "nothing".into() } else { format!("{value:?}") };
    Stop::Bad(format!("{name}: {given} was given, choose {choose}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, Stop> {
        Args::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        for (args, told) in [
            (&["--threads", "0"][..], r#"--threads: "0" was given, choose 1 to 256"#),
            (&["--threads=-1"], r#"--threads: "-1" was given, choose 1 to 256"#),
            (&["--threads"], "--threads: nothing was given, choose a value"),
            (&["--trace", "--json"], "--trace: nothing was given, choose a value"),
            (&["--seed", "-1"], r#"--seed: "-1" was given, choose a whole number"#),
            (&["--seconds", "0"], r#"--seconds: "0" was given, choose 0.1 to 60"#),
            (&["--seconds", "NaN"], r#"--seconds: "NaN" was given, choose 0.1 to 60"#),
            (
                &["--trace", "x.csv", "--stock-share", "-1"],
                r#"--stock-share: "-1" was given, choose 0 to 1000, with up to 9 decimals"#,
            ),
            (&["--stock-share", "0.5"], "--stock-share needs --trace"),
            (&["--naive", "--trace", "x.csv"], "--naive and --trace do not go together"),
            (&["--trace", "x.csv", "--seed", "1"], "--seed and --trace do not go together"),
            (&["--seconds=6", "--trace", "x.csv"], "--seconds and --trace do not go together"),
            (&["--json=yes"], "--json takes no value"),
            (&["--bogus"], r#""--bogus" is no option"#),
            (&["x.csv"], r#""x.csv" is no option"#),
        ] {
            assert_eq!(parse(args).unwrap_err(), Stop::Bad(told.into()));
        }
        assert_eq!(parse(&["--json", "--help"]).unwrap_err(), Stop::Help);
    }

    #[test]
    fn both_spellings_are_one() {
        for args in [&["--threads", "7", "--trace", "a=b.csv"][..], &["--threads=7", "--trace=a=b.csv"]] {
            let args = parse(args).unwrap();
            assert_eq!((args.threads, args.trace), (Some(7), Some("a=b.csv".into())));
        }
    }

    #[test]
    fn defaults_are_a_sale() {
        let args = parse(&[]).unwrap();
        assert!(args.sale_threads() >= 1 && args.trace_threads() == 1 && !args.naive && args.trace.is_none());
        assert!(HELP.contains(&format!("(default {SECONDS})")) && HELP.contains(STOCK_SHARE));
    }

    #[test]
    fn the_help_fits_and_names_what_a_history_holds() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
        let told = HELP.split_once("A history holds").unwrap().1;
        for op in ["open", "receive", "adjust_down", "read", "reserve", "begin_payment", "confirm", "release", "get"] {
            assert!(told.contains(op), "{op}");
        }
    }
}
