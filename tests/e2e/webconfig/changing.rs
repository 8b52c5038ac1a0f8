//! What the page changes, for whom.

use envelope::Recipient;
use harness::Browser;
use harness::raw::{Session, literal, rows};

use super::*;

/// A value that is sealed to the client, in clear.
const CLEAR: &[u8] = b"sealed to the client";

fn session(link: &Link) -> Session {
    let mut session = link.address().raw();
    session.start();
    session
}

/// Whether the client's value opens: it does in mode `off`.
fn opens(session: &mut Session, app: &Recipient) -> bool {
    let sealed = literal(&app.seal(CLEAR).unwrap());
    let answer = session.extended(&format!("select {sealed}"), 1);
    rows(&answer)[0][0].as_deref() == Some(CLEAR)
}

#[track_caller]
fn switch(browser: &Browser, mode: &str) {
    let answer = browser.fill_in("/zone-mode", "/zone-mode", &[("mode", mode)]);
    leads_to(&answer, "/zone-mode");
}

/// Waits until the page knows the settings of both servers.
#[track_caller]
fn is_ready(browser: &Browser) {
    harness::until("the page to know both servers", || {
        let shown = browser.get("/zone-mode");
        let rows = shown
            .text()
            .matches("data-label=\"Zone mode\"><b>off")
            .count();
        (rows == 2).then_some(())
    });
}

#[test]
fn one_switch_holds_on_both_servers_within_a_second_in_sessions_that_were_open_before() {
    let stand = Stand::start();
    let app = stand.chain.client();
    let mut sessions = stand.chain.links().map(session);
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    assert!(sessions.iter_mut().all(|it| opens(it, &app)));
    switch(&alice, "on");
    soon("on both servers", || {
        !sessions.iter_mut().any(|it| opens(it, &app))
    });
    let shown = alice.get("/zone-mode");
    let text = shown.text();
    assert!(text.contains("Zone mode is on."), "{text}");
    assert!(
        text.contains("Changed last by <b>admin page for alice through server "),
        "{text}"
    );
    // It is undone, and told once.
    let undone = alice.fill_in("/zone-mode", "/undo", &[]);
    leads_to(&undone, "/zone-mode");
    soon("undone on both servers", || {
        sessions.iter_mut().all(|it| opens(it, &app))
    });
    assert!(
        alice
            .get("/zone-mode")
            .text()
            .contains("The last change is undone.")
    );
    assert!(!alice.get("/zone-mode").text().contains("is undone."));
    let log = stand.page.process().log();
    assert!(
        log.contains("settings were changed user=alice number=1"),
        "{log}"
    );
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
fn a_server_that_is_away_is_named_and_follows_within_two_seconds_of_its_return() {
    let mut stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    let away = format!("127.0.0.1:{}", stand.chain.replica.server.port());
    stand.chain.replica.server.process().kill();
    switch(&alice, "on");
    let shown = alice.get("/zone-mode");
    let says = format!("Zone mode is on. Not reached, and following when back: {away}.");
    assert!(shown.text().contains(&says), "{}", shown.text());
    stand.chain.replica.server.restart();
    let back = Instant::now();
    while alice
        .get("/zone-mode")
        .text()
        .matches("data-label=\"Zone mode\"><b>on")
        .count()
        < 2
    {
        assert!(
            back.elapsed() <= Duration::from_secs(2),
            "not shown to follow"
        );
    }
}
