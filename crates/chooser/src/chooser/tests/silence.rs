//! Endpoints that are checked because they do not speak any more: what sessions that begin there do.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::timeout;

use super::*;

/// Counts checks, and answers none.
struct Counting {
    pace: Duration,
    asked: Arc<AtomicU32>,
}

impl Checker for Counting {
    const NAME: &'static str = "endpoint";

    fn pace(&self, _name: &str) -> Duration {
        self.pace
    }

    fn check(&self, _chooser: &Arc<Chooser<Self>>, check: Check) {
        if &*check.name == "a" {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Endpoints `a` and `b` that speak at this pace, and how often `a` was asked.
fn paced(pace: Duration) -> (Arc<Chooser<Counting>>, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let checker = Counting {
        pace,
        asked: asked.clone(),
    };
    let checks = Checks {
        interval: Duration::from_millis(50),
        // No check fails while a test runs.
        timeout: Duration::from_secs(600),
        ..Checks::default()
    };
    let endpoints = [Endpoint::new("a"), Endpoint::new("b")];
    let listeners = [listener(Target::Any)];
    let counts = Counts::new("endpoint");
    let chooser = Chooser::new(checker, counts, checks, &listeners, &endpoints);
    (chooser.expect("the settings can be"), asked)
}

fn is_up(chooser: &Chooser<Counting>, name: &str) -> bool {
    let listed = chooser.endpoints();
    listed
        .iter()
        .any(|it| &*it.name == name && it.state == State::Up)
}

fn of(chooser: &Chooser<Counting>, name: &str) -> EndpointId {
    let listed = chooser.endpoints();
    let found = listed.iter().find(|it| &*it.name == name);
    found.expect("it is listed").endpoint
}

/// Whether `a` is doubted before that which is looked for has come.
async fn is_doubted(chooser: &Chooser<Counting>, mut has_come: impl FnMut() -> bool) -> bool {
    let mut doubt = std::pin::pin!(chooser.doubt(of(chooser, "a")));
    loop {
        if timeout(Duration::from_millis(1), &mut doubt).await.is_ok() {
            return true;
        }
        if has_come() {
            // A doubt is cast before the check is made.
            return timeout(Duration::ZERO, &mut doubt).await.is_ok();
        }
    }
}

/// What became of `a`, after both spoke once in this order, by the time it is checked for its silence.
async fn checked_in_silence(pace: Duration, spoke: [&str; 2]) -> (Arc<Chooser<Counting>>, bool) {
    let (chooser, asked) = paced(pace);
    let running = tokio::spawn(chooser.clone().run());
    for name in spoke {
        chooser.heard(name, None);
    }
    let before = asked.load(Ordering::Relaxed);
    let doubted = is_doubted(&chooser, || asked.load(Ordering::Relaxed) > before).await;
    running.abort();
    (chooser, doubted)
}

#[tokio::test]
async fn one_that_falls_silent_is_left_by_whoever_begins_there_before_its_check_fails() {
    let (chooser, doubted) = checked_in_silence(Duration::from_millis(10), ["a", "b"]).await;
    assert!(doubted);
    // That alone puts nobody down, and new sessions may still go there.
    assert!(is_up(&chooser, "a"));
}

#[tokio::test]
async fn one_that_is_checked_although_it_keeps_its_pace_is_not_doubted() {
    let (_, doubted) = checked_in_silence(Duration::from_secs(600), ["a", "b"]).await;
    assert!(!doubted);
}

#[tokio::test]
async fn one_that_falls_silent_is_not_left_for_one_that_has_been_silent_for_longer() {
    let (_, doubted) = checked_in_silence(Duration::from_millis(10), ["b", "a"]).await;
    assert!(!doubted);
}
