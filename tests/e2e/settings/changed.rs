//! Changed through a server, and by whom.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use control::{ClientError, SettingsChange};
use tunnel::{ClientTls, Expected, Material, MaterialPaths, Revoked, Role};

use super::*;

#[test]
fn a_change_holds_when_it_is_answered_and_on_every_server_within_a_second() {
    let mut stand = Stand::start();
    assert!(stand.opens(0) && stand.opens(1));
    let (keys, number) = (&stand.chain.keys, json!(0));
    let server = &stand.chain.primary.server;
    let answer = change(keys, server, "ops", &number, json!({ "zone_mode": "on" }));
    let answered = Instant::now();
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = answer.json();
    assert_eq!((&shown["number"], &shown["taken"]), (&json!(1), &json!(1)));
    let mode = setting(&shown, "zone_mode");
    assert_eq!(
        (&mode["value"], &mode["origin"]),
        (&json!("on"), &json!("store"))
    );
    assert_eq!(mode["stored"]["by"], "admin ops through server primary");
    assert_eq!(shown["last"]["by"], mode["stored"]["by"]);
    // Both sessions were open before, and idle.
    assert!(!stand.opens(0));
    while stand.opens(1) {
        assert!(answered.elapsed() <= PROMISE, "not yet on the other server");
    }
    let (keys, server) = (&stand.chain.keys, &stand.chain.replica.server);
    let answer = change(keys, server, "ops", &json!(1), json!({ "zone_mode": null }));
    assert_eq!(setting(&answer.json(), "zone_mode")["origin"], "default");
    assert!(stand.opens(1));
    soon("on the first one", || stand.opens(0));
    let verified = stand.chain.keys.keymaker(&["audit", "verify"]).success();
    assert!(verified.contains("No fault was found"), "{verified}");
}

#[test]
fn an_operators_program_changes_settings_of_running_servers() {
    let mut stand = Stand::start();
    assert!(stand.opens(0) && stand.opens(1));
    let set = ["setting", "set", "zone_mode", "on"];
    stand.chain.keys.keymaker(&set).success();
    soon("on both servers", || !stand.opens(0) && !stand.opens(1));
}

#[test]
fn a_server_that_was_away_has_what_was_changed_after_its_start() {
    let mut stand = Stand::start();
    stand.chain.replica.server.process().kill();
    let (keys, server) = (&stand.chain.keys, &stand.chain.primary.server);
    let answer = change(keys, server, "ops", &json!(0), json!({ "zone_mode": "on" }));
    assert_eq!(answer.status, 200, "{answer:?}");
    stand.chain.replica.server.restart();
    let mut session = session(&stand.chain.replica);
    assert!(!opens(&mut session, &stand.app));
    let shown = settings(&stand.chain.keys, &stand.chain.replica.server);
    assert_eq!(
        (&shown["taken"], &shown["problem"]),
        (&json!(1), &Value::Null)
    );
}

#[test]
fn of_two_operators_who_have_seen_the_same_the_second_hears_who_the_first_was() {
    let stand = Stand::start();
    let (keys, chain) = (&stand.chain.keys, &stand.chain);
    let seen = settings(keys, &chain.primary.server)["number"].clone();
    let mode = json!({ "zone_mode": "mixed" });
    let first = change(keys, &chain.primary.server, "alice", &seen, mode.clone());
    assert_eq!(first.status, 200, "{first:?}");
    let second = change(keys, &chain.replica.server, "bob", &seen, mode);
    assert_eq!(second.status, 409, "{second:?}");
    let said = second.json()["error"].as_str().unwrap().to_owned();
    let says = "the settings were changed meanwhile by admin alice through server primary (";
    assert!(said.starts_with(says), "{said}");
    let number = seen.to_string();
    let set = ["setting", "set", "zone_mode", "on", "--number", &number];
    let third = keys.keymaker(&set);
    assert!(
        third.stderr.contains(says) && third.code == Some(1),
        "{third:?}"
    );
    assert_eq!(settings(keys, &chain.replica.server)["number"], 1);
}

