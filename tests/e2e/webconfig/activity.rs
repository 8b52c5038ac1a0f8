//! The audit log on the page: in words, found again, verified, exported; and the history of settings.

use std::fs;

use envelope::ZoneId;
use harness::http::Request;
use harness::webconfig::post;
use harness::{Browser, Keys, is_long, until};
use keystore::{MasterKey, Permitted, Store};
use rusqlite::Connection;

use super::*;

/// The store, as an operator's program opens it.
fn store(keys: &Keys) -> Store {
    let master = MasterKey::from_file(&keys.master_key_file()).unwrap();
    Store::open(keys.store(), master).unwrap()
}

/// What entries of a page say, in their order: who and what.
fn entries(page: &str) -> Vec<(String, String)> {
    let cell = |row: &str, name: &str| {
        let cell = row.split_once(&format!("<td data-label=\"{name}\">"));
        cell.and_then(|(_, rest)| rest.split_once("</td>"))
            .map(|(text, _)| text.to_owned())
    };
    let rows = page.split("<tr>").skip(2);
    rows.filter_map(|row| Some((cell(row, "Who")?, cell(row, "What")?)))
        .collect()
}

/// Waits until the page says that all of the log is verified, or what is wrong with it.
#[track_caller]
fn is_verified(browser: &Browser, says: &str) {
    until("the log to be verified", || {
        let shown = browser.get("/activity");
        shown.text().contains(says).then_some(())
    });
}

const WELL: &str = "<span class=\"badge good\">verified</span>";

#[test]
fn the_log_is_told_in_words_found_again_verified_and_exported() {
    let stand = Stand::start();
    let (page, keys) = (&stand.page, &stand.chain.keys);
    let vera = page.user("vera", "viewer");
    // An id is drawn, so that it may begin with anything.
    let zone = keys.add_zone(&["app"]).owner().id().to_owned();
    page.order(&["ctl", "set", "zone_mode", "on"], "").success();
    page.order(&["ctl", "set", "zone_mode", "--reset"], "")
        .success();
    let markup = "<script>alert(1)</script>";
    store(keys)
        .by(markup)
        .add_client(&"late".parse().unwrap(), true, Some(5))
        .unwrap();
    is_verified(&vera, WELL);
    let shown = vera.get("/activity");
    let told = entries(shown.text());
    let says: Vec<_> = told.iter().map(|(_, what)| what.as_str()).collect();
    let added = format!("Zone {zone} was added, for app.");
    let expected = [
        "Client late was added; it may create 5 zones a day.",
        "zone_mode was reset; it was on.",
        "zone_mode was set to on.",
        &added,
        "Client app was added; it may not create zones.",
    ];
    assert_eq!(says[..5], expected);
    assert_eq!(*says.last().unwrap(), "The store was made.");
    assert_eq!(told[0].0, "&#60;script&#62;alert(1)&#60;/script&#62;");
    assert!(!shown.text().contains(markup));
    assert!(told[1].0.starts_with("admin page "), "{told:?}");
    let found = |filter: &str| {
        let shown = vera.get(&format!("/activity?{filter}"));
        assert_eq!(shown.status, 200, "{filter}: {shown:?}");
        entries(shown.text())
            .into_iter()
            .map(|(_, what)| what)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("event=setting-changed"), expected[1..3]);
    assert_eq!(found(&format!("about={zone}&event=")), expected[3..4]);
    assert_eq!(found(&format!("about=zone%2F{zone}")), expected[3..4]);
    assert_eq!(found("about=zone_mode&by=admin"), expected[1..3]);
    assert_eq!(found("by=%3Cscript%3E"), expected[..1]);
    assert_eq!(found("from=2020-01-01&to=2020-12-31"), [""; 0]);
    assert_eq!(found("from=2020-01-01").len(), told.len());
    assert_eq!(found("event=no-such"), [""; 0]);
    let wrong = vera.get("/activity?from=yesterday");
    assert!(wrong.text().contains("A day is written like 2026-12-31."));

    // What is exported is what the operator's program exports, and is checked by it.
    let exported = vera.get("/activity/export");
    assert_eq!(
        exported.header("content-type"),
        Some("application/x-ndjson")
    );
    let by_keymaker = keys.keymaker(&["audit", "export"]).success();
    assert_eq!(exported.text(), by_keymaker);
    let file = keys.store().with_file_name("audit.jsonl");
    fs::write(&file, &exported.body).unwrap();
    let verify = harness::Program::named("pgseal-keymaker").args(["audit", "verify", "--file"]);
    let checked = verify.arg(&file).run().success();
    assert!(checked.contains("No fault was found"), "{checked}");
}

