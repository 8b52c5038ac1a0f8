//! What operators are shown of listeners and servers: `/v1/servers`, and the page that shows it.

use std::thread;
use std::time::Duration;

use harness::http::{Request, Response};
use harness::raw::message;
use harness::{Chain, Connector, Keys, Nodes, Several, Signal, Tap, browse, until};
use serde_json::{Value, json};

use super::{all_up, session};

fn shown(connector: &Connector) -> Value {
    connector.api(&Request::get("/v1/servers")).json()
}

/// Waits until the server of this number is shown as this says, and gives all that is shown.
#[track_caller]
fn until_shown(connector: &Connector, number: usize, is: impl Fn(&Value) -> bool) -> Value {
    until("the server to be shown as it is", || {
        let shown = shown(connector);
        is(&shown["servers"][number]).then_some(shown)
    })
}

#[test]
fn servers_are_shown_as_they_are_with_their_sessions_and_failures() {
    let several = Several::start(2, &[], &["warm_tunnels = 2"]);
    all_up(&several);
    let address = |number: usize| format!("127.0.0.1:{}", several.servers[number].port());
    let _session = session(&several);
    until("tunnels to wait again", || {
        (several.connector.counted("warm_tunnels") == 4).then_some(())
    });
    let before = until_shown(&several.connector, 0, |it| it["speaks"] == true);
    for (number, server) in before["servers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(server["address"], json!(address(number)));
        let expected = json!({
            "state": "up", "availability": "accepting", "distrusted": false, "weight": 1,
            "backup": false, "max_connections": null, "warm_tunnels": 2, "checks_failed": 0,
            "connects_failed": 0, "last_failure": null, "role": null,
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&server[key], value, "{key} of {server}");
        }
        let change = server["last_change"]["what"].as_str().unwrap();
        assert_eq!(change, format!("{} is up", address(number)));
    }
    let sessions = |number: usize| before["servers"][number]["sessions"].as_u64().unwrap();
    assert_eq!(sessions(0) + sessions(1), 1);
    let listener = &before["listeners"][0];
    assert_eq!(listener["target"], "any");
    assert_eq!(listener["policy"], "round-robin");
    assert_eq!(
        (&listener["sessions"], &listener["queued"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(listener["served_by"], json!([address(0), address(1)]));

    several.servers[0].process().kill();
    let after = until_shown(&several.connector, 0, |it| it["state"] == "down");
    let killed = &after["servers"][0];
    let change = killed["last_change"]["what"].as_str().unwrap();
    assert!(
        change.starts_with(&format!("{} is down: ", address(0))),
        "{change}"
    );
    assert!(killed["last_change"]["at"].as_str().unwrap() <= after["now"].as_str().unwrap());
    assert!(killed["checks_failed"].as_u64() > Some(0), "{killed}");
    let failure = killed["last_failure"]["what"].as_str().unwrap();
    assert!(failure.contains(&address(0)), "{failure}");
    assert_eq!(killed["speaks"], false);
    assert_eq!(after["servers"][1]["state"], "up");
    assert_eq!(after["listeners"][0]["served_by"], json!([address(1)]));
}

#[test]
fn a_server_that_drains_is_shown_as_draining_and_serves_no_listener() {
    let several = Several::start(1, &[], &[]);
    all_up(&several);
    let mut stays = session(&several);
    several.servers[0].process().signal(Signal::TERM);
    let shown = until_shown(&several.connector, 0, |it| it["availability"] == "draining");
    assert_eq!(shown["servers"][0]["sessions"], 1);
    assert_eq!(shown["listeners"][0]["served_by"], json!([]));
    stays.send(message::terminate());
}

#[test]
fn roles_lags_and_a_primary_that_was_replaced_are_shown() {
    let nodes = Nodes::start(&["target=primary", "target=replica max_lag=1MiB"], &[]);
    let address = |number: usize| format!("127.0.0.1:{}", nodes.servers[number].port());
    let is_near = |it: &Value| it["role"] == "replica" && it["lag_bytes"] == 0;
    let shown = until_shown(&nodes.connector, 1, is_near);
    let primary = &shown["servers"][0];
    assert_eq!(
        (&primary["role"], &primary["timeline"]),
        (&json!("primary"), &json!(1))
    );
    assert_eq!(primary["lag_bytes"], Value::Null);
    assert_eq!(shown["listeners"][0]["served_by"], json!([address(0)]));
    assert_eq!(shown["listeners"][1]["served_by"], json!([address(1)]));
    assert_eq!(shown["listeners"][1]["max_lag"], "1MiB");

    let (first, second) = (&nodes.pair.primary, &nodes.pair.replica);
    second.query("select pg_wal_replay_pause()");
    first.query(
        "create table bulk as select repeat(md5(i::text), 30) from generate_series(1, 4000) i",
    );
    let is_far = |it: &Value| it["lag_bytes"].as_u64() > Some(1 << 20);
    let shown = until_shown(&nodes.connector, 1, is_far);
    assert_eq!(shown["listeners"][1]["served_by"], json!([]));
    second.query("select pg_wal_replay_resume()");
    nodes.pair.wait_for_replay();
    until_shown(&nodes.connector, 1, |it| it["lag_ms"] == 0);
    second.query("select pg_wal_replay_pause()");
    first.query("insert into bulk select * from bulk");
    let is_late = |it: &Value| is_far(it) && it["lag_ms"].as_u64() > Some(0);
    until_shown(&nodes.connector, 1, is_late);

    second.query("select pg_wal_replay_resume()");
    nodes.pair.wait_for_replay();
    second.query("select pg_promote(false)");
    let shown = until_shown(&nodes.connector, 0, |it| it["distrusted"] == true);
    let change = shown["servers"][0]["last_change"]["what"].as_str().unwrap();
    assert!(
        change.contains("claims to be primary on timeline 1"),
        "{change}"
    );
    assert_eq!(shown["servers"][1]["timeline"], 2);
    assert_eq!(shown["listeners"][0]["served_by"], json!([address(1)]));
}

#[test]
fn of_the_only_server_there_is_shown_what_it_says_itself() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder()
        .connector("warm_tunnels = 3")
        .start_link(&keys);
    let shown = until_shown(&link.connector, 0, |it| it["warm_tunnels"] == 3);
    let server = &shown["servers"][0];
    assert_eq!(server["state"], "unchecked");
    assert_eq!(server["state_for_ms"], Value::Null);
    until_shown(&link.connector, 0, |it| it["speaks"] == true);
    link.server.process().kill();
    until_shown(&link.connector, 0, |it| {
        it["speaks"] == false && it["warm_tunnels"] == 0
    });
}

/// The page that a browser gets.
#[track_caller]
fn page(connector: &Connector) -> Response {
    let asked = Request::get("/").header("Sec-Fetch-Site", "none");
    let page = connector.api(&asked);
    assert_eq!(page.status, 200);
    page
}

#[test]
fn the_page_asks_its_connector_alone_and_other_sites_get_nothing() {
    let several = Several::start(1, &[], &[]);
    let page = page(&several.connector);
    let header = |name| page.header(name).unwrap_or_else(|| panic!("no {name}"));
    let policy = header("content-security-policy");
    for part in [
        "default-src 'none';",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self';",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    for elsewhere in ["://", "src=\"//", "href=", "url(", "@import"] {
        assert!(!page.text().contains(elsewhere), "{elsewhere}");
    }
    for path in ["/", "/v1/servers", "/v1/sessions"] {
        let ask = |name, value| {
            let asked = Request::get(path).header(name, value);
            several.connector.api(&asked).status
        };
        assert_eq!(ask("Sec-Fetch-Site", "same-origin"), 200, "{path}");
        for (name, value) in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Origin", "http://evil.example"),
            ("Host", "evil.example:9191"),
        ] {
            assert_eq!(ask(name, value), 403, "{path} with {name}: {value}");
        }
    }
}

/// A page asks a few times in it.
const MOMENT: Duration = Duration::from_secs(3);

#[test]
fn a_browser_shows_which_servers_are_up_and_which_are_down() {
    let several = Several::start(2, &[], &[]);
    all_up(&several);
    let url = format!("http://127.0.0.1:{}/", several.connector.api_port());
    let addresses = several
        .servers
        .iter()
        .map(|it| format!(">127.0.0.1:{}</span>", it.port()));
    let addresses: Vec<_> = addresses.collect();
    let states = |page: &str| {
        let count = |word: &str| page.matches(&format!(">{word}</span>")).count();
        (count("up"), count("down"))
    };
    let before = browse(&url, MOMENT);
    for address in &addresses {
        assert!(before.contains(address), "{address}: {before}");
    }
    assert!(before.contains(">live</span>"), "{before}");
    assert_eq!(states(&before), (2, 0), "{before}");
    several.servers[0].process().kill();
    super::is_up(&several, several.servers[0].port(), 0);
    let after = browse(&url, MOMENT);
    assert_eq!(states(&after), (1, 1), "{after}");
    assert!(
        after.contains("is down: ") || after.contains(">down: "),
        "{after}"
    );
}

#[test]
fn a_page_that_loses_its_connector_says_so_and_goes_on_when_it_is_back() {
    /// By the page's clock. Some seconds, since it asks once in each of its own.
    const HALF_AN_HOUR: Duration = Duration::from_secs(1800);
    let several = Several::start(1, &[], &[]);
    all_up(&several);
    for comes_back in [false, true] {
        let tap = Tap::to(several.connector.api_port());
        let url = format!("http://127.0.0.1:{}/", tap.port());
        let page = thread::scope(|scope| {
            let page = scope.spawn(|| browse(&url, HALF_AN_HOUR));
            until("the page to be shown", || {
                let asked = String::from_utf8_lossy(&tap.app_to_db()).into_owned();
                (asked.matches("GET /v1/servers").count() > 1).then_some(())
            });
            tap.refuse();
            if comes_back {
                let before = tap.connections();
                until("the page to ask in vain", || {
                    (tap.connections() > before + 4).then_some(())
                });
                tap.flow();
            }
            page.join().unwrap()
        });
        let is_lost = page.contains("connector not reachable since ");
        assert_eq!(is_lost, !comes_back, "{page}");
        assert_eq!(page.contains(">live</span>"), comes_back, "{page}");
        // What was heard last stays.
        assert!(page.contains(">up</span>"), "{page}");
    }
}