#[test]
fn a_request_that_is_wrong_changes_nothing_and_says_what_is_wrong() {
    let (keys, link, _) = link(&Chain::builder());
    let before = settings(&keys, &link.server);
    let post = |body: &str| {
        let request = Request::post("/v1/settings").body(body);
        let answer = link.server.control(&keys.admin_identity("ops"), &request);
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        (answer.status, said)
    };
    let long = format!(
        r#"{{"number":0,"changes":{{"zone_mode":"{}"}}}}"#,
        "x".repeat(70_000)
    );
    for (status, body, says) in [
        (400, "", "the body: "),
        (400, "[0, {}]", "the body: not an object"),
        (400, r#"{"changes":{}}"#, "the body: missing field `number`"),
        (
            400,
            r#"{"number":0,"changes":{},"force":true}"#,
            "the body: unknown field `force`",
        ),
        (
            400,
            r#"{"number":-1,"changes":{}}"#,
            "the body: invalid value",
        ),
        (
            400,
            r#"{"number":0,"changes":{"zone_mode":1}}"#,
            "the body: invalid type",
        ),
        (
            409,
            r#"{"number":7,"changes":{"zone_mode":"on"}}"#,
            "the settings were changed meanwhile",
        ),
        (
            422,
            r#"{"number":0,"changes":{"zone_mode":"On"}}"#,
            "zone_mode: `On` is none of off",
        ),
        (
            422,
            r#"{"number":0,"changes":{"listen":"x"}}"#,
            "listen: this program knows no such",
        ),
        (
            422,
            r#"{"number":0,"changes":{"a\nb":null}}"#,
            "a\nb: this program knows no such",
        ),
        (
            422,
            r#"{"number":0,"changes":{"zone_mode":"on","open_memory":"1MiB"}}"#,
            "open_memory: 1048576 bytes are too little",
        ),
        (413, &long, "the body is too long"),
    ] {
        let (found, said) = post(body);
        assert_eq!(found, status, "{body}: {said}");
        assert!(said.starts_with(says), "{body}: {said}");
    }
    assert_eq!(settings(&keys, &link.server), before);
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let (keys, link, _) = link(&Chain::builder());
    let before = settings(&keys, &link.server);
    let body = r#"{"number":0,"changes":{"zone_mode":"on"},"dry_run":true}"#;
    let request = Request::post("/v1/settings").body(body);
    let answer = link.server.control(&keys.admin_identity("ops"), &request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let mode = setting(&answer.json(), "zone_mode");
    assert_eq!(
        (&mode["value"], &mode["origin"]),
        (&json!("on"), &json!("store"))
    );
    assert_eq!(settings(&keys, &link.server), before);
}

#[tokio::test]
async fn the_client_of_the_control_api_reads_and_changes_settings() {
    let (keys, link, _) = link(&Chain::builder());
    let admin = keys.admin_identity("ops");
    let paths = MaterialPaths {
        certificate: admin.certificate,
        private_key: admin.private_key,
        ca: admin.ca,
    };
    let material = Material::load(&paths, Role::Admin, SystemTime::now()).unwrap();
    let revoked = Revoked::new(Duration::from_secs(60), Instant::now());
    let setup = tunnel::client_setup(material, Expected::default(), &revoked).unwrap();
    let tls = Arc::new(ClientTls::new(setup));
    let address = format!("127.0.0.1:{}", link.server.port());
    let client = control::Client::new(address, tls, harness::PATIENCE);
    let seen = client.settings().await.unwrap();
    let mut change = SettingsChange {
        number: seen.number.unwrap(),
        changes: [("zone_mode".into(), Some("mixed".into()))].into(),
        dry_run: false,
    };
    let changed = client.change_settings(&change).await.unwrap();
    assert_eq!(changed, client.settings().await.unwrap());
    assert_eq!(changed.taken, Some(1));
    let error = client.change_settings(&change).await.unwrap_err();
    let ClientError::Refused { status, why, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(status, 409);
    assert!(why.contains("admin ops through server primary"), "{why}");
    change.number = 1;
    change.changes = [("zone_mode".into(), Some("never".into()))].into();
    let error = client.change_settings(&change).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { status, .. } if status == 422));
}
