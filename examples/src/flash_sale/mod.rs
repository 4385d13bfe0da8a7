//! A flash sale: agents over several channels race for a few hot SKUs and a long tail.
//!
//! ```text
//!   agents --- read, reserve, pay, confirm ---> shop (earmark, or naive)
//!      '------ every call with its times -----> history --> judge (earmark-testkit) --> outcome
//! ```
//!
//! A real millisecond is 50 simulated ones, and the engine's clock shows the simulated ones, so payments of
//! two seconds and thousands of agents fit into a short run. [`trace`] replays real sales instead.

mod agent;
mod args;
mod clock;
mod figures;
mod hammer;
mod history_file;
mod live;
mod log;
mod order;
mod outcome;
mod picture;
mod rush;
mod sale;
mod screen;
mod seed;
mod shop;
mod text;
pub mod trace;
mod worker;
mod world;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use args::{Args, Stop};
pub use clock::SaleClock;
pub use figures::{Figures, Latency};
pub use outcome::{LineOutcome, Outcome, Seen};
pub use rush::Rush;
pub use sale::{Mode, Sale};
pub use screen::Screen;

use history_file::HistoryFile;

/// The example's `main`, given the command line with the program's name, and where the report goes. The exit
/// code is 0 if every promise was kept (a naive sale makes none), 1 if not or if something could not be read
/// or written, 2 if the arguments make no sense.
pub fn main(args: impl IntoIterator<Item = OsString>, out: &mut dyn Write) -> ExitCode {
    let args = match Args::parse(args.into_iter().skip(1)) {
        Ok(args) => args,
        Err(Stop::Help) => return exit(put(out, args::HELP).map(|()| true)),
        Err(Stop::Bad(why)) => {
            eprintln!("flash_sale: {why}\nSee --help.");
            return ExitCode::from(2);
        }
    };
    exit(run(&args, out))
}

fn exit(result: Result<bool, Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("flash_sale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked; whether all was well.
fn run(args: &Args, out: &mut dyn Write) -> Result<bool, Box<dyn Error>> {
    let history = args.history.as_deref().map(|path| HistoryFile::new(path, args.trace.as_deref())).transpose()?;
    let (json, text, calls, good) = match &args.trace {
        Some(file) => {
            let replay = trace::Replay { threads: args.trace_threads(), stock_share: args.stock_share };
            let (outcome, calls) = replay.of_file(file)?;
            (outcome.to_json(), outcome.to_string(), calls, outcome.is_clean())
        }
        None => {
            let mode = if args.naive { Mode::Naive } else { Mode::Earmark };
            let sale = Sale { seed: args.seed, seconds: args.seconds, ..Sale::new(mode, args.sale_threads()) };
            let screen = if args.json { Screen::Off } else { Screen::of_stdout() };
            let (outcome, calls) = sale.hold(screen)?;
            let good = args.naive || outcome.is_clean();
            (outcome.to_json(), outcome.to_string(), calls, good)
        }
    };
    // Each is tried, whatever becomes of the other.
    let told = put(out, &if args.json { format!("{json}\n") } else { text });
    let written = history.map(|history| history.write(&calls)).transpose();
    written.map_err(|error| format!("the history was not written: {error}"))?;
    told?;
    Ok(good)
}

fn put(out: &mut dyn Write, text: &str) -> Result<(), Box<dyn Error>> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| format!("the report was not written: {error}").into())
}
