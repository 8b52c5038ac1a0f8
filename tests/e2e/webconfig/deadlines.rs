//! How soon a change holds, a lost server is told of, and one that was away has followed.

mod under_load;

use harness::Signal;

use super::changing::{is_in, is_ready, opens, session, switch};
use super::shown::Events;
use super::*;

/// How long a change may take to hold on every server.
const PROMISE: Duration = Duration::from_secs(1);

/// How long a server may take to follow after its return, and a page to show what has changed.
const RETURN: Duration = Duration::from_secs(2);

#[test]
fn one_switch_holds_on_both_servers_within_a_second_in_sessions_that_were_open_before() {
    let stand = Stand::start();
    let app = stand.chain.client();
    let mut sessions = stand.chain.links().map(session);
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    assert!(sessions.iter_mut().all(|it| opens(it, &app)));
    let switched = Instant::now();
    switch(&alice, "on");
    within(PROMISE, switched, "on both servers", || {
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
    let begun = Instant::now();
    let undone = alice.fill_in("/zone-mode", "/undo", &[]);
    leads_to(&undone, "/zone-mode");
    within(PROMISE, begun, "undone on both servers", || {
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
fn a_server_that_is_away_is_named_and_follows_within_two_seconds_of_its_return() {
    let mut stand = Stand::start();
    let app = stand.chain.client();
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
    within(RETURN, back, "shown to follow", || {
        is_in(alice.get("/zone-mode").text(), "on")
    });
    assert!(!opens(&mut session(&stand.chain.replica), &app));
}

#[test]
fn a_server_that_hangs_while_a_change_is_made_follows_within_two_seconds_of_going_on() {
    let stand = Stand::start_with(Chain::builder().start(), &["answer_timeout = '500ms'"]);
    let app = stand.chain.client();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    let hung = stand.chain.replica.server.process();
    hung.signal(Signal::STOP);
    switch(&alice, "on");
    let shown = alice.get("/zone-mode");
    let says = "Zone mode is on. Not reached, and following when back: 127.0.0.1:";
    assert!(shown.text().contains(says), "{}", shown.text());
    hung.signal(Signal::CONT);
    let back = Instant::now();
    within(RETURN, back, "shown to follow", || {
        is_in(alice.get("/zone-mode").text(), "on")
    });
    assert!(!opens(&mut session(&stand.chain.replica), &app));
}

#[test]
fn a_server_that_cannot_take_a_change_on_its_return_says_503_and_is_shown_first_until_it_can() {
    let mut stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    is_ready(&alice);
    stand.chain.replica.server.process().kill();
    let fields = [
        ("name", "open_memory"),
        ("value", "192MiB"),
        ("what", "change"),
    ];
    let changed = alice.fill_in("/settings", "/settings", &fields);
    leads_to(&changed, "/settings");
    let shown = alice.get("/settings");
    assert!(
        shown.text().contains("open_memory is 192MiB. Not reached"),
        "{}",
        shown.text()
    );
    let server = &mut stand.chain.replica.server;
    server.restart_fixed(&["--max-open-row", "100MiB"], &[]);
    let address = format!("127.0.0.1:{}", server.port());
    let back = Instant::now();
    let why = "the store&#39;s settings are not taken over: open_memory: ";
    within(RETURN, back, "shown first", || {
        let shown = alice.get("/");
        let first = shown.text().split_once("<li class=\"bad\">");
        first.is_some_and(|(_, rest)| rest.starts_with(&format!("<b>{address}</b> ")))
            && shown.text().contains(why)
    });
    let health = stand.chain.replica.server.ops("/health");
    assert_eq!(health.status, 503, "{health:?}");
    assert!(health.text().contains("open_memory: "), "{health:?}");

    leads_to(&alice.fill_in("/zone-mode", "/undo", &[]), "/zone-mode");
    let undone = Instant::now();
    within(RETURN, undone, "well again", || {
        stand.chain.replica.server.ops("/health").status == 200
            && alice.get("/").text().contains("2 servers, all well")
    });
}

#[test]
fn a_server_that_is_lost_is_told_of_first_and_at_once_on_a_page_that_is_open() {
    let stand = Stand::start();
    let vera = stand.page.user("vera", "viewer");
    let mut events = Events::open(&stand.page, &vera, "fleet");
    assert!(events.until("2 servers, all well"));
    stand.chain.replica.server.process().kill();
    let lost = Instant::now();
    assert!(events.until("1 of 2 servers well"));
    assert!(lost.elapsed() < RETURN, "{:?}", lost.elapsed());
    assert!(events.until("What is wrong"));
    assert!(events.until("Not heard: "));
    let shown = vera.get("/");
    let (wrong, servers) = shown.text().split_once("<h2>Servers</h2>").unwrap();
    let address = format!("127.0.0.1:{}", stand.chain.replica.server.port());
    assert!(
        wrong.contains(&format!("<b>{address}</b> Not heard: ")),
        "{wrong}"
    );
    assert!(servers.contains("not heard"), "{servers}");
}

#[test]
fn a_hundred_pages_that_are_open_all_follow() {
    let stand = Stand::start();
    let vera = stand.page.user("vera", "viewer");
    let open = |_| Events::open(&stand.page, &vera, "fleet");
    let mut all: Vec<_> = (0..100).map(open).collect();
    assert!(all.iter_mut().all(|it| it.until("2 servers, all well")));
    let address = format!("127.0.0.1:{}", stand.chain.primary.server.port());
    stand.page.order(&["ctl", "drain", &address], "").success();
    let told = Instant::now();
    assert!(all.iter_mut().all(|it| it.until("it is draining")));
    assert!(told.elapsed() < RETURN, "{:?}", told.elapsed());
}
