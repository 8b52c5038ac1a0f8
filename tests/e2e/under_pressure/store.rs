//! A store that changes while keys are read from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::http::Request;
use harness::raw::literal;
use harness::{Chain, rounds};

use super::Stand;

/// Rows of one zone that are read again and again.
const ROWS: usize = 50;

#[test]
fn values_open_while_zones_are_created_all_the_time() {
    let chain = Chain::builder().zone_mode("on").on_refused("error");
    let stand = Stand::start(&chain.connector("local_api.zones = true"));
    let zone = stand.keys.add_zone(&["app"]);
    let tag = zone.owner().id();
    let rows = (0..ROWS).map(|row| {
        let sealed = zone.seal(row.to_string().as_bytes()).unwrap();
        format!("({row}, '{tag}', {})", literal(&sealed))
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let stored = "create table stored (id int, zone text, value bytea)";
    stand
        .link
        .database
        .query(&format!("{stored}; insert into stored values {rows}"));

    let done = AtomicBool::new(false);
    let scan_on = || {
        let mut session = stand.session();
        let mut scans = 0;
        while !done.load(Ordering::Relaxed) {
            let answer = session.extended("select zone, value from stored order by id", 1);
            let opened = harness::raw::rows(&answer);
            assert_eq!(
                opened.len(),
                ROWS,
                "scan {scans}: {:?}",
                answer.last_chunk::<2>()
            );
            for (row, fields) in opened.iter().enumerate() {
                assert_eq!(fields[1].as_deref(), Some(row.to_string().as_bytes()));
            }
            scans += 1;
        }
        scans
    };
    thread::scope(|scope| {
        let scanning = [scope.spawn(scan_on), scope.spawn(scan_on)];
        let create = |_| {
            let made = stand.link.connector.api(&Request::post("/v1/zones"));
            assert_eq!(made.status, 201, "{made:?}");
            // A scan that has failed is worth hearing of now.
            !scanning.iter().any(|scan| scan.is_finished())
        };
        let created = (0..rounds(400))
            .take_while(|number| create(*number))
            .count();
        done.store(true, Ordering::Relaxed);
        let scans = scanning.map(|scan| scan.join().unwrap());
        assert!(
            scans.iter().all(|scans| *scans > 0),
            "{scans:?} beside {created} new zones"
        );
    });
}
