//! Who gets in, and for how long.

use harness::http::Request;
use harness::webconfig::{hidden, post};

use super::*;

#[test]
fn whoever_is_not_signed_in_is_led_to_the_form_and_sees_nothing_else() {
    let page = alone(&[]);
    let others = [
        "/zones/tenant-1",
        "/zones/tenant-1/key.json",
        "/clients/app",
        "/clients/app/key.json",
        "/activity/export",
    ];
    for path in PAGES.into_iter().chain(others) {
        let answer = Request::get(path).send(page.port());
        leads_to(&answer, "/sign-in");
        let stale = Request::get(path).header("Cookie", "pgseal=AAAA");
        leads_to(&stale.send(page.port()), "/sign-in");
    }
    let events = Request::get("/events/fleet").send(page.port());
    assert_eq!((events.status, events.body.len()), (401, 0), "{events:?}");
    let change = post("/zone-mode", &[("mode", "on".into())]);
    leads_to(&change.send(page.port()), "/sign-in");
}

#[test]
fn a_user_signs_in_with_the_password_that_was_given_and_no_other() {
    let page = alone(&[]);
    page.add_user("alice", "operator", "correct horse battery");
    for (name, password) in [
        ("alice", "correct horse batterz"),
        ("alice", ""),
        ("bob", "correct horse battery"),
    ] {
        let answer = page.sign_in(name, password);
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.text().contains("do not belong together"));
    }
    let answer = page.sign_in("alice", "correct horse battery");
    leads_to(&answer, "/");
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    let shown = page.browser(&answer).get("/");
    assert!(shown.status == 200 && shown.text().contains("alice"));
}

#[test]
fn a_session_that_somebody_has_prepared_is_nobodys_after_the_sign_in() {
    let page = alone(&[]);
    page.add_user("alice", "viewer", "correct horse battery");
    let planted = "pgseal=cGxhbnRlZCBieSBzb21lYm9keSBlbHNlIDEyMzQ1Njc";
    let form = Request::get("/sign-in")
        .header("Cookie", planted)
        .send(page.port());
    let set = form.header("set-cookie").unwrap();
    let cookies = format!("{planted}; {}", set.split(';').next().unwrap());
    let fields = [
        ("token", hidden(form.text(), "token")),
        ("name", "alice".into()),
        ("password", "correct horse battery".into()),
    ];
    let answer = post("/sign-in", &fields)
        .header("Cookie", &cookies)
        .send(page.port());
    let browser = page.browser(leads_to(&answer, "/"));
    assert_ne!(browser.cookie, planted);
    assert_eq!(browser.get("/").status, 200);
    let planted = Request::get("/").header("Cookie", planted);
    leads_to(&planted.send(page.port()), "/sign-in");
}

#[test]
fn a_second_sign_in_in_one_browser_ends_the_first() {
    let page = alone(&[]);
    let first = page.user("alice", "viewer");
    let form = Request::get("/sign-in").send(page.port());
    let set = form.header("set-cookie").unwrap();
    let fields = [
        ("token", hidden(form.text(), "token")),
        ("name", "alice".into()),
        ("password", "the password of alice".into()),
    ];
    let cookies = format!("{}; {}", first.cookie, set.split(';').next().unwrap());
    let answer = post("/sign-in", &fields)
        .header("Cookie", &cookies)
        .send(page.port());
    let second = page.browser(leads_to(&answer, "/"));
    assert_eq!(second.get("/").status, 200);
    leads_to(&first.get("/"), "/sign-in");
}

#[test]
fn signing_out_ends_one_session_and_signing_out_everywhere_all_of_a_user() {
    let page = alone(&[]);
    let bob = page.user("bob", "viewer");
    let first = page.user("alice", "viewer");
    let again = || page.browser(&page.sign_in("alice", "the password of alice"));
    let (second, third) = (again(), again());
    leads_to(&first.fill_in("/", "/sign-out", &[]), "/sign-in");
    leads_to(&first.get("/"), "/sign-in");
    assert_eq!(second.get("/").status, 200);
    let everywhere = third.fill_in("/", "/sign-out-everywhere", &[]);
    leads_to(&everywhere, "/sign-in");
    leads_to(&second.get("/"), "/sign-in");
    assert_eq!(bob.get("/").status, 200);
}

#[test]
fn a_user_that_is_removed_or_gets_another_password_is_signed_out_at_once() {
    let page = alone(&[]);
    let (alice, bob) = (page.user("alice", "operator"), page.user("bob", "viewer"));
    page.order(&["user", "password", "bob"], "another password")
        .success();
    leads_to(&bob.get("/"), "/sign-in");
    assert_eq!(alice.get("/").status, 200);
    page.order(&["user", "remove", "alice"], "").success();
    leads_to(&alice.get("/"), "/sign-in");
    leads_to(&page.sign_in("bob", "another password"), "/");
    let listed = page.order(&["user", "list"], "").success();
    assert_eq!(listed, "viewer    bob\n");
}

#[test]
fn a_weak_password_is_taken_only_where_that_is_said() {
    let page = alone(&[]);
    let refused = page.order(&["user", "add", "test"], "test");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("too short"), "{refused:?}");
    let add = ["user", "add", "test", "--allow-weak-password"];
    page.order(&add, "test").success();
    leads_to(&page.sign_in("test", "test"), "/");
}

#[test]
fn guessing_gets_slower_and_slower_and_the_right_password_still_gets_in() {
    let page = alone(&[]);
    page.add_user("alice", "operator", "correct horse battery");
    let guess = |number: usize| {
        let begun = Instant::now();
        let answer = page.sign_in("alice", &format!("guess number {number}"));
        assert_eq!(answer.status, 403, "{answer:?}");
        begun.elapsed()
    };
    let waited: Vec<_> = (0..6).map(guess).collect();
    // Three are free; the next ones wait for 0.25, 0.5 and 1 s.
    assert!(waited[3] >= Duration::from_millis(250), "{waited:?}");
    assert!(waited[4] >= Duration::from_millis(500), "{waited:?}");
    assert!(waited[5] >= Duration::from_secs(1), "{waited:?}");
    let answer = page.sign_in("alice", "correct horse battery");
    leads_to(&answer, "/");
    assert!(!page.process().log().contains("guess number"));
}
