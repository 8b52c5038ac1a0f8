//! What one server's command line or environment says beats the store, and is never ignored in
//! silence.

use super::*;

#[test]
fn what_is_fixed_on_a_server_stays_is_shown_as_such_and_is_not_changed_through_it() {
    let mut stand = Stand::start();
    let replica = &mut stand.chain.replica.server;
    let variable = ("PGSEAL_ON_REFUSED", "null");
    replica.restart_fixed(&["--zone-mode", "off"], &[variable]);
    stand.sessions[1] = session(&stand.chain.replica);
    let (keys, chain) = (&stand.chain.keys, &stand.chain);
    for (name, place, value) in [
        ("zone_mode", "--zone-mode", Some("on")),
        ("on_refused", "PGSEAL_ON_REFUSED", Some("error")),
        ("zone_mode", "--zone-mode", None),
    ] {
        let changes = json!({ name: value, "max_open_row": "1MiB" });
        let answer = change(keys, &chain.replica.server, "ops", &json!(0), changes);
        assert_eq!(answer.status, 422, "{answer:?}");
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        let says = format!("{name} is fixed on server replica by {place}, which beats the store; ");
        assert!(said.starts_with(&says), "{said}");
    }
    assert_eq!(settings(keys, &chain.primary.server)["number"], 0);

    // Through the other server it is changed, for the other server.
    let changes = json!({ "zone_mode": "on", "max_open_row": "1MiB" });
    let answer = change(keys, &chain.primary.server, "ops", &json!(0), changes);
    assert_eq!(answer.status, 200, "{answer:?}");
    soon("taken over by the other one", || {
        settings(keys, &chain.replica.server)["taken"] == answer.json()["number"]
    });
    let shown = settings(keys, &chain.replica.server);
    let mode = setting(&shown, "zone_mode");
    assert_eq!(
        [
            &mode["value"],
            &mode["origin"],
            &mode["place"],
            &mode["stored"]["value"]
        ],
        ["off", "fixed", "--zone-mode", "on"]
    );
    assert_eq!(setting(&shown, "max_open_row")["value"], "1MiB");
    assert_eq!(health(&chain.replica.server).0, 200);
    assert!(!stand.opens(0) && stand.opens(1));
}

#[test]
fn the_store_beats_the_configuration_file_and_the_file_holds_again_without_it() {
    let (keys, mut link, app) = link(&Chain::builder().zone_mode("on"));
    let mut session = session(&link);
    let shown = setting(&settings(&keys, &link.server), "zone_mode");
    assert_eq!(
        (&shown["value"], &shown["origin"]),
        (&json!("on"), &json!("file"))
    );
    let place = shown["place"].as_str().unwrap();
    assert!(place.contains("config.toml:"), "{place}");
    assert!(!opens(&mut session, &app));
    store_says(&keys, &[("zone_mode", "off")]);
    soon("as the store says", || opens(&mut session, &app));
    // What is read again on SIGHUP does not come before it either.
    link.server
        .apply(&["zone_mode = 'on'", "log.level = 'debug'"]);
    assert!(opens(&mut session, &app));
    let shown = settings(&keys, &link.server);
    assert_eq!(setting(&shown, "log.level")["value"], "debug");
    keys.keymaker(&["setting", "reset", "zone_mode"]).success();
    soon("as the file says", || !opens(&mut session, &app));
}

#[test]
fn a_configuration_that_does_not_go_with_the_stores_settings_stays_as_it_was() {
    let (keys, mut link, _) = link(&Chain::builder());
    store_says(&keys, &[("open_memory", "192MiB")]);
    link.server
        .process()
        .wait_for_line("settings taken over number=1 ");
    link.server
        .reconfigure(&["max_open_row = '100MiB'", "open_memory = '1GiB'"]);
    let line = link.server.process().wait_for_line("stays as it was");
    assert!(
        line.contains("open_memory: 201326592 bytes are too little"),
        "{line}"
    );
    let shown = settings(&keys, &link.server);
    assert_eq!(setting(&shown, "max_open_row")["value"], "64MiB");
    assert_eq!(health(&link.server).0, 200);
}