#[test]
fn a_long_log_is_shown_a_page_at_a_time_and_verified_beside_that() {
    let stand = Stand::start();
    let count = if is_long() { 100_000 } else { 1000 };
    let ids: Vec<ZoneId> = (0..count)
        .map(|it| format!("tenant-{it:06}").parse().unwrap())
        .collect();
    let clients = Permitted::Only(["app".parse().unwrap()].into());
    let store = store(&stand.chain.keys);
    store
        .by("a test")
        .import_zones(&ids, &clients, |_| Ok(()))
        .unwrap();
    let last = store.audit_end().unwrap().number;
    let vera = stand.page.user("vera", "viewer");
    let begun = Instant::now();
    let first = vera.get("/activity");
    assert_eq!(entries(first.text()).len(), 100);
    // Whoever looks does not wait for what is verified.
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let older = |page: &str| {
        let button = page.split_once("name=\"before\" value=\"")?.1;
        button.split_once('"')?.0.parse::<u64>().ok()
    };
    let next = older(first.text()).unwrap();
    assert_eq!(next, last - 99);
    let second = vera.get(&format!("/activity?before={next}"));
    assert_eq!(entries(second.text()).len(), 100);
    assert_eq!(older(second.text()), Some(next - 100));
    let end = vera.get("/activity?before=50");
    assert_eq!((entries(end.text()).len(), older(end.text())), (49, None));
    // One of them, wherever it is.
    let found = |from: Option<u64>| {
        let before = from.map(|it| format!("&before={it}")).unwrap_or_default();
        let shown = vera.get(&format!("/activity?about=tenant-000007{before}"));
        (entries(shown.text()), older(shown.text()))
    };
    let (mut entry, mut from) = found(None);
    while entry.is_empty() && from.is_some() {
        (entry, from) = found(from);
    }
    assert_eq!(entry[0].1, "Zone tenant-000007 was added, for app.");
    is_verified(&vera, WELL);
    let lines = vera.get("/activity/export").text().lines().count();
    assert_eq!(lines as u64, last);
}

#[test]
fn an_entry_that_somebody_has_removed_is_told_of_and_stays_told() {
    let stand = Stand::start();
    let keys = &stand.chain.keys;
    let alice = stand.page.user("alice", "operator");
    is_verified(&alice, WELL);
    for _ in 0..5 {
        keys.add_zone(&["app"]);
    }
    let file = Connection::open(keys.store()).unwrap();
    let remove = "UPDATE record SET value = x'' WHERE name = 'audit/00000000000000000005'";
    assert_eq!(file.execute(remove, []).unwrap(), 1);
    is_verified(&alice, "<span class=\"badge bad\">1 fault</span>");
    let shown = alice.get("/activity");
    // By what is verified, and by what is shown.
    let says = "<li class=\"bad\">audit entry 5 was removed</li>";
    assert_eq!(shown.text().matches(says).count(), 2, "{}", shown.text());
    let found = alice.get("/activity?about=app");
    assert!(found.text().contains(says));
    let again = alice.fill_in("/activity", "/activity/verify", &[]);
    leads_to(&again, "/activity");
    is_verified(&alice, "<span class=\"badge bad\">1 fault</span>");
    let log = stand.page.process().log();
    assert!(log.contains("the audit log has faults"), "{log}");
}

