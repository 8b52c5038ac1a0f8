//! The three listeners that speak HTTP: requests a web page had a browser send, and requests that
//! never get whole.

use std::env;
use std::time::Duration;

use harness::Chain;
use harness::http::Request;
use harness::raw::tls::Hello;
use harness::raw::{Session, Stream};

use super::Stand;

fn start() -> Stand {
    Stand::start(&Chain::builder().connector("local_api.zones = true"))
}

#[test]
fn a_zone_is_not_created_for_a_page_of_another_site() {
    let stand = start();
    let before = stand.keys.keymaker(&["zone", "list"]).success();
    let ways = [Request::get("/getNewZone"), Request::post("/v1/zones")];
    let ask = |way: &Request, site: &str| {
        let asked = way.clone().header("Sec-Fetch-Site", site);
        stand.link.connector.api(&asked).status
    };
    for way in &ways {
        for site in ["cross-site", "same-site", "nonsense"] {
            assert_eq!(ask(way, site), 403, "{way:?} from {site}");
        }
    }
    assert_eq!(stand.keys.keymaker(&["zone", "list"]).success(), before);
    // What the user's own doing is, and what a program sends that knows no sites.
    for way in &ways {
        assert!(ask(way, "none") < 300, "{way:?}");
        assert!(stand.link.connector.api(way).status < 300, "{way:?}");
    }
}

/// How long a request may take to get whole, with time to spare.
const LIMIT: Duration = Duration::from_secs(45);

/// Half a request: one whose head breaks off, and one whose body does.
fn halves(path: &str) -> [(&'static str, Vec<u8>); 2] {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n");
    [
        ("half a head", head.clone().into_bytes()),
        ("half a body", format!("{head}\r\n{{\"id\": ").into_bytes()),
    ]
}

#[test]
fn a_request_of_which_the_rest_never_comes_is_given_up() {
    if env::var_os("PGSEAL_TEST_LONG").is_none() {
        println!("it takes half a minute: left to a long run");
        return;
    }
    let stand = start();
    let plain = |port| Session::connect(([127, 0, 0, 1], port).into()).boxed();
    let control = || {
        let hello = Hello::from(&stand.keys.client_identity("app")).alpn(&["http/1.1"]);
        hello.connect(stand.link.server.port()).unwrap().boxed()
    };
    let mut waiting = Vec::new();
    for (case, half) in halves("/v1/zones") {
        waiting.push((format!("control API, {case}"), half.clone(), control()));
        let connector = plain(stand.link.connector.api_port());
        waiting.push((format!("connector, {case}"), half, connector));
    }
    for (case, half) in halves("/metrics") {
        waiting.push((
            format!("ops, {case}"),
            half,
            plain(stand.link.server.ops_port()),
        ));
    }
    for (_, half, session) in &mut waiting {
        session.set_timeout(LIMIT);
        session.send(half);
    }
    let ended = |(case, _, session): (String, Vec<u8>, Session<Box<dyn Stream>>)| {
        let heard = session.last_words(&case);
        let status = heard.get(9..12).unwrap_or(b"400");
        assert!(status < &b"500"[..], "{case}: {}", heard.escape_ascii());
    };
    // One after another will do: all of them have been waiting since.
    waiting.into_iter().for_each(ended);
    assert_eq!(
        stand.link.connector.api(&Request::get("/v1/client")).status,
        200
    );
}
