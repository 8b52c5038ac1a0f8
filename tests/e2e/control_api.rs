//! The control API: on the server's own port for whoever holds a certificate, and on the
//! connector's loopback port for the applications beside it.

mod described;
mod fuzzed;
mod owners;
mod refused;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::http::{Request, Response};
use harness::raw::literal;
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

/// Takes a field out of an object.
fn take(object: &mut Value, field: &str) -> Value {
    let taken = object.as_object_mut().unwrap().remove(field);
    taken.unwrap_or_else(|| panic!("no {field}: {object}"))
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
    let [of_server, of_connector] = both(&keys, &link, &Request::get("/v1/status"));
    let mut status = of_server.json();
    let revocations = take(&mut status, "revocations");
    let certificates = take(&mut status, "certificates");
    let mut through = of_connector.json();
    assert_eq!(take(&mut through, "certificates"), certificates);
    for said in [revocations, take(&mut through, "revocations")] {
        assert_eq!(said["standing"], "fresh");
        assert_eq!(said["revoked"], 0);
        assert!(said["age_ms"].as_u64() < Some(2_000), "{said}");
    }
    let place = keys.store().display().to_string();
    for said in [take(&mut status, "store"), take(&mut through, "store")] {
        assert_eq!(said["place"], place);
        assert!(said["age_seconds"].as_u64() < Some(3), "{said}");
        assert_eq!(said["max_stale_seconds"], 600);
        assert_eq!(said["moved_to"], Value::Null);
    }
    let own = take(&mut through, "connector");
    for said in [&certificates, &own["certificates"]] {
        let year = |name: &str| said[name].as_str().unwrap()[..4].parse::<u32>().unwrap();
        // As pgseal-keymaker makes them: for a year, by a CA that lives longer.
        assert!(year("expires") < year("ca_expires"), "{said}");
    }
    assert_ne!(own["certificates"]["serial"], certificates["serial"]);
    assert_eq!(own["revocations"]["revoked"], 0);
    assert_eq!(through, status);
    let revision = status["store_revision"].as_u64().unwrap();
    assert_eq!(take(&mut status, "master_key").as_str().unwrap().len(), 16);
    assert_eq!(take(&mut status, "master_key_outdated"), false);
    let settings = json!({ "number": 0, "taken": 0, "problem": null });
    assert_eq!(take(&mut status, "settings"), settings);
    let owners = take(&mut status, "owners");
    assert_eq!(owners[0]["owner"], "client/app");
    assert_eq!(owners[0]["opened"], 0);
    assert_eq!(owners[0]["refused"], json!({ "zone_mode": 1 }));
    let access = take(&mut status, "access");
    assert_eq!(access[0]["client"], "app");
    assert_eq!(access[0]["owners"], owners);
    let (opens, refuses) = (
        json!({ "opened": 1, "refused": 0 }),
        json!({ "opened": 0, "refused": 1 }),
    );
    let by_zone_mode = json!({ "off": opens, "on": refuses, "mixed": opens });
    assert_eq!(take(&mut status, "by_zone_mode"), by_zone_mode);
    let database = link.database.address().to_string();
    let expected = json!({
        "server": "primary", "version": env!("CARGO_PKG_VERSION"), "database": database,
        "zone_mode": "on", "on_refused": "ciphertext", "sessions": 1,
        "values": { "opened": 0, "refused": 1 }, "store_revision": revision, "draining": false,
        "standing": {
            "availability": "accepting", "database": null, "sessions": 1, "settings": 0
        }
    });
    assert_eq!(status, expected);
    keys.add_client("another");
    let status = link.connector.api(&Request::get("/v1/status")).json();
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
