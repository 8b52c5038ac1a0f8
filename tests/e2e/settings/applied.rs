//! What each setting does in a server that runs, to sessions that were open before.

use harness::Signal;

use super::*;

/// The first field of a row with a sealed value beside so many bytes that are not sealed.
fn beside(session: &mut Session, sealed: &str, padding: usize) -> Option<Vec<u8>> {
    let sql = format!("select {sealed}, repeat('x', {padding})");
    rows(&session.extended(&sql, 1)).first()?[0].clone()
}

#[test]
fn limits_of_rows_and_memory_hold_from_the_next_row_on() {
    let (keys, link, app) = link(&Chain::builder());
    let mut session = session(&link);
    let sealed = literal(&app.seal(CLEAR).unwrap());
    let mut number = 0;
    let mut set = |changes: Value| {
        let answer = change(&keys, &link.server, "ops", &json!(number), changes);
        assert_eq!(answer.status, 200, "{answer:?}");
        number = answer.json()["number"].as_u64().unwrap();
    };
    let mut opens = |padding| beside(&mut session, &sealed, padding).as_deref() == Some(CLEAR);
    assert!(opens(200_000));
    set(json!({ "max_open_row": "100KiB" }));
    assert!(!opens(200_000) && opens(50_000));
    // Just enough for one row, and then for none of this length.
    set(json!({ "max_open_row": "250KiB", "open_memory": "750KiB" }));
    assert!(opens(200_000));
    set(json!({ "max_open_row": "100KiB", "open_memory": "300KiB" }));
    assert!(!opens(200_000) && opens(90_000));
    set(json!({ "max_open_row": null, "open_memory": null }));
    assert!(opens(200_000));
    assert_eq!(link.server.counted("long_rows_passed_total"), 2);
}

#[test]
fn a_policy_for_refused_values_holds_from_the_next_row_on() {
    let (keys, link, app) = link(&Chain::builder().zone_mode("on"));
    let mut session = session(&link);
    let sealed = literal(&app.seal(CLEAR).unwrap());
    assert!(beside(&mut session, &sealed, 1).unwrap().len() > CLEAR.len());
    store_says(&keys, &[("on_refused", "null")]);
    soon("NULL", || {
        let sql = format!("select {sealed}");
        rows(&session.extended(&sql, 1))[0][0].is_none()
    });
    store_says(&keys, &[("on_refused", "error")]);
    soon("an error", || {
        rows(&session.extended(&format!("select {sealed}"), 1)).is_empty()
    });
}

#[test]
fn the_log_level_changes_while_it_runs() {
    let (keys, link, _) = link(&Chain::builder());
    let set = |level: &str| {
        keys.keymaker(&["setting", "set", "log.level", level])
            .success();
        soon("taken over", || {
            setting(&settings(&keys, &link.server), "log.level")["value"] == level
        });
    };
    set("debug");
    drop(session(&link));
    link.server.process().wait_for_line("DEBUG");
    set("error");
    let before = link.server.process().log();
    // A peer that is turned away is a warning.
    let stranger = link.connector_of(&keys, "stranger");
    let mut turned_away = stranger.address().raw();
    turned_away.send(harness::raw::message::startup(&[("user", "postgres")]));
    assert_eq!(turned_away.read().unwrap().tag, b'E');
    assert_eq!(link.server.process().log(), before);
}

#[test]
fn a_shorter_drain_is_what_running_sessions_get() {
    let (keys, link, _) = link(&Chain::builder().server("drain_timeout = '1h'"));
    let mut session = session(&link);
    store_says(&keys, &[("drain_timeout", "1s")]);
    link.server
        .process()
        .wait_for_line("settings taken over number=1 ");
    link.server.process().signal(Signal::TERM);
    assert_eq!(session.read().unwrap().sqlstate(), "57P01");
    assert_eq!(link.server.process().wait().code(), Some(0));
}

#[test]
fn how_old_what_is_known_may_be_changes_while_it_runs() {
    let (keys, link, _) = link(&Chain::builder());
    store_says(&keys, &[("max_crl_age", "2s"), ("max_stale", "7s")]);
    link.server
        .process()
        .wait_for_line("settings taken over number=2 ");
    let status = link.connector.api(&Request::get("/v1/status")).json();
    assert_eq!(status["store"]["max_stale_seconds"], 7);
    let away = keys.store().with_extension("away");
    std::fs::rename(keys.store(), away).unwrap();
    harness::until("the list to be too old", || {
        let metrics = link.server.ops("/metrics").text().to_owned();
        let age = metrics.lines().find_map(|line| {
            let age = line.strip_prefix("pgseal_server_revocation_list_age_seconds ")?;
            age.parse::<f64>().ok()
        });
        age.filter(|age| *age > 2.1)
    });
    // An hour would be the default.
    let mut turned_away = link.address().raw();
    turned_away.send(harness::raw::message::startup(&[("user", "postgres")]));
    let said = turned_away.read().unwrap().field(b'M').unwrap();
    let says = "the pgseal server does not know which certificates are revoked";
    assert_eq!(said, says);
}
