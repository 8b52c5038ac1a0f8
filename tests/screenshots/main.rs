//! Makes the README's pictures of the web page, at an address where `test` signs in with password `test`.
//! What is to be seen there, and how large pictures may be, is `tests/screenshots.sh`'s matter.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, thread};

use harness::Tab;

/// A picture: its name, the page, the screen's width and height in CSS pixels, and whether it is dark.
type Picture = (&'static str, &'static str, u32, u32, bool);

const PICTURES: [Picture; 4] = [
    ("fleet", "/", 1200, 720, false),
    ("zone-mode", "/zone-mode", 1200, 560, true),
    ("activity", "/activity", 1200, 720, false),
    ("telephone", "/", 400, 860, true),
];

/// Pixels of a picture for each of the screen.
const DENSITY: u32 = 2;

/// What pages show of what was.
const SHOWN: Duration = Duration::from_secs(62);

fn main() {
    let mut arguments = env::args().skip(1);
    let (Some(url), Some(directory)) = (arguments.next(), arguments.next()) else {
        panic!("usage: pgseal-screenshots URL DIRECTORY")
    };
    let (url, directory) = (url.trim_end_matches('/'), PathBuf::from(directory));
    let mut tab = Tab::open(&format!("{url}/sign-in"));
    tab.eval(
        "document.getElementById('name').value = 'test'; \
         document.getElementById('password').value = 'test'; \
         document.querySelector('form button').click()",
    );
    tab.until("document.querySelector('h1')?.textContent === 'Fleet'");
    // Somebody has changed something, a while ago.
    tab.go(&format!("{url}/zone-mode"));
    tab.until("document.querySelector('button[value=mixed]:enabled') !== null");
    tab.eval("document.querySelector('button[value=mixed]').click()");
    tab.until(
        "document.querySelector('button[value=mixed]')?.getAttribute('aria-pressed') === 'true'",
    );
    thread::sleep(SHOWN);
    for (name, path, width, height, dark) in PICTURES {
        tab.show(width, height, DENSITY, dark);
        tab.go(&format!("{url}{path}"));
        tab.until("document.querySelector('h1') !== null");
        let path = directory.join(format!("{name}.png"));
        let written = fs::write(&path, tab.picture());
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    assert_eq!(tab.complaints(), [] as [&str; 0]);
}
