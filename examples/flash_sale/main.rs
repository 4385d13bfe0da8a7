//! `cargo run --release --example flash_sale -- --help`

use std::process::ExitCode;

fn main() -> ExitCode {
    earmark_examples::flash_sale::main(std::env::args_os(), &mut std::io::stdout())
}
