//! Zones and clients on the page.

mod deadlines;

use harness::{Browser, Keys, Tab};

use super::accessible::{axe, has_no_barrier};
use super::*;

/// A page over two servers of which the first is not there, and a store with the client `app`.
struct Owners {
    page: Webconfig,
    keys: Keys,
    _link: Link,
}

impl Owners {
    fn start() -> Self {
        let keys = Keys::new();
        keys.add_client("app");
        let link = Chain::builder().zone_mode("on").start_link(&keys);
        let (nowhere, port) = (harness::free_port(), link.server.port());
        let servers = [nowhere.number(), port];
        Self {
            page: Webconfig::start(&keys.admin_identity("page"), &servers, &[]),
            keys,
            _link: link,
        }
    }

    /// Who did the last of this in the audit log.
    fn author_of(&self, event: &str) -> String {
        let listed = self.keys.keymaker(&["audit", "list", "--json"]).success();
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
        let last = listed.iter().rev().find(|it| it["what"]["event"] == event);
        let last = last.unwrap_or_else(|| panic!("no {event}: {listed:?}"));
        last["by"].as_str().unwrap().to_owned()
    }
}

/// Sends the form of a zone's page, and gives what its next page shows.
#[track_caller]
fn zone(browser: &Browser, id: &str, fields: &[(&str, &str)]) -> String {
    let path = format!("/zones/{id}");
    let answer = browser.fill_in(&path, &path, fields);
    leads_to(&answer, &path);
    browser.get(&path).text().to_owned()
}

#[track_caller]
fn says(page: &str, text: &str) {
    assert!(page.contains(text), "{text:?} is not in {page}");
}

#[test]
fn an_operator_makes_a_zone_says_who_may_open_it_and_gives_writers_its_key() {
    let stand = Owners::start();
    let alice = stand.page.user("alice", "operator");
    let new = [("id", "tenant-1"), ("clients", " app, ")];
    let made = alice.fill_in("/zones", "/zones", &new);
    leads_to(&made, "/zones/tenant-1");
    says(
        alice.get("/zones/tenant-1").text(),
        "Zone tenant-1 is there.",
    );
    assert!(
        stand
            .author_of("zone-added")
            .starts_with("admin page for alice through server ")
    );
    let taken = alice.fill_in("/zones", "/zones", &new);
    leads_to(&taken, "/zones");
    says(
        alice.get("/zones").text(),
        "Nothing was changed: zone tenant-1 exists already",
    );

    let shown = zone(&alice, "tenant-1", &[("what", "revoke"), ("client", "app")]);
    says(&shown, "Nobody may open its values.");
    let shown = zone(
        &alice,
        "tenant-1",
        &[("what", "grant"), ("client", "nobody")],
    );
    says(&shown, "Nothing was changed: there is no client nobody");
    let hostile = "<script>alert(1)</script>";
    let shown = zone(
        &alice,
        "tenant-1",
        &[("what", "grant"), ("client", hostile)],
    );
    says(&shown, "Nothing was changed: client: ");
    assert!(!shown.contains("<script>alert"), "{shown}");
    let new = [
        ("id", "re.po:rt@s-1_"),
        ("zones_per_day", "7"),
        ("create_zones", "true"),
    ];
    leads_to(
        &alice.fill_in("/clients", "/clients", &new),
        "/clients/re.po:rt@s-1_",
    );
    says(
        alice.get("/clients/re.po:rt@s-1_").text(),
        "creates up to 7 a day",
    );
    let shown = zone(
        &alice,
        "tenant-1",
        &[("what", "grant"), ("client", "re.po:rt@s-1_")],
    );
    says(&shown, "re.po:rt@s-1_ may open its values.");

    // Two rotate what they both saw: there is one new key.
    let rotate = [("what", "rotate"), ("version", "1")];
    says(
        &zone(&alice, "tenant-1", &rotate),
        "Key version 2 is active.",
    );
    says(
        &zone(&alice, "tenant-1", &rotate),
        "is version 2, and not 1 any more",
    );
    let vera = stand.page.user("vera", "viewer");
    for (path, name, export) in [
        ("/zones/tenant-1", "zone-tenant-1", ["--zone", "tenant-1"]),
        ("/clients/app", "client-app", ["--client", "app"]),
    ] {
        let file = vera.get(&format!("{path}/key.json"));
        let disposition = format!("attachment; filename=\"{name}.json\"");
        assert_eq!(file.header("content-disposition"), Some(&*disposition));
        let exported = [&["key", "export-public"][..], &export].concat();
        assert_eq!(file.text(), stand.keys.keymaker(&exported).success());
        let shown = vera.get(path);
        assert!(
            !shown.text().contains(&format!("action=\"{path}\"")),
            "{path}"
        );
    }
}

