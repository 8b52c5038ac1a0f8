//! What a test has to tell of itself although it passed, for `tests/run.sh` to print.

use std::fs;

use crate::program::build_directory;

/// Writes a test's report, whole lines, in place of an earlier run's: to `tests/reports` in the
/// directory of all builds, which is where `tests/run.sh` looks for it.
pub fn report(name: &str, text: &str) {
    let build = build_directory();
    let reports = build.parent().unwrap_or(&build).join("tests/reports");
    let path = reports.join(name);
    fs::create_dir_all(&reports)
        .and_then(|()| fs::write(&path, text))
        .unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
}