#[test]
fn settings_tell_who_changed_them_when_from_what_to_what() {
    let stand = Stand::start();
    let alice = stand.page.user("alice", "operator");
    let history = |setting: &str| {
        let shown = alice.get("/settings");
        let text = shown.text();
        let begins = format!("<code>{setting}</code></h2>");
        let section = text.split_once(&begins)?.1.split_once("</section>")?.0;
        let changes = section.split("<li><span>").skip(1);
        let what = changes.filter_map(|it| Some(it.split_once("</span>")?.0.to_owned()));
        Some((what.collect::<Vec<_>>(), section.to_owned()))
    };
    until("the page to know the settings", || {
        history("zone_mode").filter(|(_, section)| section.contains("Never changed"))
    });
    for change in [
        &["zone_mode", "on"][..],
        &["on_refused", "null"],
        &["zone_mode", "mixed"],
    ] {
        stand
            .page
            .order(&[&["ctl", "set"], change].concat(), "")
            .success();
    }
    until("the changes to be told", || {
        let (changes, _) = history("zone_mode")?;
        (changes == ["on → <b>mixed</b>", "not set → <b>on</b>"]).then_some(())
    });
    stand
        .page
        .order(&["ctl", "set", "zone_mode", "--reset"], "")
        .success();
    // What is remembered is added to.
    let (changes, section) = until("the last change to be told", || {
        history("zone_mode").filter(|(changes, _)| changes.len() == 3)
    });
    assert_eq!(changes[0], "mixed → <b>reset</b>");
    assert!(section.contains("3 changes so far"), "{section}");
    assert!(section.contains("admin page through server "), "{section}");
    let (other, _) = history("on_refused").unwrap();
    assert_eq!(other, ["not set → <b>null</b>"]);
    assert_eq!(history("max_stale").unwrap().0, [""; 0]);
}

#[test]
fn the_log_is_nobodys_who_is_not_signed_in_and_no_clients_and_what_is_malformed_is_refused() {
    let stand = Stand::start();
    let page = &stand.page;
    for path in ["/activity", "/activity/export"] {
        let answer = Request::get(path).send(page.port());
        leads_to(&answer, "/sign-in");
    }
    let vera = page.user("vera", "viewer");
    let verify = |token: &str| vera.send(post("/activity/verify", &[("token", token.to_owned())]));
    assert_eq!(verify("").status, 403);
    assert_eq!(verify("x").status, 403);
    assert_eq!(vera.get("/activity/verify").status, 405);
    // Whoever changes nothing does not have it begin anew either.
    assert_eq!(
        verify(&harness::webconfig::hidden(
            vera.get("/activity").text(),
            "token"
        ))
        .status,
        403
    );
    assert!(!vera.get("/activity").text().contains("/activity/verify"));
    for (query, status) in [
        ("before=-1", 400),
        ("before=x", 400),
        ("by=%ff", 200),
        (&format!("by={}", "x".repeat(5000)), 200),
        ("from=%3Cscript%3Ealert(1)%3C%2Fscript%3E", 200),
        ("about=%22%3E%3Cscript%3Ealert(1)", 200),
        ("before=0", 200),
        ("before=18446744073709551615", 200),
    ] {
        let answer = vera.get(&format!("/activity?{query}"));
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        assert!(!answer.text().contains("<script>alert"), "{query}");
    }
    let (server, keys) = (&stand.chain.primary.server, &stand.chain.keys);
    let mark = format!("/v1/audit/verify?number=0&hash={}", "0".repeat(64));
    for path in ["/v1/audit", "/v1/audit?after=0", &mark] {
        let ask = |identity| server.control(&identity, &Request::get(path)).status;
        assert_eq!(ask(keys.admin_identity("page")), 200, "{path}");
        assert_eq!(ask(keys.client_identity("app")), 403, "{path}");
        assert_eq!(ask(keys.server_identity("primary")), 403, "{path}");
    }
    for path in [
        "/v1/audit?limit=x",
        "/v1/audit?before=-1",
        "/v1/audit?no_such=1",
        "/v1/audit?after=18446744073709551616",
        "/v1/audit/verify",
        "/v1/audit/verify?number=0",
    ] {
        let answer = server.control(&keys.admin_identity("page"), &Request::get(path));
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
}