#[test]
fn owners_are_searched_by_the_beginning_of_their_ids_and_what_is_not_there_is_said() {
    let stand = Owners::start();
    let vera = stand.page.user("vera", "viewer");
    let store = keystore::Store::open(
        stand.keys.store(),
        keystore::MasterKey::from_file(&stand.keys.master_key_file()).unwrap(),
    )
    .unwrap();
    let ids: Vec<envelope::ZoneId> = (10..70)
        .map(|number| format!("tenant-{number}").parse().unwrap())
        .collect();
    let everybody = keystore::Permitted::All;
    store
        .by("a test")
        .import_zones(&ids, &everybody, |_| Ok(()))
        .unwrap();
    let first = vera.get("/zones?q=tenant");
    says(first.text(), "href=\"/zones/tenant-10\"");
    says(first.text(), "href=\"/zones/tenant-59\"");
    assert!(!first.text().contains("href=\"/zones/tenant-60\""));
    says(
        first.text(),
        "href=\"/zones?q=tenant&#38;after=tenant-59\" rel=\"next\"",
    );
    let second = vera.get("/zones?q=tenant&after=tenant-59");
    says(second.text(), "href=\"/zones/tenant-69\"");
    assert!(!second.text().contains("rel=\"next\""));
    let one = vera.get("/zones?q=tenant-33");
    assert_eq!(one.text().matches("href=\"/zones/tenant-").count(), 1);

    let hostile = vera.get("/zones?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    assert_eq!(hostile.status, 200);
    assert!(
        !hostile.text().contains("<script>alert"),
        "{}",
        hostile.text()
    );
    says(hostile.text(), "id begins with “&#34;&#62;&#60;script&#62;");
    let long = vera.get(&format!("/zones?q={}", "a".repeat(200)));
    says(long.text(), "longer than 128 bytes");
    says(vera.get("/zones?after=%ff").text(), "after: ");
    for (path, status) in [
        ("/zones/tenant-99", 404),
        ("/zones/short", 404),
        ("/zones/%2e%2e%2fclients", 404),
        ("/zones/a%0d%0aSet-Cookie:%20b", 404),
        ("/zones/%ff", 404),
        ("/zones/tenant-99/key.json", 404),
        ("/zones/tenant-10/private.json", 404),
        ("/clients/nobody", 404),
        ("/clients/%3Cscript%3E", 404),
        ("/clients/nobody/key.json", 404),
    ] {
        let answer = vera.get(path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(!answer.text().contains("<script>"), "{path}");
    }
}

#[test]
fn where_there_are_two_operators_one_asks_for_a_destruction_and_the_other_confirms_it() {
    let stand = Owners::start();
    let alice = stand.page.user("alice", "operator");
    for id in ["tenant-1", "tenant-2"] {
        let new = [("id", id), ("clients", "*")];
        leads_to(
            &alice.fill_in("/zones", "/zones", &new),
            &format!("/zones/{id}"),
        );
    }
    let destroy = |confirm| [("what", "destroy"), ("grace", "30"), ("confirm", confirm)];
    // One alone types its id.
    let shown = zone(&alice, "tenant-1", &destroy("tenant-2"));
    says(
        &shown,
        "Nothing was changed: what was typed is not the zone&#39;s id.",
    );
    let shown = zone(&alice, "tenant-1", &destroy("tenant-1"));
    says(&shown, "it is destroyed when servers have run for 30 days.");
    says(&shown, "To be destroyed");
    let key = alice.get("/zones/tenant-1/key.json");
    assert_eq!(key.status, 410, "{key:?}");
    says(
        &zone(&alice, "tenant-1", &[("what", "keep")]),
        "It is kept; its values open again.",
    );

    let bob = stand.page.user("bob", "operator");
    let shown = zone(&alice, "tenant-2", &destroy("tenant-2"));
    says(&shown, "Another operator has to confirm it now.");
    says(&shown, "You have asked for it");
    let number = harness::webconfig::hidden(&shown, "request");
    let confirm = |typed: &'static str| {
        let number = number.clone();
        move |by: &Browser| {
            let fields = [
                ("what", "confirm"),
                ("request", &*number),
                ("confirm", typed),
            ];
            zone(by, "tenant-2", &fields)
        }
    };
    let own = confirm("tenant-2")(&alice);
    says(
        &own,
        "Nothing was changed: whoever has asked for it cannot confirm it",
    );
    let twice = zone(&bob, "tenant-2", &destroy("tenant-2"));
    says(
        &twice,
        "Nothing was changed: alice has asked for it already.",
    );
    // Of what is not there nobody asks anything.
    let nowhere = destroy("tenant-9").map(|(name, it)| (name, it.to_owned()));
    let token = harness::webconfig::hidden(&shown, "token");
    let nowhere = [&nowhere[..], &[("token", token)]].concat();
    let nowhere = alice.send(harness::webconfig::post("/zones/tenant-9", &nowhere));
    leads_to(&nowhere, "/zones/tenant-9");
    says(
        alice.get("/zones").text(),
        "Nothing was changed: there is no zone tenant-9",
    );
    assert!(!alice.get("/zones").text().contains("/zones/tenant-9"));
    let list = bob.get("/zones");
    let (before, _) = list.text().split_once("<table>").unwrap();
    says(before, "alice wants it destroyed");
    let unlike = confirm("tenant-1")(&bob);
    says(
        &unlike,
        "Nothing was changed: what was typed is not the zone&#39;s id.",
    );
    let going = || {
        let shown = stand.keys.keymaker(&["zone", "show", "tenant-2", "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown.success()).unwrap();
        shown["fate"].as_str().unwrap().to_owned()
    };
    assert_eq!(going(), "kept");
    // Withdrawn, it is not confirmed any more.
    let withdraw = [("what", "withdraw"), ("request", &*number)];
    says(
        &zone(&alice, "tenant-2", &withdraw),
        "nothing is destroyed.",
    );
    says(
        &confirm("tenant-2")(&bob),
        "Nothing was changed: nobody asks for that any more.",
    );
    let again = zone(&alice, "tenant-2", &destroy("tenant-2"));
    let number = harness::webconfig::hidden(&again, "request");
    let fields = [
        ("what", "confirm"),
        ("request", &*number),
        ("confirm", "tenant-2"),
    ];
    let shown = zone(&bob, "tenant-2", &fields);
    says(&shown, "it is destroyed when servers have run for 30 days.");
    assert_eq!(going(), "destroying");
    assert!(
        stand
            .author_of("destruction-ordered")
            .starts_with("admin page for bob through")
    );
    assert!(!bob.get("/zones").text().contains("wants it destroyed"));
}

#[test]
fn where_no_server_answers_the_pages_say_so_and_nothing_is_changed() {
    let page = alone(&[]);
    let alice = page.user("alice", "operator");
    for path in ["/zones", "/clients?q=a"] {
        let shown = alice.get(path);
        assert_eq!(shown.status, 200, "{shown:?}");
        says(shown.text(), "role=\"alert\">no server answers: ");
    }
    for path in ["/zones/tenant-1", "/clients/app", "/clients/app/key.json"] {
        let answer = alice.get(path);
        assert_eq!(answer.status, 502, "{answer:?}");
        says(answer.text(), "no server answers: ");
    }
    leads_to(
        &alice.fill_in("/zones", "/zones", &[("id", ""), ("clients", "")]),
        "/zones",
    );
    says(
        alice.get("/zones").text(),
        "Nothing was changed: no server answers: ",
    );
}

#[test]
fn zones_and_clients_are_run_by_command_line() {
    let stand = Owners::start();
    let order = |arguments: &[&str]| stand.page.order(&[&["ctl"], arguments].concat(), "");
    let json = |arguments: &[&str]| {
        let answer = order(&[arguments, &["--json"]].concat()).success();
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()
    };
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let answer = order(arguments);
        assert_eq!(answer.code, Some(code), "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(says), "{arguments:?}: {answer:?}");
    };
    json(&["zones", "add", "tenant-1", "--client", "app"]);
    json(&["zones", "add", "tenant-2"]);
    // Nobody has signed in: the certificate is all that the log can name.
    assert!(
        stand
            .author_of("zone-added")
            .starts_with("admin page through server ")
    );
    json(&["clients", "add", "reports", "--create-zones"]);
    let shown = json(&["zones", "grant", "tenant-1", "reports"]);
    assert_eq!(shown["zone"]["opened_by"]["count"], 2);
    json(&["zones", "revoke", "tenant-1", "app"]);
    assert_eq!(
        json(&["zones", "rotate", "tenant-1"])["keys"][0]["version"],
        2
    );
    refused(
        &["zones", "rotate", "tenant-1", "--version", "1"],
        1,
        "and not 1 any more",
    );
    let listed = json(&["zones", "list", "--prefix", "tenant", "--limit", "1"]);
    assert_eq!(
        (&listed["zones"][0]["id"], &listed["next"]),
        (&"tenant-1".into(), &"tenant-1".into())
    );
    let text = order(&["zones", "list", "--after", "tenant-1"]).success();
    assert!(
        text.starts_with("tenant-2 ") && text.contains("opened by nobody"),
        "{text}"
    );
    refused(
        &["zones", "destroy", "tenant-1", "--confirm", "tenant-2"],
        1,
        "not the zone's id",
    );
    refused(&["zones", "destroy", "tenant-1"], 2, "--confirm");
    let short = [
        "zones",
        "destroy",
        "tenant-1",
        "--confirm",
        "tenant-1",
        "--grace",
        "1h",
    ];
    refused(&short, 1, "grace_seconds: ");
    let going = json(&["zones", "destroy", "tenant-1", "--confirm", "tenant-1"]);
    assert_eq!(going["zone"]["fate"]["state"], "destroying");
    assert_eq!(
        json(&["zones", "keep", "tenant-1"])["zone"]["fate"]["state"],
        "kept"
    );
    refused(&["zones", "show", "../clients"], 1, "no such zone");
    let client = json(&[
        "clients",
        "set",
        "reports",
        "--create-zones",
        "--zones-per-day",
        "3",
    ]);
    assert_eq!(client["client"]["zones_per_day"], 3);
    assert_eq!(
        json(&["clients", "rotate", "app"])["keys"][1]["state"],
        "open-only"
    );
    assert_eq!(json(&["clients", "list"])["clients"][0]["id"], "app");
}

#[test]
fn in_a_browser_a_zone_is_made_found_and_opened_for_a_client() {
    let stand = Owners::start();
    stand
        .page
        .add_user("alice", "operator", "correct horse battery");
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", stand.page.port());
    let mut tab = Tab::open(&url("/"));
    let fill = |tab: &mut Tab, fields: &[(&str, &str)], press: &str| {
        for (id, value) in fields {
            tab.eval(&format!(
                "document.getElementById('{id}').value = '{value}'"
            ));
        }
        tab.eval(&format!("document.querySelector('{press}').click()"));
    };
    let sign_in = [("name", "alice"), ("password", "correct horse battery")];
    fill(&mut tab, &sign_in, "form button");
    tab.until("document.querySelector('h1')?.textContent === 'Fleet'");
    tab.go(&url("/zones"));
    fill(
        &mut tab,
        &[("id", "tenant-1")],
        "form[action=\"/zones\"][method=post] button",
    );
    tab.until("location.pathname === '/zones/tenant-1'");
    tab.until("document.querySelector('[role=status]')?.textContent === 'Zone tenant-1 is there.'");
    fill(&mut tab, &[("client", "app")], "button[value=grant]");
    tab.until("document.querySelector('.openers a')?.textContent === 'app'");
    has_no_barrier(&mut tab, &axe(), "a zone");
    tab.go(&url("/zones"));
    fill(&mut tab, &[("q", "tenant")], "form[role=search] button");
    tab.until("location.search === '?q=tenant'");
    tab.until("document.querySelector('tbody th a')?.textContent === 'tenant-1'");
    fill(&mut tab, &[("q", "Tenant")], "form[role=search] button");
    tab.until("document.querySelector('.notice')?.textContent.includes('begins with “Tenant”')");
    // Times are the reader's, and the policy stopped nothing.
    assert_eq!(tab.complaints(), [] as [&str; 0]);
}
