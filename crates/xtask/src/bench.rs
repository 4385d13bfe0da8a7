//! `cargo xtask bench`: builds the judge of `benches/` with the profile `bench` and lets it measure.

use std::process::Command;
use std::time::Duration;

use crate::house::House;
use crate::run::{End, run};

/// A build that takes longer than this hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// What a run may take.
const QUICK_LIMIT: Duration = Duration::from_secs(15 * 60);
/// What a run of everything may take.
const FULL_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

const JUDGE: &[&str] = &["--profile", "bench", "-p", "earmark-benches", "--bin", "judge"];

/// Whether it was built and measured to the end.
pub(crate) fn bench(house: &House, full: bool, judge: &[String]) -> Result<bool, String> {
    let mut build = house.cargo(None, "");
    build.arg("build").args(JUDGE);
    let mut measure = house.cargo(None, "");
    measure.args(["run", "--quiet"]).args(JUDGE).arg("--").args(full.then_some("--full")).args(judge);
    let limit = if full { FULL_LIMIT } else { QUICK_LIMIT };
    Ok(child(&mut build, BUILD_LIMIT)? && child(&mut measure, limit)?)
}

fn child(command: &mut Command, limit: Duration) -> Result<bool, String> {
    let shown = format!("{:?}", command.get_args().collect::<Vec<_>>());
    match run(command, limit, &mut |line| println!("{line}")) {
        Ok(End::TimedOut) => Err(format!("{shown} took longer than {} s", limit.as_secs())),
        Ok(end) => Ok(end.is_success()),
        Err(why) => Err(format!("{shown}: {why}")),
    }
}
