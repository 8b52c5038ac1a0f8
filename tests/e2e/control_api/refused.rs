//! Who may not ask for what, and requests that are wrong: an error with the right status, in one
//! line of JSON, and nothing changed.

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::http::Request;
use harness::raw::message::startup;
use harness::raw::rows;
use harness::raw::tls::Hello;
use harness::{Chain, Keys};

use super::{both, error, error_line, ok, start};

#[test]
fn a_client_that_may_not_create_zones_gets_403() {
    let keys = Keys::new();
    keys.add_client("app");
    let link = Chain::builder()
        .connector("local_api.zones = true")
        .start_link(&keys);
    let before = keys.keymaker(&["zone", "list"]).success();
    for request in [Request::post("/v1/zones"), Request::get("/getNewZone")] {
        for response in both(&keys, &link, &request) {
            error(&response, 403, "no create_zones");
        }
    }
    assert_eq!(keys.keymaker(&["zone", "list"]).success(), before);
}

#[test]
fn a_connector_creates_zones_only_where_its_configuration_says_so() {
    let keys = Keys::new();
    keys.add_zone_creator("app");
    let zone = keys.add_zone(&["app"]);
    let link = Chain::builder().start_link(&keys);
    let before = keys.keymaker(&["zone", "list"]).success();
    for request in [Request::post("/v1/zones"), Request::get("/getNewZone")] {
        let said = error(
            &link.connector.api(&request),
            403,
            "local_api.zones = false",
        );
        assert!(said.contains("local_api.zones"), "{said}");
    }
    assert_eq!(keys.keymaker(&["zone", "list"]).success(), before);
    // It still tells the keys of those there are.
    let path = format!("/v1/zones/{}", zone.owner().id());
    assert_eq!(link.connector.api(&Request::get(&path)).status, 200);
}

/// The status of an answer, its body or none aside: a HEAD has a length and no body.
fn status_of(port: u16, method: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let body = r#"{"id": "tenant-42"}"#;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         X-HTTP-Method-Override: POST\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).map(str::parse);
    status
        .unwrap_or_else(|| panic!("{method} {path}: {answer}"))
        .unwrap()
}

#[test]
fn no_spelling_of_a_request_creates_a_zone_at_a_connector_that_creates_none() {
    let keys = Keys::new();
    keys.add_zone_creator("app");
    let off = ["", "local_api.zones = false"];
    let links = off.map(|line| {
        let builder = Chain::builder();
        let builder = match line {
            "" => builder,
            line => builder.connector(line),
        };
        builder.start_link(&keys)
    });
    let before = keys.keymaker(&["zone", "list"]).success();
    let paths = [
        "/v1/zones",
        "/v1/zones/",
        "/v1/zones?",
        "/v1/zones?id=tenant-42",
        "/v1/zones#new",
        "//v1/zones",
        "/v1//zones",
        "/v1/./zones",
        "/v1/client/../zones",
        "/v1/zones/tenant-42",
        "/v1/zones/..",
        "/v1/zones/%2e%2e%2fzones",
        "/v1%2fzones",
        "/v1/%7aones",
        "/V1/ZONES",
        "/getNewZone",
        "/getNewZone/",
        "/getNewZone?",
        "/getnewzone",
        "/%67etNewZone",
        "/v1/getNewZone",
        "http://localhost/v1/zones",
        "http://localhost/getNewZone",
    ];
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "post", "TRACE",
    ];
    for link in &links {
        for path in paths {
            for method in methods {
                let status = status_of(link.connector.api_port(), method, path);
                assert!(status >= 400, "{method} {path}: {status}");
            }
        }
    }
    assert_eq!(keys.keymaker(&["zone", "list"]).success(), before);
}

#[test]
fn a_zone_of_other_clients_is_as_unknown_as_one_that_does_not_exist() {
    let (keys, link) = start();
    keys.add_client("other");
    let theirs = keys.add_zone(&["other"]);
    let everybodys = keys.add_zone(&["*"]);
    let ask = |id: &str| both(&keys, &link, &Request::get(&format!("/v1/zones/{id}")));
    let missing = ask("DDDDDDDDabcdefghijklmnop");
    let theirs = ask(theirs.owner().id());
    for (missing, theirs) in missing.iter().zip(&theirs) {
        error(theirs, 404, "another client's zone");
        assert_eq!((missing.status, missing.text()), (404, theirs.text()));
    }
    ok(&ask(everybodys.owner().id()));
}

#[test]
fn each_role_may_do_its_own() {
    let (keys, link) = start();
    let zone = keys.add_zone(&["app"]);
    let of_zone = format!("/v1/zones/{}", zone.owner().id());
    let identities = [
        keys.admin_identity("root"),
        keys.server_identity("replica"),
        // A client that is not in the store.
        keys.client_identity("stranger"),
    ];
    let requests = [
        (Request::get("/v1/status"), [200, 200, 200]),
        (Request::get("/v1/client"), [403, 403, 404]),
        (Request::get(&of_zone), [200, 403, 404]),
        (Request::post("/v1/zones"), [403, 403, 403]),
        (Request::get("/v1/settings"), [200, 200, 403]),
        (Request::post("/v1/settings"), [400, 403, 403]),
        (Request::get("/getNewZone"), [403, 403, 403]),
    ];
    for (request, statuses) in &requests {
        for (identity, status) in identities.iter().zip(statuses) {
            let response = link.server.control(identity, request);
            let case = format!("{request:?} as {}", identity.certificate.display());
            if *status == 200 {
                assert_eq!(response.status, 200, "{case}: {response:?}");
            } else {
                error(&response, *status, &case);
            }
        }
    }
}

