#![no_main]

#[path = "../../crates/earmark/tests/fuzz_bodies/mod.rs"]
mod fuzz_bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = fuzz_bodies::ids(bytes);
});
