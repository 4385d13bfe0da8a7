//! The command line.

use std::path::PathBuf;

use clap::Parser;

use super::sale::SECONDS;
use super::trace::Share;

/// Thousands of simulated agents race for a few hot SKUs; every call is recorded and judged.
#[derive(Debug, Clone, Parser)]
#[command(name = "flash_sale")]
#[allow(clippy::exhaustive_structs, reason = "the options of an example")]
pub struct Args {
    /// Sell the way the problem arises: read, pay, decrement. Oversells.
    #[arg(long, conflicts_with = "trace")]
    pub naive: bool,

    /// What the agents' choices follow from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Worker threads, 1 to 256. Default: the number of cores; one for a trace.
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// How long the doors are open, in real seconds, 0.1 to 60.
    #[arg(long, allow_negative_numbers = true, default_value_t = SECONDS, value_parser = seconds)]
    pub seconds: f64,

    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub json: bool,

    /// Write each call as a JSON line to this file, for another checker.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,

    /// Replay real sales from this file (.csv or .csv.gz, columns InvoiceNo, StockCode, Quantity).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// The part of all units ever asked for that is in stock when a trace begins.
    #[arg(long, allow_negative_numbers = true, default_value = "0.9", requires = "trace")]
    pub stock_share: Share,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        Ok(_) => Err("choose 0.1 to 60: every call is kept in memory to be judged".into()),
        Err(error) => Err(error.to_string()),
    }
}

impl Args {
    /// The number of threads asked for, or what fits the machine.
    pub(crate) fn sale_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }

    /// The number of threads asked for, or one: only one can be compared with a sequential book-keeping.
    pub(crate) fn trace_threads(&self) -> usize {
        self.threads.map_or(1, usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(args: &[&str]) -> String {
        let args = ["flash_sale"].iter().chain(args);
        Args::try_parse_from(args).unwrap_err().to_string()
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        for (args, named) in [
            (&["--threads", "0"][..], "0 is not in 1..=256"),
            (&["--seconds", "0"], "0.1 to 60"),
            (&["--seconds", "NaN"], "0.1 to 60"),
            (&["--trace", "x.csv", "--stock-share", "-1"], "0 to 1000"),
            (&["--threads", "-1"], "-1 is not in 1..=256"),
            (&["--trace", "x.csv", "--stock-share", "much"], "0 to 1000"),
            (&["--stock-share", "0.5"], "--trace"),
            (&["--naive", "--trace", "x.csv"], "cannot be used with"),
            (&["--bogus"], "--bogus"),
        ] {
            let told = refused(args);
            assert!(told.contains(named), "{args:?}: {told}");
        }
    }

    #[test]
    fn defaults_are_a_sale() {
        let args = Args::try_parse_from(["flash_sale"]).unwrap();
        assert!(args.sale_threads() >= 1 && args.trace_threads() == 1 && !args.naive);
    }
}
