//! `cargo xtask bench`

use std::process::ExitCode;

use earmark_benches::alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    earmark_benches::judge::main()
}
