//! Where things are, and the environment a child starts with.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Variables that would change what a suite explores or which bug it carries. A developer who has one
/// of them set from an experiment must not get a weaker run without noticing.
const NOT_INHERITED: &[&str] =
    &["LOOM_", "PROPTEST_", "EARMARK_BREAK", "EARMARK_MODEL_", "CARGO_PKG_", "CARGO_MANIFEST_"];

/// The checkout and its target directory.
#[derive(Debug)]
pub(crate) struct House {
    root: PathBuf,
    target: PathBuf,
}

impl House {
    /// The workspace this program was started from (`cargo run` says where the package lies).
    pub(crate) fn find() -> Result<House, String> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(package) => PathBuf::from(package),
            None => env::current_dir().map_err(|e| format!("current directory: {e}"))?,
        };
        let root = start
            .ancestors()
            .find(|folder| folder.join("crates/earmark/Cargo.toml").is_file())
            .ok_or("start it as `cargo xtask` inside the checkout: crates/earmark was not found")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder), // an absolute path replaces the root
            None => root.join("target"),
        };
        let house = House { root, target };
        let logs = house.logs();
        std::fs::create_dir_all(&logs).map_err(|e| format!("{}: {e}", logs.display()))?;
        Ok(house)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target directory, or a folder of its own inside it for a build with other compiler flags:
    /// flags reach every dependency, so builds that differ in them share nothing.
    pub(crate) fn target(&self, own: Option<&str>) -> PathBuf {
        own.map_or_else(|| self.target.clone(), |own| self.target.join(own))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// A command in the root of the checkout, without input and with a clean environment.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            if NOT_INHERITED.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// The cargo that runs us, with compiler flags and a target directory of its own if asked for.
    pub(crate) fn cargo(&self, own_target: Option<&str>, rustflags: &str) -> Command {
        let mut cargo = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.env("CARGO_TARGET_DIR", self.target(own_target));
        if !rustflags.is_empty() {
            cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", rustflags);
        }
        cargo
    }
}
