//! The fuzz workspace still compiles. Fuzzing itself is no test: the bodies of its targets run on
//! stable as ordinary tests with a fixed number of inputs.

use std::env;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::parse::Seen;
use crate::report::Outcome;
use crate::stage::{Phase, Stage};

const MANIFEST: &str = "fuzz/Cargo.toml";
/// libfuzzer-sys compiles libFuzzer, which is C++.
const COMPILERS: &[&str] = &["c++", "g++", "clang++"];
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    if !stage.house().root().join(MANIFEST).is_file() {
        stage.fail(format!("{MANIFEST} is not there"));
        return Ok(());
    }
    if !has_compiler() {
        install_compiler(stage)?;
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
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |name: &str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    env::var_os("CXX").is_some() || COMPILERS.iter().any(|name| found(name))
}

/// Only root may; for anybody else the suite says what to install.
fn install_compiler(stage: &mut Stage<'_>) -> io::Result<()> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout.trim_ascii() != b"0" {
        return Ok(());
    }
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends", "g++"]] {
        let mut apt = stage.house().command("apt-get");
        apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        match stage.child(Phase::Build, &mut apt, INSTALL_LIMIT, &mut |_| {}) {
            Ok(end) if end.is_success() => {}
            Ok(end) => stage.say(&format!("apt-get {}: {end:?}", args.join(" "))),
            Err(why) => stage.say(&format!("apt-get {}: {why}", args.join(" "))),
        }
    }
    Ok(())
}