#[test]
fn web_pages_are_kept_out_of_the_local_api() {
    let (keys, link) = start();
    let before = keys.keymaker(&["zone", "list"]).success();
    let requests = [
        Request::get("/v1/client"),
        Request::post("/v1/zones"),
        Request::get("/metrics"),
    ];
    for request in &requests {
        for (name, value) in [
            ("Origin", "https://elsewhere.example"),
            ("Origin", "http://localhost"),
            ("Origin", "null"),
            ("Host", "elsewhere.example"),
            ("Host", "localhost.elsewhere.example"),
            ("Host", "10.1.2.3:9191"),
            ("Host", ""),
        ] {
            let asked = request.clone().header(name, value);
            error(
                &link.connector.api(&asked),
                403,
                &format!("{name}: {value}"),
            );
        }
    }
    assert_eq!(keys.keymaker(&["zone", "list"]).success(), before);
    for host in ["localhost:9191", "127.0.0.1", "[::1]:9191"] {
        let asked = Request::get("/v1/client").header("Host", host);
        assert_eq!(link.connector.api(&asked).status, 200, "{host}");
    }
}

#[test]
fn a_request_that_is_wrong_gets_a_line_in_json_that_says_so() {
    let (keys, link) = start();
    let before = keys.keymaker(&["zone", "list"]).success();
    let zones = |body: &str| Request::post("/v1/zones").body(body);
    let id = |id: &str| Request::get(&format!("/v1/zones/{id}"));
    let padded = format!(r#"{{"id": "{}"}}"#, "a".repeat(70_000));
    let cases = [
        (404, Request::get("//")),
        (404, Request::get("/v1")),
        (404, Request::get("/v1/keys")),
        (404, Request::get("/v1/status/")),
        (404, Request::get("/V1/STATUS")),
        (405, Request::post("/v1/status")),
        (405, Request::new("DELETE", "/v1/client")),
        (405, Request::get("/v1/zones")),
        (405, Request::post("/v1/zones/tenant-42")),
        (405, Request::post("/getNewZone")),
        (400, zones("{")),
        (400, zones("[]")),
        (400, zones(r#" ["tenant-42"]"#)),
        (400, zones("\"tenant-42\"")),
        (400, zones(r#"{"id": 7}"#)),
        (400, zones(r#"{"id": "short"}"#)),
        (400, zones(r#"{"id": "12345678"}"#)),
        (400, zones(r#"{"id": "tenant 42"}"#)),
        (400, zones(r#"{"id": "tenant-42", "clients": ["*"]}"#)),
        (400, zones(r#"{"id": "tenant-42"} {}"#)),
        (400, zones("\u{0}")),
        (400, Request::post("/v1/zones").body([0xff, 0xfe])),
        (413, zones(&padded)),
        (404, id("nosuchzone")),
        (404, id("short")),
        (404, id(&"a".repeat(1000))),
        // Ways out of the path, as they stand and encoded.
        (404, id("..")),
        (404, id("../client")),
        (404, id("..%2Fclient")),
        (404, id("%2e%2e%2fclient")),
        (404, id("..%5cclient")),
        (404, id("tenant-42%00")),
        (404, id("tenant-42%3Fa=b")),
        (404, id("tenant-42%23a")),
        (404, id("tenant-42%0d%0aX-A:%20b")),
        (404, id("%")),
        (404, id("%ff%fe")),
        (404, id("tenant-42/")),
        (404, id("%E2%82%AC%E2%82%AC%E2%82%AC")),
    ];
    let mut wrong = Vec::new();
    for (status, request) in &cases {
        for (way, response) in ["server", "connector"]
            .iter()
            .zip(both(&keys, &link, request))
        {
            if error_line(&response, *status).is_none() {
                let case: String = format!("{request:?}").chars().take(100).collect();
                let body = response.body.escape_ascii();
                wrong.push(format!("{way}: {case}: {} {body}\n", response.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert_eq!(keys.keymaker(&["zone", "list"]).success(), before);
}

#[test]
fn a_server_that_is_gone_is_a_502_of_the_connector() {
    let (_keys, link) = start();
    link.server.process().kill();
    let said = error(
        &link.connector.api(&Request::get("/v1/client")),
        502,
        "no server",
    );
    assert!(said.contains("log"), "{said}");
}

#[test]
fn a_session_and_the_control_api_tell_each_other_apart_by_alpn_alone() {
    let (keys, link) = start();
    let app = keys.client_identity("app");
    // HTTP where PostgreSQL is spoken is no start-up packet; PostgreSQL where HTTP is, no request.
    let hello = Hello::from(&app);
    let mut as_data = hello.connect(link.server.port()).unwrap();
    as_data.send("GET /v1/client HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (received, _) = as_data.read_to_end();
    assert!(
        !received.starts_with(b"HTTP"),
        "{}",
        received.escape_ascii()
    );
    let mut as_http = hello
        .alpn(&["http/1.1"])
        .connect(link.server.port())
        .unwrap();
    as_http.send(startup(&[("user", "postgres")]));
    let (received, _) = as_http.read_to_end();
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 400"),
        "{text}"
    );
    let mut session = link.address().raw();
    session.start();
    assert_eq!(rows(&session.query("select 1")).len(), 1);
}
