//! The fuzz workspace still compiles. Fuzzing itself is no test: the bodies of its targets run on
//! stable as ordinary tests with a fixed number of inputs.

use std::env;
use std::io;

use crate::debian::{has, install};
use crate::parse::Seen;
use crate::report::Outcome;
use crate::stage::Stage;

const MANIFEST: &str = "fuzz/Cargo.toml";
/// libfuzzer-sys compiles libFuzzer, which is C++.
const COMPILERS: &[&str] = &["c++", "g++", "clang++"];

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    if !stage.house().root().join(MANIFEST).is_file() {
        stage.fail(format!("{MANIFEST} is not there"));
        return Ok(());
    }
    if !has_compiler() {
        install(stage, "g++")?;
    }
    if !has_compiler() {
        let why = "no C++ compiler, which libfuzzer-sys needs: install the Debian package g++";
        stage.report().outcome = Outcome::NotRun(why.into());
        return Ok(());
    }
    let mut cargo = stage.house().cargo(Some("fuzz"), "");
    cargo.args(["check", "--manifest-path", MANIFEST]);
    if stage.build(&mut cargo, &mut |_| {})? {
        let ran = vec!["cargo check of the fuzz targets".into()];
        stage.report().seen.push(Seen { passed: 1, ran, ..Seen::default() });
    }
    Ok(())
}

fn has_compiler() -> bool {
    env::var_os("CXX").is_some() || COMPILERS.iter().any(|name| has(name))
}
