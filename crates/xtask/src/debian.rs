//! What a suite needs of the system, and Debian's packages for it.

use std::env;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::stage::{Phase, Stage};

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Whether a program of this name is on the path.
pub(crate) fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Only root may; for anybody else the suite says what to install.
pub(crate) fn install(stage: &mut Stage<'_>, package: &str) -> io::Result<()> {
    let id = Command::new("id").arg("-u").output()?;
    if id.stdout.trim_ascii() != b"0" {
        return Ok(());
    }
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends", package]] {
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
