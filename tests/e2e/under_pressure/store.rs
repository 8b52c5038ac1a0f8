//! A store that changes while keys are read from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use envelope::Recipient;
use harness::http::Request;
use harness::raw::{literal, rows};
use harness::{Chain, rounds};

use super::Stand;

/// Rows that are read again and again.
const ROWS: usize = 20;

/// Zones whose values are in each row: opening it takes long enough for the store to change
/// meanwhile, again and again.
const ZONES: usize = 100;

/// A value of each zone, behind its tag.
fn sealed(zones: &[Recipient]) -> Vec<u8> {
    let tagged = |zone: &Recipient| {
        let tag = format!("[{}]", zone.owner().id());
        [tag.as_bytes(), &zone.seal(b"x").unwrap()].concat()
    };
    zones.iter().flat_map(tagged).collect()
}

#[test]
fn values_open_while_zones_are_created_all_the_time() {
    let chain = Chain::builder().zone_mode("on").on_refused("error");
    let stand = Stand::start(&chain.connector("local_api.zones = true"));
    let create = || {
        let made = stand.link.connector.api(&Request::post("/v1/zones"));
        assert_eq!(made.status, 201, "{made:?}");
        made.recipient()
    };
    let zones: Vec<Recipient> = (0..ZONES).map(|_| create()).collect();
    let stored = (0..ROWS).map(|_| format!("({})", literal(&sealed(&zones))));
    let stored = stored.collect::<Vec<_>>().join(", ");
    let table = "create table stored (value bytea)";
    stand
        .link
        .database
        .query(&format!("{table}; insert into stored values {stored}"));

    let done = AtomicBool::new(false);
    let scan_on = || {
        let (mut session, mut scans) = (stand.session(), 0);
        while !done.load(Ordering::Relaxed) {
            let answer = session.extended("select value from stored", 1);
            let error = answer.iter().find(|message| message.tag == b'E');
            assert_eq!(error, None, "scan {scans}");
            assert_eq!(
                rows(&answer),
                vec![[Some(vec![b'x'; ZONES])]; ROWS],
                "scan {scans}"
            );
            scans += 1;
        }
        scans
    };
    thread::scope(|scope| {
        let scanning = [scope.spawn(scan_on), scope.spawn(scan_on)];
        for _ in 0..rounds(300) {
            create();
            if scanning.iter().any(|scan| scan.is_finished()) {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        let scans = scanning.map(|scan| scan.join().unwrap());
        assert!(scans.iter().all(|scans| *scans > 0), "{scans:?}");
    });
}
