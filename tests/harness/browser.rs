//! A browser without a window: Debian's Chromium.

use std::path::Path;
use std::time::Duration;

use crate::dir::TestDir;
use crate::program::Program;

pub(crate) const PROGRAM: &str = "/usr/bin/chromium-headless-shell";

/// Opens a page, lets its script run for so long, and gives all elements that there are then, as HTML.
/// By the page's clock, that is, which leaps wherever nothing is under way.
#[track_caller]
pub fn browse(url: &str, life: Duration) -> String {
    is_there();
    let profile = TestDir::new("browser");
    let browser = Program::at(PROGRAM)
        // Its sandbox is not for root, and pages of ours are what it opens.
        .args(["--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--virtual-time-budget={}", life.as_millis()))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .limit(Duration::from_secs(60));
    browser.run().success()
}

/// Fails where there is no browser to test with.
#[track_caller]
pub(crate) fn is_there() {
    assert!(
        Path::new(PROGRAM).is_file(),
        "no {PROGRAM} to test with: `apt-get install chromium-headless-shell`"
    );
}
