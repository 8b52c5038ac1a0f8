//! What the page changes, for whom.

use envelope::Recipient;
use harness::Browser;
use harness::raw::{Session, literal, rows};

use super::*;

/// A value that is sealed to the client, in clear.
const CLEAR: &[u8] = b"sealed to the client";

pub(super) fn session(link: &Link) -> Session {
    let mut session = link.address().raw();
    session.start();
    session
}

/// Whether the client's value opens: it does in mode `off`.
pub(super) fn opens(session: &mut Session, app: &Recipient) -> bool {
    let sealed = literal(&app.seal(CLEAR).unwrap());
    let answer = session.extended(&format!("select {sealed}"), 1);
    rows(&answer)[0][0].as_deref() == Some(CLEAR)
}

#[track_caller]
pub(super) fn switch(browser: &Browser, mode: &str) {
    let answer = browser.fill_in("/zone-mode", "/zone-mode", &[("mode", mode)]);
    leads_to(&answer, "/zone-mode");
}

/// Whether the page of zone mode shows both servers in this one.
pub(super) fn is_in(shown: &str, mode: &str) -> bool {
    let row = format!("data-label=\"Zone mode\"><b>{mode}<");
    shown.matches(&row).count() == 2
}

/// Waits until the page knows the settings of both servers.
#[track_caller]
pub(super) fn is_ready(browser: &Browser) {
    harness::until("the page to know both servers", || {
        let shown = browser.get("/zone-mode");
        is_in(shown.text(), "off").then_some(())
    });
}

#[test]
fn of_two_operators_who_have_seen_the_same_the_second_hears_who_the_first_was() {
    let mut stand = Stand::start();
    let (alice, bob) = (
        stand.page.user("alice", "operator"),
        stand.page.user("bob", "operator"),
    );
    is_ready(&bob);
    let seen = bob.get("/settings");
    let fields = ["token", "number"].map(|it| (it, harness::webconfig::hidden(seen.text(), it)));
    switch(&alice, "mixed");
    let own = [
        ("name", "on_refused"),
        ("value", "null"),
        ("what", "change"),
    ];
    let own = own.map(|(name, value)| (name, value.to_owned()));
    let late = harness::webconfig::post("/settings", &[fields.to_vec(), own.to_vec()].concat());
    leads_to(&bob.send(late), "/settings");
    let told = bob.get("/settings");
    let says =
        "Nothing was changed: the settings were changed meanwhile by admin page for alice through";
    assert!(told.text().contains(says), "{}", told.text());
    // The store knows it, so a page that was started anew does too.
    stand.page.restart();
    let bob = stand.page.sign_in("bob", "the password of bob");
    let bob = stand.page.browser(&bob);
    harness::until("the page to know who it was", || {
        let shown = bob.get("/settings");
        let says = "Changed last by <b>admin page for alice through server ";
        shown.text().contains(says).then_some(())
    });
}

#[test]
fn a_viewer_looks_and_changes_nothing() {
    let stand = Stand::start();
    let viewer = stand.page.user("vera", "viewer");
    is_ready(&viewer);
    let address = format!("127.0.0.1:{}", stand.chain.primary.server.port());
    for (action, fields) in [
        ("/zone-mode", &[("mode", "on")][..]),
        (
            "/settings",
            &[("name", "zone_mode"), ("value", "on"), ("what", "change")],
        ),
        ("/drain", &[("server", &address), ("draining", "true")]),
    ] {
        let answer = viewer.fill_in("/zone-mode", action, fields);
        assert_eq!(answer.status, 403, "{action}: {answer:?}");
        assert!(answer.text().contains("A viewer changes nothing"));
    }
    let settings = viewer.get("/settings");
    assert!(!settings.text().contains("action=\"/settings\""));
    assert!(settings.text().contains("max_open_row"));
    let status = stand.chain.primary.server.ops("/health");
    assert_eq!(status.status, 200, "{status:?}");
}

#[test]
fn a_setting_is_changed_and_reset_and_a_wrong_value_is_refused_by_name() {
    let stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    let set = |value: &str, what: &str| {
        let fields = [("name", "max_stale"), ("value", value), ("what", what)];
        leads_to(
            &alice.fill_in("/settings", "/settings", &fields),
            "/settings",
        );
        alice.get("/settings").text().to_owned()
    };
    let shown = set("20m", "change");
    assert!(shown.contains("max_stale is 20m."), "{shown}");
    assert!(shown.contains("<b>20m</b> <small>the store"), "{shown}");
    let shown = set("<script>alert(1)</script>", "change");
    assert!(shown.contains("Nothing was changed: "), "{shown}");
    assert!(shown.contains("is no period of time"), "{shown}");
    assert!(!shown.contains("<script>alert"), "{shown}");
    let shown = set("", "reset");
    assert!(shown.contains("<b>10m</b> <small>by default"), "{shown}");
}

#[test]
fn a_setting_that_one_server_fixes_is_shown_so_and_refused_for_all() {
    let mut stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    let fixed = &mut stand.chain.replica.server;
    fixed.restart_fixed(&["--zone-mode", "off"], &[]);
    harness::until("the page to know", || {
        let shown = alice.get("/settings");
        shown.text().contains("Fixed on 127.0.0.1:").then_some(())
    });
    switch(&alice, "on");
    let shown = alice.get("/zone-mode");
    let says = "zone_mode is fixed on server replica by --zone-mode";
    assert!(
        shown.text().contains("Nothing was changed: "),
        "{}",
        shown.text()
    );
    assert!(shown.text().contains(says), "{}", shown.text());
}

#[test]
fn a_change_that_changes_nothing_leaves_the_one_before_it_to_be_taken_back() {
    let stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    switch(&alice, "mixed");
    switch(&alice, "mixed");
    let undone = alice.fill_in("/zone-mode", "/undo", &[]);
    leads_to(&undone, "/zone-mode");
    harness::until("the mode from before", || {
        is_in(alice.get("/zone-mode").text(), "off").then_some(())
    });
}
