//! Settings in the store: a change holds from one row to the next, as one by SIGHUP does.

use std::collections::BTreeMap;
use std::thread;

use harness::{Chain, until};
use keystore::{MasterKey, Store};

use super::Stand;
use super::reload::{mode_of, rows};

/// Sets `zone_mode` for all servers of the store.
fn set_mode(stand: &Stand, mode: &str) -> u64 {
    let master = MasterKey::from_file(&stand.keys.master_key_file()).unwrap();
    let store = Store::open(stand.keys.store(), master).unwrap();
    let change = BTreeMap::from([("zone_mode".parse().unwrap(), mode.parse().ok())]);
    let changed = store.by("a test").change_settings(&change, None);
    changed.unwrap().number
}

/// Waits until the server has taken over the settings of this number.
fn taken(stand: &Stand, number: u64) {
    let line = stand
        .link
        .server
        .process()
        .wait_for_line(&format!("settings taken over number={number} "));
    assert!(line.contains(r#"by="a test""#), "{line}");
}

#[test]
fn a_mode_that_the_store_says_in_the_middle_of_a_result_holds_from_then_on() {
    let stand = Stand::start(&Chain::builder().zone_mode("off"));
    let mut holder = stand.link.database.address().raw();
    holder.start();
    holder.query("select pg_advisory_lock(1)");
    let mut session = stand.session();
    session.send(rows(&stand, 600, 1, 300));
    for _ in 0..3 {
        session.read().unwrap();
    }
    let mut modes: Vec<_> = (0..200)
        .map(|_| mode_of(&session.read().unwrap()))
        .collect();
    taken(&stand, set_mode(&stand, "on"));
    holder.query("select pg_advisory_unlock(1)");
    let rest = session.read_until_ready();
    modes.extend(rest.iter().filter(|row| row.tag == b'D').map(mode_of));
    assert_eq!(modes.len(), 600);
    let switch = modes.iter().position(|mode| *mode == "on").unwrap();
    assert!((200..=300).contains(&switch), "it changed at row {switch}");
    assert!(modes[switch..].iter().all(|mode| *mode == "on"));
}

#[test]
fn a_row_is_wholly_under_one_mode_however_often_the_store_says_another() {
    let stand = Stand::start(&Chain::builder());
    let batch = rows(&stand, 200, 8, 0);
    let mut session = stand.session();
    thread::scope(|scope| {
        let (done, is_done) = std::sync::mpsc::channel();
        let reader = scope.spawn(move || {
            let mut seen = [0, 0];
            let mut last_round = false;
            // One whole result after the last change.
            while !last_round {
                last_round = is_done.try_recv().is_ok();
                session.send(&batch);
                let answer = session.read_until_ready();
                for row in answer.iter().filter(|row| row.tag == b'D') {
                    seen[usize::from(mode_of(row) == "on")] += 1;
                }
            }
            seen
        });
        for mode in ["on", "off"].iter().cycle().take(12) {
            taken(&stand, set_mode(&stand, mode));
        }
        done.send(()).unwrap();
        let [off, on] = reader.join().unwrap();
        assert!(off > 0 && on > 0, "{off} rows in mode off, {on} in mode on");
    });
    until("the last one to hold", || {
        let status = harness::http::Request::get("/v1/status");
        let mode = stand.link.connector.api(&status).json()["zone_mode"].clone();
        (mode == "off").then_some(())
    });
}
