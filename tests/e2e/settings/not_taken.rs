//! Settings that a server cannot take over, or cannot rely on.

use harness::raw::message;
use harness::until;
use rusqlite::Connection;

use super::*;

/// Whether the server lets a new session in; if not, what it says.
fn lets_in(link: &Link) -> Result<(), String> {
    let mut session = link.address().raw();
    session.send(message::startup(&[
        ("user", "postgres"),
        ("database", "postgres"),
    ]));
    let first = session.read().unwrap();
    match first.tag {
        b'E' => Err(first.field(b'M').unwrap()),
        _ => Ok(()),
    }
}

const UNKNOWN: &str = "the pgseal server does not know its settings";

#[test]
fn a_change_that_a_server_could_not_run_with_is_refused_there_before_it_is_made() {
    let mut stand = Stand::start();
    stand
        .chain
        .replica
        .server
        .apply(&["max_open_row = '100MiB'"]);
    let changes = json!({ "open_memory": "192MiB" });
    let (keys, chain) = (&stand.chain.keys, &stand.chain);
    let answer = change(
        keys,
        &chain.replica.server,
        "ops",
        &json!(0),
        changes.clone(),
    );
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(settings(keys, &chain.primary.server)["number"], 0);

    // Made through one that can, the other goes on as it was and says so.
    let changes = json!({ "open_memory": "192MiB", "zone_mode": "on" });
    let answer = change(keys, &chain.primary.server, "ops", &json!(0), changes);
    assert_eq!(answer.status, 200, "{answer:?}");
    let why =
        "the store's settings are not taken over: open_memory: 201326592 bytes are too little";
    soon("said by its health", || {
        let (status, text) = health(&chain.replica.server);
        status == 503 && text.starts_with(why)
    });
    let shown = settings(keys, &chain.replica.server);
    assert_eq!((&shown["number"], &shown["taken"]), (&json!(2), &json!(0)));
    let status = Request::get("/v1/status");
    let status = chain.replica.connector.api(&status).json();
    assert!(
        status["settings"]["problem"]
            .as_str()
            .unwrap()
            .starts_with(why),
        "{status}"
    );
    assert_eq!(lets_in(&chain.replica), Ok(()));
    assert_eq!(health(&chain.primary.server).0, 200);
    assert!(
        !stand.opens(0) && stand.opens(1),
        "nothing of it holds there"
    );

    let (keys, chain) = (&stand.chain.keys, &stand.chain);
    let changes = json!({ "open_memory": null });
    let answer = change(keys, &chain.primary.server, "ops", &json!(2), changes);
    assert_eq!(answer.status, 200, "{answer:?}");
    soon("well again", || health(&chain.replica.server).0 == 200);
    assert!(!stand.opens(1));
    let log = stand.chain.replica.server.process().log();
    assert_eq!(
        log.matches("settings are not taken over").count(),
        1,
        "{log}"
    );
}

#[test]
fn a_setting_of_a_newer_program_changes_nothing_and_is_taken_back_through_the_server() {
    let (keys, mut link, app) = link(&Chain::builder());
    let mut running = session(&link);
    store_says(&keys, &[("of_tomorrow", "1"), ("zone_mode", "on")]);
    let says = "of_tomorrow: this program knows no such setting";
    soon("said", || health(&link.server).1.contains(says));
    assert!(opens(&mut running, &app));
    assert_eq!(lets_in(&link), Ok(()));

    // One that starts has nothing to go on with.
    link.server.restart();
    assert_eq!(lets_in(&link), Err(UNKNOWN.into()));
    let (status, text) = health(&link.server);
    assert!(status == 503 && text.contains(says), "{text}");
    let other = change(
        &keys,
        &link.server,
        "ops",
        &json!(2),
        json!({ "zone_mode": "off" }),
    );
    assert_eq!(other.status, 422, "{other:?}");
    let back = json!({ "of_tomorrow": null });
    let answer = change(&keys, &link.server, "ops", &json!(2), back);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!opens(&mut session(&link), &app));
    assert_eq!(health(&link.server).0, 200);
}

#[test]
fn settings_that_were_altered_removed_or_put_back_let_nobody_in_and_are_named() {
    for (change, named) in [
        (
            "update record set value = zeroblob(length(value))",
            "record settings in ",
        ),
        ("delete from record", "record settings is missing from "),
        (
            "update record set value = (select value from kept)",
            "went back from number 1 to 0",
        ),
    ] {
        let (keys, link, app) = link(&Chain::builder());
        let database = Connection::open(keys.store()).unwrap();
        let keep = "create temp table kept as select value from record where name = 'settings'";
        database.execute_batch(keep).unwrap();
        store_says(&keys, &[("zone_mode", "mixed")]);
        link.server
            .process()
            .wait_for_line("settings taken over number=1 ");
        let mut running = session(&link);
        let kept: Vec<u8> = database
            .query_row(
                "select value from record where name = 'settings'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        // The store's revision says nothing of it.
        let change = format!("{change} where name = 'settings'");
        assert_eq!(database.execute(&change, []).unwrap(), 1);
        until("nobody to be let in", || {
            lets_in(&link).err().filter(|said| said == UNKNOWN)
        });
        let line = link
            .server
            .process()
            .wait_for_line("no new sessions: the store's settings");
        assert!(line.contains("ERROR") && line.contains(named), "{line}");
        let (status, text) = health(&link.server);
        assert!(status == 503 && text.contains(named), "{text}");
        // What runs goes on under what was.
        assert!(opens(&mut running, &app));
        let put = "insert or replace into record values ('settings', ?1, 1)";
        database.execute(put, [kept]).unwrap();
        until("them to be relied on again", || lets_in(&link).ok());
        assert_eq!(health(&link.server).0, 200);
    }
}
