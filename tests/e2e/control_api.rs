//! The control API: on the server's own port for whoever holds a certificate, and on the
//! connector's loopback port for the applications beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::http::{Request, Response};
use harness::raw::{literal, rows};
use harness::{Chain, Keys, Link};
use serde_json::{Value, json};

/// One link, whose client may create zones by server and connector.
fn start() -> (Keys, Link) {
    let keys = Keys::new();
    keys.add_zone_creator("app");
    let chain = Chain::builder().connector("local_api.zones = true");
    let link = chain.zone_mode("on").start_link(&keys);
    (keys, link)
}

/// Both ways to ask as the client `app`.
fn both(keys: &Keys, link: &Link, request: &Request) -> [Response; 2] {
    let app = keys.client_identity("app");
    [
        link.server.control(&app, request),
        link.connector.api(request),
    ]
}

/// The line of an error. Panics if the response is not one of this status.
#[track_caller]
fn error(response: &Response, status: u16, case: &str) -> String {
    let line = error_line(response, status);
    line.unwrap_or_else(|| panic!("{case}: no error {status}: {response:?}"))
}

/// The line of an error of this status, whose body is JSON with that line and nothing else.
fn error_line(response: &Response, status: u16) -> Option<String> {
    let is_json = response.header("content-type") == Some("application/json");
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    let line = body.get("error")?.as_str()?.to_owned();
    let is_line = !line.is_empty() && !line.contains('\n');
    (response.status == status && is_json && is_line && body == json!({ "error": line }))
        .then_some(line)
}

/// What both ways answer. Panics if they do not answer the same, with 200 or 201, in JSON.
#[track_caller]
fn ok(responses: &[Response; 2]) -> Value {
    for response in responses {
        assert!(matches!(response.status, 200 | 201), "{response:?}");
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    assert_eq!(responses[0].json(), responses[1].json());
    responses[0].json()
}

#[test]
fn a_client_gets_its_own_public_key() {
    let (keys, link) = start();
    let client = ok(&both(&keys, &link, &Request::get("/v1/client")));
    let app = keys.client("app");
    let public_key = STANDARD.encode(app.public_key().as_bytes());
    let key_id = app.key_id().to_string();
    let expected = json!({
        "kind": "client", "id": "app", "public_key": public_key, "key_id": key_id, "version": 1
    });
    assert_eq!(client, expected);
}

#[test]
fn the_status_tells_how_the_server_is() {
    let (keys, link) = start();
    let _session = {
        let mut session = link.address().raw();
        session.start();
        let app = keys.client("app").seal(b"x").unwrap();
        session.query(&format!("select {}", literal(&app)));
        session
    };
    let status = ok(&both(&keys, &link, &Request::get("/v1/status")));
    let revision = status["store_revision"].as_u64().unwrap();
    let database = link.database.address().to_string();
    let expected = json!({
        "server": "primary", "version": env!("CARGO_PKG_VERSION"), "database": database,
        "zone_mode": "on", "on_refused": "ciphertext", "sessions": 1,
        "values": { "opened": 0, "refused": 1 }, "store_revision": revision, "draining": false
    });
    assert_eq!(status, expected);
    keys.add_client("another");
    let status = ok(&both(&keys, &link, &Request::get("/v1/status")));
    assert!(status["store_revision"].as_u64() > Some(revision));
}

#[test]
fn a_new_zone_is_answered_with_its_key_and_is_there_to_be_asked_for() {
    let (keys, link) = start();
    for made in both(&keys, &link, &Request::post("/v1/zones")) {
        assert_eq!(made.status, 201);
        let zone = made.json();
        let id = zone["id"].as_str().unwrap();
        assert!(id.starts_with("DDDDDDDD") && id.len() == 24, "{id}");
        assert!(
            id.bytes().skip(8).all(|byte| byte.is_ascii_alphabetic()),
            "{id}"
        );
        let recipient = keys.zone(id);
        let expected = json!({
            "kind": "zone", "id": id, "version": 1,
            "public_key": STANDARD.encode(recipient.public_key().as_bytes()),
            "key_id": recipient.key_id().to_string(),
        });
        assert_eq!(zone, expected);
        let found = ok(&both(
            &keys,
            &link,
            &Request::get(&format!("/v1/zones/{id}")),
        ));
        assert_eq!(found, zone);
    }
}

#[test]
fn a_zone_may_be_given_its_id_and_only_once() {
    let (keys, link) = start();
    let request = Request::post("/v1/zones").body(r#"{"id": "tenant-42"}"#);
    let [made, again] = both(&keys, &link, &request);
    assert_eq!(
        (made.status, &made.json()["id"]),
        (201, &json!("tenant-42"))
    );
    error(&again, 409, "the same id again");
}

#[test]
fn acras_path_answers_in_acras_shape() {
    let (keys, link) = start();
    for made in both(&keys, &link, &Request::get("/getNewZone")) {
        assert_eq!(made.status, 200);
        let zone = made.json();
        let recipient = keys.zone(zone["id"].as_str().unwrap());
        let public_key = STANDARD.encode(recipient.public_key().as_bytes());
        assert_eq!(
            zone,
            json!({ "id": recipient.owner().id(), "public_key": public_key })
        );
    }
}

#[tokio::test]
async fn a_zone_made_through_one_server_opens_at_once_through_the_other() {
    let chain = Chain::builder().creates_zones().zone_mode("on").start();
    let writer = chain.primary.connect().await;
    let reader = chain.replica.connect().await;
    writer
        .batch_execute("create table stored (zone text, value bytea)")
        .await
        .unwrap();
    // Both ways round, and the second time the servers have keys in memory.
    for round in 0..2 {
        for (maker, asked) in [
            (&chain.primary, &chain.replica),
            (&chain.replica, &chain.primary),
        ] {
            let made = maker.connector.api(&Request::post("/v1/zones"));
            let zone = made.recipient();
            let id = zone.owner().id();
            let found = asked
                .connector
                .api(&Request::get(&format!("/v1/zones/{id}")));
            assert_eq!(
                (found.status, found.json()),
                (200, made.json()),
                "round {round}"
            );
            let sealed = zone.seal(id.as_bytes()).unwrap();
            let insert = "insert into stored values ($1, $2)";
            writer.execute(insert, &[&id, &sealed]).await.unwrap();
            chain.wait_for_replay();
            for session in [&writer, &reader] {
                let select = "select zone, value from stored where zone = $1";
                let row = session.query_one(select, &[&id]).await.unwrap();
                assert_eq!(row.get::<_, &[u8]>(1), id.as_bytes(), "round {round}");
            }
        }
    }
}

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
        (404, Request::get("/")),
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
fn what_follows_the_path_or_comes_with_a_get_changes_nothing() {
    let (keys, link) = start();
    let expected = ok(&both(&keys, &link, &Request::get("/v1/client")));
    for request in [
        Request::get("/v1/client?id=other"),
        Request::get("/v1/client?"),
        Request::get("/v1/client").body(r#"{"id": "other"}"#),
    ] {
        assert_eq!(ok(&both(&keys, &link, &request)), expected, "{request:?}");
    }
    let zone = keys.add_zone(&["app"]);
    let path = format!("/v1/zones/{}?id=other", zone.owner().id());
    let found = ok(&both(&keys, &link, &Request::get(&path)));
    assert_eq!(found["id"], zone.owner().id());
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
    let hello = harness::raw::tls::Hello::from(&app);
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
    as_http.send(harness::raw::message::startup(&[("user", "postgres")]));
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
