//! The page that runs the fleet: who gets in, what it changes, what it shows, and what hostile requests
//! come to.

mod accessible;
mod activity;
mod browser;
mod changing;
mod connectors;
mod deadlines;
mod dry_run;
mod hostile;
mod killed;
mod orders;
mod owners;
mod polling;
mod running;
mod shown;
mod signing_in;
mod totp;
mod why;

use std::time::{Duration, Instant};

use harness::http::Response;
use harness::{Chain, Link, Webconfig};

/// The pages of whoever is signed in.
const PAGES: [&str; 7] = [
    "/",
    "/zone-mode",
    "/settings",
    "/zones",
    "/clients",
    "/activity",
    "/why",
];

/// Two servers that share a store, and a page over both.
struct Stand {
    page: Webconfig,
    chain: Chain,
}

impl Stand {
    fn start() -> Self {
        Self::start_with(Chain::builder().start(), &[])
    }

    fn start_with(chain: Chain, lines: &[&str]) -> Self {
        let identity = chain.keys.admin_identity("page");
        let ports = chain.links().map(|link| link.server.port());
        Self {
            page: Webconfig::start(&identity, &ports, lines),
            chain,
        }
    }
}

trait Links {
    fn links(&self) -> [&Link; 2];
}

impl Links for Chain {
    fn links(&self) -> [&Link; 2] {
        [&self.primary, &self.replica]
    }
}

/// A page over a server that is not there: what has to do with sign-in alone.
fn alone(lines: &[&str]) -> Webconfig {
    let keys = harness::Keys::new();
    let identity = keys.admin_identity("page");
    let port = harness::free_port();
    Webconfig::start(&identity, &[port.number()], lines)
}

/// Where a form led to.
#[track_caller]
fn leads_to<'a>(answer: &'a Response, place: &str) -> &'a Response {
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.header("location"), Some(place), "{answer:?}");
    answer
}

/// The pause between two looks at something: what is waited for has the processor.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until something is so, and no longer than `limit` after `begun`.
#[track_caller]
fn within(limit: Duration, begun: Instant, what: &str, mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        assert!(begun.elapsed() <= limit, "after {limit:?} not yet {what}");
        std::thread::sleep(PAUSE);
    }
}
